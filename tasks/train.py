"""train: encoded training and validation rows come in; a model that carries its own preprocessing goes out."""

import json
import shutil
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from configs.reference import reference_of
from configs.schema import Train
from configs.settings import settings
from configs.teacher import scores_of

from .artifact import Artifact, StageError
from .cached import cached_task
from .data.escape import markdown
from .data.sources.pretrained import keep_provenance
from .kinds.referee import open_reference
from .kinds.spec import open_kind, open_training
from .output import Output
from .reference import reference
from .teacher import SCORES, teacher

if TYPE_CHECKING:
    from .kinds.spec import Training
    from .learn.fit import Fitted

LIBRARIES = ("torch", "transformers", "accelerate", "safetensors", "numpy")
"""What every training's result depends on."""


def libraries(section: Train) -> tuple[str, ...]:
    """What a training's result depends on apart from the code: Keras's layers, timm, LoRA and a quantised base add
    their own."""
    keras = getattr(section.model, "framework", "") == "keras"
    quantized = section.lora is not None and section.lora.base != "float32"
    timm = section.model.kind == "timm"
    gguf = getattr(section.model, "gguf", None) is not None
    added = {"keras": keras, "timm": timm, "gguf": gguf, "peft": section.lora is not None, "bitsandbytes": quantized}
    return (*LIBRARIES, *(name for name, needed in added.items() if needed))


def opened(section: Train) -> dict[str, tuple[str, ...]]:
    """What of its inputs a training reads; the rows as they were split only where teachers score them."""
    encoded = ("train.*", "validation.*", "tokenizer.json", "encoding.json", "tools.json", "*.jsonl")
    taught = ("train.parquet", "images.parquet") if section.teacher else ()
    return {"encoded": encoded, "splits": taught}


@cached_task(
    makes="model",
    opens=opened,
    libraries=libraries,
    curves=True,
    kind=("training",),
)
def train(out: Output, section: Train, encoded: Artifact, splits: Artifact | None = None) -> None:
    """Train, or resume what a killed run left, and keep the checkpoint with the best validation score."""
    from .learn.curves import draw_curves
    from .learn.fit import TrainingCallbacks, TrainingRun, fit
    from .learn.phases import left_random, plan_phases

    training = open_training(encoded.file("encoding.json").parent)
    parts = {name: training.read(encoded.file(f"{name}.parquet")) for name in ("train", "validation")}
    parts = _with_reference(section, encoded, training, parts)
    parts["train"] = _with_teachers(section, encoded, splits, parts["train"])
    patient = section.patience is not None or any(phase.patience is not None for phase in section.phases)
    if patient and not len(parts["validation"]):
        raise StageError("train.patience needs validation rows, and the split has none")
    model = training.model(section, parts["train"])
    layout = training.layout(model)
    random = left_random(plan_phases(section, layout), layout)
    if random:
        out.log(random)
    callbacks = TrainingCallbacks(out.report, out.progress, out.log)
    feed = training.feed(parts, section.seed)
    run = TrainingRun(out.scratch / "checkpoints", callbacks, settings().threads)
    fitted = fit(section, model, feed, run, layout)
    out.resumed = fitted.resumed_at is not None
    counted = getattr(model, "num_parameters", None)  # 4-bit weights are two to a byte
    parameters = counted() if counted else sum(value.numel() for value in model.parameters())
    training.save(model, section, out.data)
    training.draw_inputs(model, parts["train"], section, out.records)
    for name in training.preprocessing:
        (out.data / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(encoded.file(name), out.data / name)
    training.finish(parts["validation"], out.data)
    (out.records / "history.json").write_text(json.dumps(fitted.history, indent=1), encoding="utf-8")
    audits = [asdict(audit) for audit in fitted.audits]
    (out.data / "audit.json").write_text(json.dumps(audits, indent=1), encoding="utf-8")
    later = [audit.start for audit in fitted.audits[1:]]
    draw_curves(fitted.history, fitted.step, out.records / "curves.png", later)
    start = keep_provenance(section.model, out.records)
    stated = (start, _describe_teachers(section), getattr(model, "loaded", ""), getattr(model, "adapted", ""), random)
    notes = [note for note in stated if note]
    out.summary(_describe(training, fitted, parameters, section.precision, notes))


def _with_reference(section: Train, encoded: Artifact, training: "Training", parts: dict[str, Any]) -> dict[str, Any]:
    """The parts with what the reference model finds of them, of kinds that are held to one."""
    if not open_kind(training.kind).reference:
        return parts
    scored = reference.run_or_load(reference_of(section), {"encoded": encoded}).result
    return dict(open_reference(training.kind).join(parts, scored.file("train.parquet").parent))


def _with_teachers(section: Train, encoded: Artifact, splits: Artifact | None, rows: Any) -> Any:
    """The training rows with the scores of a student's teachers."""
    if splits is None:  # without a teacher nothing of them is opened
        return rows
    import numpy as np

    inputs = {"encoded": encoded, "splits": splits}
    scored = [teacher.run_or_load(scores, inputs).result for scores in scores_of(section.teacher)]
    scores = np.stack([np.load(artifact.file(SCORES)) for artifact in scored], 1).astype(np.float32)
    return replace(rows, teachers=scores)


def _describe_teachers(section: Train) -> str:
    """In a sentence whom a student learns from, and how; empty where it has no teacher."""
    if section.teacher is None:
        return ""
    names = ", ".join(f"{model.name} version {model.version}" for model in section.teacher.models)
    weights = [*section.teacher.losses.items(), ("labels", section.teacher.labels)]
    weighed = ", ".join(f"{name} {weight:g}" for name, weight in weights)
    return f"learns from {names}: {weighed}, temperature {section.teacher.temperature:g}"


def _describe(training: "Training", fitted: "Fitted", parameters: int, precision: str, notes: list[str]) -> str:
    from .learn.overfitting import diagnose

    chosen = next((row for row in fitted.history if row["step"] == fitted.step and "eval_loss" in row), None)
    lines = [
        f"# train: weights of step {fitted.step:,} of {fitted.steps:,}",
        f"- {parameters:,} parameters, {training.kind}"
        + (f", labels {', '.join(map(markdown, training.labels))}" if training.labels else ""),
        f"- computed in {precision}" + (", weights and output layer in float32" if precision != "float32" else ""),
    ]
    if chosen:
        names = {"loss": "eval_loss", "accuracy": "eval_accuracy", "macro-F1": "eval_macro_f1"}
        scores = ", ".join(f"{name} {chosen[key]:.4f}" for name, key in names.items() if key in chosen)
        lines.append(f"- validation: {scores}")
    else:
        lines.append("- no validation rows: the last weights are kept")
    lines.append(f"- {diagnose(fitted.history)}")
    for note in notes:
        lines += ["", markdown(note)]
    if len(fitted.audits) > 1:
        lines += ["", "| phase | steps | weights of step | moved | held still |", "|---|---|---:|---:|---:|"]
        lines += [
            f"| {number} | {audit.start:,} to {audit.end:,} | {audit.chosen:,} | "
            f"{len(audit.moved)} | {len(audit.still)} |"
            for number, audit in enumerate(fitted.audits, 1)
        ]
    return "\n".join(lines)
