"""temper trace: one row's whole way, from the source to the model's answer."""

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .arguments import AsJson, Overrides, RecipeFile
from .failures import failures

if TYPE_CHECKING:
    import pandas as pd
    from rich.text import Text

SHOWN = 8
"""Rows listed where a text fits several."""
WIDTH = 300
"""Characters of a text that are shown."""
SEARCHED = 20_000
"""Up to so many rows are searched for the nearest text where none fits."""


def command(
    recipe: RecipeFile,
    row: Annotated[
        str, typer.Argument(metavar="ROW", help="Number in the source (from 1), id, text, file, or part of one.")
    ],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Show one row's way: raw, expectations it breaks, cleaned, split, tokens and labels, the model's answer.

    A row is named as in `temper trace RECIPE 17`, `… 53a59d7012faa6fc-0` or `… "thanks for the"`; `--` goes before one
    that begins with a dash. Where several rows fit they are listed, with their ids, and the exit code is 2.

    Runs the stages up to `encode` where they are not cached. The answer is shown where the model is trained already;
    nothing is trained for it.
    """
    from configs.load import load_recipe

    with failures():
        loaded = load_recipe(recipe, overrides or [])
        from tasks.data.rows import read_rows
        from tasks.store.events import heard_by

        from ..row_trace import follow
        from ..stage_graph import perform_until
        from .progress import Teller

        with Teller("reading") as teller, heard_by(teller.hear):
            stages = {name: outcome.result for name, outcome in perform_until(loaded, "encode").items()}
        at = find_row(read_rows(stages["download"].file("rows.parquet")), row)
        way = follow(loaded, stages, at)
    from .console import print_json

    print_json(way) if as_json else _show(way)


def find_row(raw: "pd.DataFrame", wanted: str) -> int:
    """Position of the row of this number (from 1), id, text, unique part of a text, or unique beginning of an id.

    Raises RecipeError.
    """
    from configs.load import RecipeError

    from ..row_trace import said

    if wanted.isascii() and wanted.isdecimal() and 1 <= int(wanted) <= len(raw):
        return int(wanted) - 1
    contents = said(raw)
    for fits in _looks(raw["id"], contents, wanted):
        found = fits.to_numpy(dtype=bool).nonzero()[0]
        if len(found) == 1:
            return int(found[0])
        if len(found) > 1:
            listed = "".join(f"\n  {raw['id'].iloc[at]}  {_short(str(contents.iloc[at]), 80)}" for at in found[:SHOWN])
            more = f"\n  … and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
            raise RecipeError(f"{len(found):,} rows fit {_short(wanted)}; give an id or a number:{listed}{more}")
    raise RecipeError(f"no row has the number, id or text {_short(wanted)}; {_hint(raw['id'], contents, wanted)}")


def _looks(ids: "pd.Series", contents: "pd.Series", wanted: str) -> "Iterator[pd.Series]":
    """Which rows fit, the closest kind of fit first."""
    yield ids == wanted
    yield contents == wanted
    if wanted.strip() and not wanted.isdecimal():  # a number out of range is a slip, not a part of a text
        yield contents.str.contains(wanted, regex=False, na=False)
        yield ids.str.startswith(wanted)


def _hint(ids: "pd.Series", contents: "pd.Series", wanted: str) -> str:
    numbers = f"rows are numbered from 1 to {len(ids):,}"
    if wanted.isdecimal() or not wanted.strip() or len(ids) > SEARCHED:
        return numbers
    near = difflib.get_close_matches(wanted, [*ids, *contents.dropna()], 1, 0.5)
    return f"did you mean {near[0][:100]!r}?" if near else numbers


def _show(way: dict[str, Any]) -> None:
    from rich.text import Text

    from .console import Console

    console = Console()

    def say(stage: str, *lines: "str | Text") -> None:
        for number, line in enumerate(lines):
            named = Text(f"{'' if number else stage:<9} ", "bold cyan")
            console.print(named + (line if isinstance(line, Text) else Text(line)))

    console.print(Text(f"row {way['number']:,}  {way['id']}", "bold"))
    say("raw", *([way["source"]] if way["source"] else []), *(f"{k}: {_short(v)}" for k, v in way["raw"].items()))
    if "validate" in way:
        broken = [f"{kind}: {', '.join(found)}" for kind, found in way["validate"].items() if found]
        say("validate", *(broken or ["holds all"]))
    if "clean" in way:
        say("clean", *_clean_lines(way["clean"], way["end"]))
    if "split" in way:
        copies = [f"near-copy ({copy['similarity']:.2f}) of {copy['id']} in {copy['part']}: {_short(copy['content'])}"
                  for copy in way["split"]["near-copy of"]]  # fmt: skip
        say("split", f"{way['split']['part']}: {way['split']['because of']}", *copies)
    if "encode" in way:
        say("encode", *_encode_lines(way["encode"]))
        answer = way["answer"]
        say("answer", *_answer_lines(answer))
    end = way["end"]
    say("end", f"dropped in {end['stage']}: {end['reason']}" if "reason" in end else end["state"])


def _answer_lines(answer: dict[str, Any]) -> list[str]:
    if "written" in answer:
        return [_short(one) for one in answer["written"]] + [answer["from"]]
    if "told" in answer:
        return [*(f"{name}: {_short(value)}" for name, value in answer["told"].items()), f"from {answer['from']}"]
    if answer:
        return [f"{answer['predicted']} with p {answer['p']:.4f}, from {answer['from']}"]
    return ["the model is not trained yet"]


def _short(value: Any, width: int = WIDTH) -> str:
    """A text in quotes, so that blanks and control characters show."""
    return repr(value if len(value) <= width else value[:width] + "…") if isinstance(value, str) else str(value)


def _clean_lines(facts: dict[str, Any], end: dict[str, Any]) -> list[str]:
    first = f"text: {_short(facts['text'])}" if facts["changed"] else "unchanged"
    lines = [end["reason"], first] if end.get("stage") == "clean" else [first]
    lines += [f"repeats or contradicts {other['id']}: {_short(other['content'])}" for other in facts["repeats"]]
    return lines + ([f"listed by {', '.join(facts['listed by'])}"] if facts["listed by"] else [])


def _encode_lines(facts: dict[str, Any]) -> "list[str | Text]":
    from rich.text import Text

    from .mask import colour_pieces

    if "pixels" in facts:
        return [f"{facts['pixels']}  → {facts['class']}"]
    count = f"{len(facts['ids'])} tokens, {facts['cut']} cut" if facts["cut"] else f"{len(facts['ids'])} tokens"
    pieces = colour_pieces(facts["tokens"], facts["labels"], by_turn=facts["dialogue"])
    return [pieces + Text(f"  → {facts['class']}" if facts["class"] else "", "bold"), count]
