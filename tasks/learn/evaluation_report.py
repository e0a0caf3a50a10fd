"""A model without classes and its test rows -> what is reported of it: report.json, predictions, samples, a page."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs.encodings import Traits
from configs.schema import Evaluate
from configs.scores import not_better

from ..data.errors import DataError
from ..data.escape import markdown
from ..documents import SampleRow

SAMPLES = 16
"""Rows whose predictions the registered model must repeat."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Judged:
    """What a model's test gave: facts (JSON-ready), predictions (a row per test row or turn, `id` first), samples (id,
    content and the prediction as the proof compares it), examples as Markdown."""

    facts: dict[str, Any]
    answers: pd.DataFrame
    samples: list[SampleRow]
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Subject:
    """What a report is about: a kind with its traits, and how many test rows were scored."""

    kind: str
    traits: Traits
    rows: int


def state(
    subject: Subject,
    measured: Mapping[str, Any],
    section: Evaluate,
    *,
    shown: Sequence[str],
    baselines: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The facts of a report: scores with intervals and those of baselines; what is undefined (None) is left out."""
    scores = {name: measured[name] for name in subject.traits.scores if measured.get(name) is not None}
    return {
        "kind": subject.kind,
        "content": subject.traits.content,
        "labels": [],
        "rows": subject.rows,
        "confidence": section.confidence,
        "scores": scores,
        "intervals": {name: measured[f"{name}_interval"] for name in scores if measured.get(f"{name}_interval")},
        "shown": [name for name in shown if name in scores],
        "baselines": {
            name: {score: values[score] for score in scores if values.get(score) is not None}
            for name, values in baselines.items()
        },
    }


def chosen_baselines(kind: str, traits: Traits, section: Evaluate) -> tuple[str, ...]:
    """The baselines that a recipe asks for, or all that there are. Raises DataError for one of another kind."""
    usual = traits.baselines
    given = usual if section.baselines is None else section.baselines
    if odd := [name for name in given if name not in usual]:
        raise DataError(f"the baseline {odd[0]} is none for encode.kind {kind}; take of {', '.join(usual)}")
    return tuple(given)


def sampled(ids: Sequence[str], texts: Sequence[str], answers: pd.DataFrame) -> list[SampleRow]:
    """Rows as a report keeps them for the proof: what the model is asked, and each column of its prediction."""
    predicted = answers.to_numpy().tolist()
    return [
        {"id": row, "text": text, "answer": prediction}
        for row, text, prediction in zip(ids, texts, predicted, strict=True)
    ]


def save(judged: Judged, data: Path, records: Path) -> None:
    """Write report.json and predictions.parquet (data), and sample rows (records)."""
    (data / "report.json").write_text(json.dumps(judged.facts, indent=1, sort_keys=True), encoding="utf-8")
    table = pa.Table.from_pandas(judged.answers, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, data / "predictions.parquet", compression="zstd")
    text = json.dumps(judged.samples, ensure_ascii=False, indent=1)
    (records / "samples.json").write_text(text, encoding="utf-8")


def describe(judged: Judged, title: str, units: str = "test rows") -> str:
    """The report as Markdown; `units`: what the intervals are over."""
    facts = judged.facts
    lines = [
        f"# evaluate: {title}",
        "",
        f"| | this model | interval | {' | '.join(facts['baselines'])} |",
        "|---|---:|---:|" + "---:|" * len(facts["baselines"]),
    ]
    for name, value in facts["scores"].items():
        low, high = facts["intervals"].get(name, (None, None))
        between = "" if low is None else f"{low:.4f} – {high:.4f}"
        others = [f"{values[name]:.4f}" if name in values else "" for values in facts["baselines"].values()]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join([f'{value:.4f}', between, *others])} |")
    lines += ["", f"Intervals: {facts['confidence']:.0%} bootstrap over {units}."]
    if beaten := not_better(facts):
        lines.append(f"**Not better than the baseline {' and '.join(beaten)}.**")
    return "\n".join([*lines, "", *judged.examples])


def encoded_otherwise(row: str) -> DataError:
    """For a test row that inference encodes otherwise than training did: its scores would be of another model."""
    return DataError(f"row {row} is encoded otherwise at inference than in training")


def cell(text: str, longest: int = 160) -> str:
    """A text in one cell of a Markdown table."""
    return markdown(" ".join(text.split())[:longest])
