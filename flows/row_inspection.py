"""One row, scored by the trained model: its true class, the probability of each class, and a picture of both."""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from configs.added_rows import MADE_BY

from .plan import plan
from .raw_row import IMAGES, Row, find_row, row_at

if TYPE_CHECKING:
    from configs.schema import Recipe
    from tasks.artifact import Artifact
    from tasks.learn.pictures import Answer
    from tasks.learn.row_answers import RowAnswer


SEEDS = 10_000
"""Seeds that are drawn from where none is given."""
PATIENCE = 3.0
"""Seconds in which a viewer that fails has failed."""


@dataclass(frozen=True)
class Looked:
    """A row, its number in the source (from 1), the part that it is in, and the model's prediction; the labels of a
    model that predicts one of them, none of other models."""

    row: Row
    number: int
    answer: "Answer | RowAnswer"
    labels: tuple[str, ...]

    def document(self, picture: Path) -> dict[str, object]:
        """The JSON document."""
        about = {"id": self.row.id, "number": self.number, "file": self.row.raw.get("file"), "part": self.row.state}
        made_by = {MADE_BY: self.row.raw[MADE_BY]} if MADE_BY in self.row.raw else {}
        return {**about, **made_by, **self._answer(), "picture": str(picture)}

    def _answer(self) -> dict[str, object]:
        from tasks.learn.row_answers import RowAnswer

        answer = self.answer
        if isinstance(answer, RowAnswer):
            return answer.document()
        return {
            "true": self.labels[answer.truth],
            "predicted": self.labels[answer.predicted],
            "probabilities": dict(zip(self.labels, answer.probabilities.tolist(), strict=True)),
        }


def require_cached(recipe: "Recipe", needed: str, again: str) -> "dict[str, Artifact]":
    """The artifacts that are there, by stage. Raises StageError, naming the command, where the needed one is not."""
    from tasks.artifact import StageError
    from tasks.store.changes import in_words

    lines, _, cached = plan(recipe, ask=False)
    if needed not in cached:
        first = next(line for line in lines if line["stage"] not in cached)
        why = f" ({in_words(first['changed'][0], first['stage'])})" if first["changed"] else ""
        raise StageError(f"{first['stage']} is not cached for this recipe{why}; `{again}` comes first")
    return cached


def choose_row(stages: "dict[str, Artifact]", row: str | None, wrong: bool, seed: int | None) -> int:
    """Position (from 0) in the source of the row that is asked for. Raises RecipeError, DataError."""
    import secrets

    import numpy as np
    import pandas as pd

    from tasks.data.errors import DataError
    from tasks.data.escape import terminal
    from tasks.data.ledger import read_ledger
    from tasks.data.rows import read_rows
    from tasks.kinds.inspector import open_inspector
    from tasks.kinds.spec import kind_in, open_kind

    if row is not None:
        return find_row(read_rows(stages["download"].file("rows.parquet")), row)
    ledger = read_ledger(stages["encode"].file("ledger.parquet"))
    open_to = ledger["state"] == "test"
    if wrong:
        path = stages["evaluate"].file("predictions.parquet")
        kind = kind_in(stages["encode"].file("encoding.json").parent)
        if open_kind(kind).inspected:
            answers = pd.read_parquet(path)
            mistakes = open_inspector(kind).mistakes(answers)
        else:
            answers = pd.read_parquet(path, columns=["id", "label", "predicted"])
            mistakes = (answers["label"] != answers["predicted"]).to_numpy()
        open_to = ledger["id"].isin(answers["id"][mistakes])
    places = np.flatnonzero(open_to)
    if not len(places):
        raise DataError("the model makes no mistake on the test rows" if wrong else "no row is in the test part")
    drawn = secrets.randbelow(SEEDS) if seed is None else seed
    line = f"one of {len(places):,} {'mistakes' if wrong else 'test rows'}, drawn with --seed {drawn}"
    print(terminal(line), file=sys.stderr)
    return int(np.random.default_rng(drawn).choice(places))


def look_at_row(stages: "dict[str, Artifact]", at: int) -> Looked:
    """Score the raw row at a position. Raises DataError for one that was dropped."""
    from tasks.data.errors import DataError
    from tasks.data.rows import read_rows
    from tasks.kinds.inspector import open_inspector
    from tasks.kinds.spec import kind_in, open_class_reporter, open_kind
    from tasks.learn.pictures import Answer

    row = row_at(stages, at)
    if row.state == "dropped":
        raise DataError(
            f"row {at + 1} ({row.id}) was dropped in {row.stage}: {row.reason}; the model never met it, and "
            f"`temper trace` shows its way"
        )
    rows = read_rows(stages["split"].file(f"{row.state}.parquet"))
    here = rows[rows["id"] == row.id]
    folder = stages["train"].file("config.json").parent
    kind = kind_in(folder)
    if open_kind(kind).inspected:
        return Looked(row, at + 1, open_inspector(kind).answer_row(folder, here), ())
    scored = open_class_reporter(folder).score_row(folder, here, stages["split"].file(IMAGES))
    truth = scored.labels.index(str(here["label"].iloc[0]))
    return Looked(row, at + 1, Answer(row.id, scored.seen, truth, scored.probabilities), scored.labels)


def draw_row(looked: Looked, out: Path | None, name: str) -> Path:
    """Write the picture, without `out` below TEMPER_HOME; where it lies."""
    from configs.settings import settings
    from tasks.learn.pictures import draw_answers
    from tasks.learn.row_answers import RowAnswer
    from tasks.learn.row_pictures import draw_row_answer

    if out is None:
        out = settings().home.absolute() / "inspected" / f"{name}-{looked.row.id}.png"
        out.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(looked.answer, RowAnswer):
        draw_row_answer(looked.answer, looked.row.id, out)
    else:
        draw_answers([looked.answer], looked.labels, out)
    return out.absolute()


def open_viewer(path: Path) -> str:
    """Show a file in the system's viewer; why that failed, or nothing."""
    program = {"darwin": "open", "win32": "explorer"}.get(sys.platform, "xdg-open")
    if (program_path := shutil.which(program)) is None:
        return f"no viewer: {program} is not installed"
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        viewer = subprocess.Popen([program_path, str(path)], stdout=errors, stderr=errors, start_new_session=True)
        try:
            code = viewer.wait(PATIENCE)
        except subprocess.TimeoutExpired:  # it is open, and stays so
            return ""
        errors.seek(0)
        why = errors.readline().strip() or f"exit code {code}"
    return f"{program} failed: {why}" if code and program != "explorer" else ""  # which always returns 1
