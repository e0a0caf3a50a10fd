"""predict: a registered model and a file or folder come in, a file of predictions goes out; a flow to be scheduled."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact

from tasks.data.escape import markdown
from tasks.inference.batch import Predicted, check_output, predict_into
from tasks.inference.inputs import Questions
from tasks.tracking.named import Named

from .hooks import watched
from .model_inputs import open_model_for, open_questions

STEP = 0.01
"""Share of the rows after which Prefect hears of progress again."""
LINES = 50
"""Labels that the page lists."""


class PredictedFile(TypedDict):
    """Rows of a file: how many, those without a prediction, those predicted by an earlier run; and by which model."""

    rows: int
    failed: int
    kept: int
    summary: Any
    model: str
    version: str
    output: str


@flow(name="predict", flow_run_name="{model}", persist_result=False, **watched())
def predict(
    model: str,
    file: str,
    output: str,
    column: str | None = None,
    reading: dict[str, Any] | None = None,
    pair: str | None = None,
) -> PredictedFile:
    """Write the model's predictions for every row of `file`, or every image of a folder, to `output` (.csv, .jsonl or
    .parquet).

    `reading` holds fields of a recipe's source that say how the file is read, such as `separator`; `pair` names the
    column of second texts, where the model takes pairs. Paths are absolute,
    or relative to where the flow runs. A run that was stopped goes on at the next one with the
    same model and input. Returns rows, failed, kept, summary, and the model's version.
    """
    questions = open_questions(Path(file), column, reading)
    check_output(Path(output), questions)
    named, loaded, questions = open_model_for(model, questions, column, pair)
    notes = list(getattr(questions, "notes", ()))
    done = predict_into(Path(output), questions, loaded, notes.append, _Progress(f"predictions of {named}"))
    text = page(named, questions, done, Path(output), notes)
    create_markdown_artifact(text, key="predictions", description=f"{named}: {done.rows:,} rows")
    return {
        "rows": done.rows,
        "failed": done.failed,
        "kept": done.kept,
        "summary": asdict(done)["summary"],
        "model": named.name,
        "version": named.version,
        "output": output,
    }


class _Progress:
    """Rows done, as an artifact that is brought up to date at every hundredth."""

    def __init__(self, about: str) -> None:
        self.id = create_progress_artifact(0.0, key="prediction-progress", description=about)
        self.reported = 0.0

    def __call__(self, done: int, of: int) -> None:
        share = done / of
        if share >= self.reported + STEP or done == of:
            assert isinstance(self.id, UUID)
            update_progress_artifact(self.id, 100 * share)
            self.reported = share


def page(named: Named, questions: Questions, done: Predicted, output: Path, notes: list[str]) -> str:
    """What a person reads of a prediction."""
    lines = [
        f"# Predictions of {named}",
        "",
        "| | |",
        "|---|---|",
        f"| input | {_cell(str(questions.where))} |",
        f"| output | {_cell(str(output))} |",
        f"| rows | {done.rows:,} |",
        f"| without a prediction | {done.failed:,} |",
    ]
    lines += [f"| predicted by earlier runs | {done.kept:,} |"] if done.kept else []
    labels = [(name, count) for name, count in done.summary.items() if isinstance(count, int)]
    ranges = [(name, range_) for name, range_ in done.summary.items() if not isinstance(range_, int)]
    if labels:
        answered = done.rows - done.failed
        lines += ["", "| label | rows | share |", "|---|---:|---:|"]
        lines += [f"| {_cell(label)} | {count:,} | {count / answered:.1%} |" for label, count in labels[:LINES]]
        lines += [f"| {len(labels) - LINES:,} more labels | | |"] if len(labels) > LINES else []
    if ranges:
        lines += ["", "| | mean | least | most |", "|---|---:|---:|---:|"]
    for name, range_ in ranges:
        lines.append(f"| {_cell(name)} | {range_['mean']:.6g} | {range_['min']:.6g} | {range_['max']:.6g} |")
    return "\n".join([*lines, "", *map(_cell, notes)])


def _cell(text: str) -> str:
    return markdown(text)
