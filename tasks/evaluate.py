"""evaluate: a trained model and the raw test rows come in; a report that a person can judge goes out."""

import json
from pathlib import Path

from configs.encodings import CLASSES
from configs.schema import Evaluate

from .artifact import Artifact
from .cached import cached_task
from .output import Output


@cached_task(
    opens={
        "model": ("*",),
        "encoded": ("train.*", "test.*"),
        "splits": ("train.parquet", "test.parquet", "images.parquet"),
    },
    libraries=("torch", "transformers", "numpy", "scikit-learn"),
)
def evaluate(out: Output, section: Evaluate, model: Artifact, encoded: Artifact, splits: Artifact) -> None:
    """Score the saved model once on the test rows, from their raw contents. Raises StageError, DataError."""
    folder = model.file("config.json").parent
    kind = json.loads((folder / "encoding.json").read_text(encoding="utf-8"))["kind"]
    told = _classes if kind in CLASSES else _dialogues if kind == "dialogue" else _aims
    count, summary = told(out, section, folder, encoded, splits)
    out.counts = {"in": count, "out": count, "dropped": 0}
    out.summary(summary)


def _classes(out: Output, section: Evaluate, folder: Path, encoded: Artifact, splits: Artifact) -> tuple[int, str]:
    from .data.rows import read_rows
    from .kinds.classification_report import compare, describe, save, score
    from .kinds.score import contents_of
    from .kinds.spec import open_domain

    domain = open_domain(folder)
    parts = {name: domain.read(encoded.file(f"{name}.parquet")) for name in ("train", "test")}
    test = read_rows(splits.file("test.parquet")).set_index("id").loc[parts["test"].ids].reset_index()
    contents = contents_of(domain, test, splits.file("images.parquet"))
    scored = score(
        domain, folder, test, contents, parts["test"], section, lambda done, of: out.progress(done, of, "scoring")
    )
    scored.facts["baselines"] = compare(section, scored, read_rows(splits.file("train.parquet")), parts)
    save(scored, section, out.data, out.records)
    return len(test), describe(scored, section.worst)


def _dialogues(out: Output, section: Evaluate, folder: Path, encoded: Artifact, splits: Artifact) -> tuple[int, str]:
    from .data.rows import read_rows
    from .kinds.dialogue.report import judge, require_same_inputs, save_transcripts
    from .learn.evaluation_report import describe, save
    from .text.parts import read_part

    train, test = (read_rows(splits.file(f"{part}.parquet")) for part in ("train", "test"))
    part = read_part(encoded.file("test.parquet"))
    kept = test[test["id"].isin(part.ids)]
    require_same_inputs(folder, kept, part)
    judged, transcripts = judge(folder, train, kept, section, lambda done, of: out.progress(done, of, "writing"))
    save(judged, out.data, out.records)
    save_transcripts(transcripts, out.records)
    counts = judged.facts["counts"]
    title = f"{counts['turns']:,} turns of {counts['dialogues']:,} test dialogues, each after the true history"
    return len(kept), describe(judged, title, "dialogues")


def _aims(out: Output, section: Evaluate, folder: Path, encoded: Artifact, splits: Artifact) -> tuple[int, str]:
    """Models that rewrite texts, foretell a number or foretell hidden tokens."""
    from .data.errors import DataError
    from .data.rows import read_rows
    from .kinds.masked_lm import report as masked_report
    from .kinds.regression import report as regression_report
    from .kinds.score import odd_inputs
    from .kinds.seq2seq import report as seq2seq_report
    from .kinds.spec import open_domain
    from .learn.evaluation_report import describe, save

    domain = open_domain(folder)
    parts = {name: domain.read(encoded.file(f"{name}.parquet")) for name in ("train", "test")}
    tables = {name: read_rows(splits.file(f"{name}.parquet")).set_index("id").loc[part.ids].reset_index()
              for name, part in parts.items()}  # fmt: skip
    odd = odd_inputs(domain, tables["test"]["text"].tolist(), parts["test"])
    if len(odd):
        raise DataError(f"row {tables['test']['id'].iloc[odd[0]]} is encoded otherwise at inference than in training")
    judge = {"seq2seq": seq2seq_report, "regression": regression_report, "masked": masked_report}[domain.kind].judge
    judged = judge(folder, tables["train"], tables["test"], section, lambda done, of: out.progress(done, of, "scoring"))
    save(judged, out.data, out.records)
    if domain.kind == "regression":
        from .kinds.regression.plot import draw_numbers

        draw_numbers(judged.answers["true"].to_numpy(), judged.answers["value"].to_numpy(), out.records / "numbers.png")
    return len(tables["test"]), describe(judged, f"{domain.kind}, {len(tables['test']):,} test rows")
