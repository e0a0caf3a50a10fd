"""temper inspect: one row as the model sees it, its true class, and the probabilities as a bar chart."""

import shlex
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from configs.added_rows import MADE_BY
from tasks.kinds.spec import open_kind

from ..row_inspection import Looked, choose_row, draw_row, look_at_row, open_viewer, require_cached
from ..row_trace import encoded_facts
from .arguments import AsJson, RecipeFile
from .console import Console, print_json, print_line
from .failures import failures
from .token_colours import colour_pieces

if TYPE_CHECKING:
    from configs.kinds import Encode
    from tasks.artifact import Artifact
    from tasks.learn.pictures import Answer
    from tasks.learn.row_answers import RowAnswer


BAR = 30
"""Length of a bar for probability 1, in characters."""


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

    Of several labels each one has a bar, of entities those that the text has and those that are found, of two replies
    both, with how likely each is preferred.

    Inspects cached results alone and runs nothing: `temper run RECIPE` comes first. Rows of every part can be shown.
    The picture lies in inspected/ below TEMPER_HOME; `temper trace RECIPE ROW` shows the row's whole way.
    """
    from configs.load import RecipeError, load_recipe

    with failures():
        row, overrides = _sort_out(rest or [])
        loaded = load_recipe(recipe, overrides)
        _require_bars(recipe, loaded.encode)
        if row is not None and (wrong or seed is not None):
            raise RecipeError(f"{'--wrong' if wrong else '--seed'} draws a row at random; leave it out, or {row!r}")
        if out is not None and out.suffix.lower() != ".png":
            raise RecipeError(f"--out {out}: the picture is a PNG; give a name that ends in .png")
        again = shlex.join(["temper", "run", str(recipe), *overrides])
        stages = require_cached(loaded, "evaluate" if wrong else "train", again)
        looked = look_at_row(stages, choose_row(stages, row, wrong, seed))
        picture = draw_row(looked, out, loaded.name)

    if as_json:
        print_json(looked.document(picture))
    else:
        _show(looked, stages["encode"], picture)
    if view and (problem := open_viewer(picture)):
        print_line(f"{problem}; the picture is {picture}")


def _require_bars(recipe: Path, encode: "Encode") -> None:
    """Raise RecipeError where there is nothing to draw bars for."""
    from configs.load import RecipeError

    if not encode.traits.classes and not open_kind(encode.kind).inspected:
        raise RecipeError(
            f"{recipe}: encode.kind {encode.kind} has no classes to draw bars for; `temper "
            "trace` shows a row with what the model generated"
        )


def _sort_out(words: list[str]) -> tuple[str | None, list[str]]:
    """The row, if the first word is none of a change of the recipe, and the changes."""
    from configs.schema import Recipe

    sections = {field.name for field in fields(Recipe)}
    changes = bool(words) and "=" in words[0] and words[0].partition("=")[0].partition(".")[0] in sections
    return (None, words) if changes or not words else (words[0], words[1:])


def _show(looked: Looked, encoded: "Artifact", picture: Path) -> None:
    from tasks.learn.row_answers import RowAnswer

    console, answer = Console(), looked.answer
    raw = looked.row.raw
    named = [str(raw["file"])] if "file" in raw else [f"labelled by {raw[MADE_BY]}"] if MADE_BY in raw else []
    about = [looked.row.id, looked.row.state, *named]
    console.print(Text(f"row {looked.number:,}  {'  '.join(about)}", "bold"))
    if isinstance(answer.seen, str):
        facts = encoded_facts(encoded, looked.row)
        console.print(colour_pieces(facts["tokens"], facts["labels"], width=console.width))
    if isinstance(answer, RowAnswer):
        _show_parts(console, answer)
    else:
        _show_classes(console, answer, looked.labels)
    console.print(f"picture: {picture}", soft_wrap=True)


def _show_parts(console: Console, answer: "RowAnswer") -> None:
    """Each part of an answer with its bar: in green what is true, in red what is only predicted."""
    for title, parts in (("true     ", answer.true), ("predicted", answer.predicted)):
        style = "bold" if title == "true     " else "good" if answer.right else "bad"
        console.print(Text(f"{title}  ") + Text(", ".join(parts) or "none", style))
    wide = min(max((Text(bar.name).cell_len for bar in answer.bars), default=0), console.width // 2)
    for bar in answer.bars:
        name = Text(bar.name.replace("\n", " "))
        name.truncate(wide, overflow="ellipsis", pad=True)
        console.print(_bar(name, bar.probability, "good" if bar.true else "bad" if bar.predicted else ""))
    if answer.left:
        console.print(f"  and {answer.left:,} others, neither true nor predicted")


def _bar(name: Text, probability: float | None, style: str) -> Text:
    """A line with a name that is padded, its probability, and a bar of it."""
    shown = "missed" if probability is None else f"{probability:.4f}"
    return Text("  ") + name + Text(f"  {shown}  ") + Text("█" * round((probability or 0) * BAR), style)


def _show_classes(console: Console, answer: "Answer", labels: tuple[str, ...]) -> None:
    right = answer.predicted == answer.truth
    console.print(Text("true       ") + Text(labels[answer.truth], "bold"))
    console.print(Text("predicted  ") + Text(labels[answer.predicted], "good" if right else "bad"))
    wide = max(Text(labels[label_id]).cell_len for label_id in answer.bars())
    for label_id in answer.bars():
        style = "good" if label_id == answer.truth else "bad" if label_id == answer.predicted else ""
        name = Text(labels[label_id])
        name.pad_right(wide - name.cell_len)
        console.print(_bar(name, float(answer.probabilities[label_id]), style))
    if others := len(labels) - len(answer.bars()):
        console.print(f"  and {others:,} less likely classes")
