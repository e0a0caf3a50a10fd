"""temper inspect: one row as the model sees it, its true class, and the probabilities as a bar chart."""

import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .arguments import AsJson, RecipeFile
from .failures import failures

if TYPE_CHECKING:
    from configs.schema import Recipe
    from tasks.artifact import Artifact
    from tasks.learn.pictures import Answer

    from ..row_trace import Row

SEEDS = 10_000
"""Seeds that are drawn from where none is given."""
BAR = 30
"""Length of a bar for probability 1, in characters."""
PATIENCE = 3.0
"""Seconds in which a viewer that fails has failed."""


@dataclass(frozen=True)
class Looked:
    """A row, its number in the source (from 1), the part that it is in, and the model's answer."""

    row: "Row"
    number: int
    answer: "Answer"
    labels: tuple[str, ...]

    def document(self, picture: Path) -> dict[str, Any]:
        """The JSON document."""
        answer = self.answer
        return {
            "id": self.row.id,
            "number": self.number,
            "file": self.row.raw.get("file"),
            "part": self.row.state,
            "true": self.labels[answer.truth],
            "predicted": self.labels[answer.found],
            "probabilities": dict(zip(self.labels, answer.probabilities.tolist(), strict=True)),
            "picture": str(picture),
        }


def command(
    recipe: RecipeFile,
    rest: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ROW] [KEY=VALUE]...",
            help="Number in the source (from 1), id, text, file, or part of these two; a random test row when absent. "
            "Then changes, as section.key=value.",
        ),
    ] = None,
    wrong: Annotated[bool, typer.Option("--wrong", help="Without ROW: a random mistake on the test rows.")] = False,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Draws the random row; else a new one each time.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the picture (PNG) here instead of below TEMPER_HOME.")
    ] = None,
    view: Annotated[bool, typer.Option("--open", help="Show the picture in the system's viewer.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the trained model makes of one row: image or text, true class, probability of each class.

    Looks at cached results alone and runs nothing: `temper run RECIPE` comes first. Rows of every part can be shown.
    The picture lies in inspected/ below TEMPER_HOME; `temper trace RECIPE ROW` shows the row's whole way.
    """
    from configs.encodings import CLASSES
    from configs.load import RecipeError, load_recipe

    with failures():
        row, overrides = _sort_out(rest or [])
        loaded = load_recipe(recipe, overrides)
        if loaded.encode.kind not in CLASSES:
            raise RecipeError(f"{recipe}: encode.kind {loaded.encode.kind} has no classes to draw bars for; `temper "
                              "trace` shows a row with what the model wrote")  # fmt: skip
        if row is not None and (wrong or seed is not None):
            raise RecipeError(f"{'--wrong' if wrong else '--seed'} draws a row at random; leave it out, or {row!r}")
        if out is not None and out.suffix.lower() != ".png":
            raise RecipeError(f"--out {out}: the picture is a PNG; give a name that ends in .png")
        again = shlex.join(["temper", "run", str(recipe), *overrides])
        stages = _cached(loaded, "evaluate" if wrong else "train", again)
        looked = _look(stages, _choose(stages, row, wrong, seed))
        picture = _draw(looked, out, loaded.name)
    from .console import print_json

    if as_json:
        print_json(looked.document(picture))
    else:
        _show(looked, stages["encode"], picture)
    if view and (problem := open_viewer(picture)):
        print(f"{problem}; the picture is {picture}", file=sys.stderr)


def _sort_out(words: list[str]) -> tuple[str | None, list[str]]:
    """The row, if the first word is none of a change of the recipe, and the changes."""
    from dataclasses import fields

    from configs.schema import Recipe

    sections = {field.name for field in fields(Recipe)}
    changes = bool(words) and "=" in words[0] and words[0].partition("=")[0].partition(".")[0] in sections
    return (None, words) if changes or not words else (words[0], words[1:])


def _cached(recipe: "Recipe", needed: str, again: str) -> "dict[str, Artifact]":
    """The artifacts that are there, by stage. Raises StageError, naming the command, where the needed one is not."""
    from tasks.artifact import StageError

    from .plan import plan

    lines, _, cached = plan(recipe, ask=False)
    if needed not in cached:
        first = next(line for line in lines if line["stage"] not in cached)
        why = f" ({first['changed'][0]})" if first["changed"] else ""
        raise StageError(f"{first['stage']} is not cached for this recipe{why}; `{again}` comes first")
    return cached


def _choose(stages: "dict[str, Artifact]", row: str | None, wrong: bool, seed: int | None) -> int:
    """Position (from 0) in the source of the row that is asked for. Raises RecipeError, DataError."""
    import secrets

    import numpy as np
    import pandas as pd

    from tasks.data.errors import DataError
    from tasks.data.ledger import read_ledger
    from tasks.data.rows import read_rows

    from .trace import find_row

    if row is not None:
        return find_row(read_rows(stages["download"].file("rows.parquet")), row)
    ledger = read_ledger(stages["encode"].file("ledger.parquet"))
    open_to = ledger["state"] == "test"
    if wrong:
        answers = pd.read_parquet(stages["evaluate"].file("predictions.parquet"), columns=["id", "label", "predicted"])
        open_to = ledger["id"].isin(answers["id"][answers["label"] != answers["predicted"]])
    places = np.flatnonzero(open_to)
    if not len(places):
        raise DataError("the model makes no mistake on the test rows" if wrong else "no row is in the test part")
    drawn = secrets.randbelow(SEEDS) if seed is None else seed
    print(f"one of {len(places):,} {'mistakes' if wrong else 'test rows'}, drawn with --seed {drawn}", file=sys.stderr)
    return int(np.random.default_rng(drawn).choice(places))


def _look(stages: "dict[str, Artifact]", at: int) -> Looked:
    """Score the raw row at a position. Raises DataError for one that was dropped."""
    from tasks.data.errors import DataError
    from tasks.data.rows import read_rows
    from tasks.kinds.score import as_seen, score_row
    from tasks.learn.pictures import Answer

    from ..row_prediction import IMAGES
    from ..row_trace import row_at

    row = row_at(stages, at)
    if row.state == "dropped":
        raise DataError(
            f"row {at + 1} ({row.id}) was dropped in {row.stage}: {row.reason}; the model never met it, and "
            f"`temper trace` shows its way"
        )
    rows = read_rows(stages["split"].file(f"{row.state}.parquet"))
    here = rows[rows["id"] == row.id]
    folder = stages["train"].file("config.json").parent
    domain, content, probabilities = score_row(folder, here, stages["split"].file(IMAGES))
    truth = domain.labels.index(str(here["label"].iloc[0]))
    return Looked(row, at + 1, Answer(row.id, as_seen(domain, content), truth, probabilities), domain.labels)


def _draw(looked: Looked, out: Path | None, name: str) -> Path:
    from configs.settings import settings
    from tasks.learn.pictures import draw_answers

    if out is None:
        out = settings().home.absolute() / "inspected" / f"{name}-{looked.row.id}.png"
        out.parent.mkdir(parents=True, exist_ok=True)
    draw_answers([looked.answer], looked.labels, out)
    return out.absolute()


def _show(looked: Looked, encoded: "Artifact", picture: Path) -> None:
    from rich.text import Text

    from ..row_trace import encoded_facts
    from .console import Console
    from .mask import colour_pieces

    console, answer, labels = Console(), looked.answer, looked.labels
    about = [looked.row.id, looked.row.state, *([looked.row.raw["file"]] if "file" in looked.row.raw else [])]
    console.print(Text(f"row {looked.number:,}  {'  '.join(about)}", "bold"))
    if isinstance(answer.seen, str):
        facts = encoded_facts(encoded, looked.row)
        console.print(colour_pieces(facts["tokens"], facts["labels"]))
    right = answer.found == answer.truth
    console.print(Text("true       ") + Text(labels[answer.truth], "bold"))
    console.print(Text("predicted  ") + Text(labels[answer.found], "bold green" if right else "bold red"))
    wide = max(Text(labels[one]).cell_len for one in answer.bars())
    for one in answer.bars():
        p, colour = answer.probabilities[one], "green" if one == answer.truth else "red" if one == answer.found else ""
        name = Text(labels[one])
        name.pad_right(wide - name.cell_len)
        console.print(Text("  ") + name + Text(f"  {p:.4f}  ") + Text("█" * round(p * BAR), colour))
    if others := len(labels) - len(answer.bars()):
        console.print(f"  and {others:,} less likely classes")
    console.print(f"picture: {picture}", soft_wrap=True)


def open_viewer(path: Path) -> str:
    """Show a file in the system's viewer; why that failed, or nothing."""
    program = {"darwin": "open", "win32": "explorer"}.get(sys.platform, "xdg-open")
    if (found := shutil.which(program)) is None:
        return f"no viewer: {program} is not installed"
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        viewer = subprocess.Popen([found, str(path)], stdout=said, stderr=said, start_new_session=True)
        try:
            code = viewer.wait(PATIENCE)
        except subprocess.TimeoutExpired:  # it is open, and stays so
            return ""
        said.seek(0)
        why = said.readline().strip() or f"exit code {code}"
    return f"{program} failed: {why}" if code and program != "explorer" else ""  # which always returns 1
