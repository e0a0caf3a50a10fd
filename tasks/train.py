"""train: encoded training and validation rows come in; a model that carries its own preprocessing goes out."""

import json
import shutil
from typing import TYPE_CHECKING

from configs.schema import Train
from configs.settings import settings

from .artifact import Artifact, StageError
from .cached import cached_task
from .store.output import Output

if TYPE_CHECKING:
    from .learn.fit import Fitted
    from .text.encoding import Encoding

PREPROCESSING = ("tokenizer.json", "encoding.json")


@cached_task(
    opens={"encoded": ("train.parquet", "validation.parquet", *PREPROCESSING)},
    libraries=("torch", "transformers", "accelerate", "safetensors", "numpy"),
    curves=True,
)
def train(out: Output, section: Train, encoded: Artifact) -> None:
    """Train, or resume what a killed run left, and keep the checkpoint with the best validation score."""
    from .learn.fit import Feed, Voice, fit
    from .learn.pictures import draw_curves
    from .text.encoding import load_encoding
    from .text.feed import Rows, collate_rows
    from .text.models import build_model, freeze_encoder
    from .text.parts import read_part
    from .text.tokenizer import load_tokenizer

    encoding = load_encoding(encoded.file("encoding.json"))
    tokenizer = load_tokenizer(encoded.file("tokenizer.json").parent, encoding.special)
    parts = {name: read_part(encoded.file(f"{name}.parquet")) for name in ("train", "validation")}
    if section.patience is not None and not len(parts["validation"]):
        raise StageError("train.patience needs validation rows, and the split has none")
    model = build_model(section.model, encoding, tokenizer, section.seed)
    if section.freeze_encoder:
        freeze_encoder(model)
    feed = Feed(
        train=Rows(parts["train"]),
        validation=Rows(parts["validation"]) if len(parts["validation"]) else None,
        collate=collate_rows(encoding),
        class_ids=encoding.label_ids,
    )
    voice = Voice(out.report, out.progress, out.say)
    fitted = fit(section, model, feed, out.beside / "checkpoints", voice, settings().threads)
    out.resumed = fitted.resumed_at is not None
    model.save_pretrained(out.data)
    for name in PREPROCESSING:
        shutil.copyfile(encoded.file(name), out.data / name)
    (out.records / "history.json").write_text(json.dumps(fitted.history, indent=1), encoding="utf-8")
    draw_curves(fitted.history, fitted.step, out.records / "curves.png")
    out.summary(_describe(encoding, fitted, sum(p.numel() for p in model.parameters())))


def _describe(encoding: "Encoding", fitted: "Fitted", parameters: int) -> str:
    chosen = next((row for row in fitted.history if row["step"] == fitted.step and "eval_loss" in row), None)
    lines = [
        f"# train: weights of step {fitted.step:,} of {fitted.steps:,}",
        f"- {parameters:,} parameters, {encoding.kind}, labels {', '.join(encoding.labels)}",
    ]
    if chosen:
        lines.append(
            f"- validation: loss {chosen['eval_loss']:.4f}, accuracy {chosen['eval_accuracy']:.4f}, "
            f"macro-F1 {chosen['eval_macro_f1']:.4f}"
        )
    else:
        lines.append("- no validation rows: the last weights are kept")
    return "\n".join(lines)
