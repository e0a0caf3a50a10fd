"""Artifacts of `train` and `evaluate` -> curves, test scores against baselines, errors and pictures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..artifact import Artifact
from .charts import Mark, draw_curves, draw_scores
from .examples_section import show_examples
from .html_elements import Html, element, picture, section
from .markdown_html import from_markdown

LOSSES = {"loss": "training loss", "eval_loss": "validation loss"}
SCORES = {"eval_accuracy": "validation accuracy", "eval_macro_f1": "validation macro-F1"}
DRAWN = ("curves",)
"""Pictures that the page draws itself."""


def show_training(model: Artifact) -> Html:
    """The curves, and what `train` states."""
    history = json.loads((model.records / "history.json").read_text(encoding="utf-8"))
    phases = json.loads((model.path / "data" / "audit.json").read_text(encoding="utf-8"))
    chosen = phases[-1]["chosen"]
    charts = [
        draw_curves(title, _curves(history, names), chosen) for title, names in (("Loss", LOSSES), ("Score", SCORES))
    ]
    return section("training", "Training", _page(model), *charts, *_pictures(model.records))


def _curves(history: Sequence[Mapping[str, float]], names: Mapping[str, str]) -> dict[str, list[tuple[float, float]]]:
    curves = {label: [(row["step"], row[name]) for row in history if name in row] for name, label in names.items()}
    return {label: points for label, points in curves.items() if points}


def show_results(report: Artifact) -> Html:
    """Scores with intervals next to the baselines, and the kind's own page: all scores, paired tests, the most
    confident errors, examples, pictures."""
    facts = read_facts(report)
    units = f"{facts['rows']:,} test rows, {facts['confidence']:.0%} intervals"
    charts = [draw_scores(f"{words(name)} on {units}", _marks(facts, name)) for name in facts["shown"]]
    return section(
        "results",
        "Test results and most confident errors",
        *charts,
        _page(report),
        show_examples(report.records),
        element("div", *_pictures(report.records), class_="pictures"),
    )


def read_facts(report: Artifact) -> dict[str, Any]:
    """The evaluation's facts: scores, intervals, baselines."""
    facts: dict[str, Any] = json.loads((report.path / "data" / "report.json").read_text(encoding="utf-8"))
    return facts


def headline(facts: Mapping[str, Any]) -> str:
    """The first score that is shown, with its interval."""
    name = next(iter(facts["shown"]), None)
    if name is None:
        return f"{facts['rows']:,} test rows"
    interval = facts["intervals"].get(name)
    between = f" [{interval[0]:.4f}, {interval[1]:.4f}]" if interval else ""
    return f"{words(name)} {facts['scores'][name]:.4f}{between} on {facts['rows']:,} test rows"


def words(name: str) -> str:
    """The name of a score for people."""
    return name.replace("_", " ")


def _marks(facts: Mapping[str, Any], name: str) -> list[Mark]:
    interval = facts["intervals"].get(name)
    own = Mark("this model", facts["scores"][name], tuple(interval) if interval else None)
    baselines = [Mark(baseline, values[name]) for baseline, values in facts["baselines"].items() if name in values]
    return [own, *baselines]


def _page(artifact: Artifact) -> Html:
    return from_markdown((artifact.records / "summary.md").read_text(encoding="utf-8"))


def _pictures(records: Path) -> list[Html]:
    return [picture(path) for path in sorted(records.glob("*.png")) if path.stem not in DRAWN]
