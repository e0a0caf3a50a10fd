"""temper trace: one row's whole way, from the source to the model's prediction."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tasks.store.events import listeners

from ..raw_row import find_row, shortened
from ..row_trace import follow
from ..stage_graph import perform_until
from .arguments import AsJson, Overrides, RecipeFile
from .console import Console, print_json
from .failures import failures
from .progress import ProgressDisplay
from .token_colours import colour_pieces

if TYPE_CHECKING:
    from ..trace_document import Answer, Cleaned, Encoded, End, Way


def command(
    recipe: RecipeFile,
    row: Annotated[
        str, typer.Argument(metavar="ROW", help="Number in the source (from 1), id, text, file, or part of one.")
    ],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Show one row's way: raw, expectations it breaks, cleaned, split, tokens and labels, prediction.

    A row is named as in `temper trace RECIPE 17`, `… 53a59d7012faa6fc-0` or `… "thanks for the"`; `--` goes before one
    that begins with a dash. Where several rows fit they are listed, with their ids, and the exit code is 2.

    Runs the stages up to `encode` where they are not cached. The prediction is shown where a model is trained already;
    nothing is trained for it.
    """
    from configs.load import load_recipe

    with failures():
        loaded = load_recipe(recipe, overrides or [])
        from tasks.data.rows import read_rows

        with ProgressDisplay("reading") as display, listeners(display.show):
            stages = {name: outcome.result for name, outcome in perform_until(loaded, "encode").items()}
        at = find_row(read_rows(stages["download"].file("rows.parquet")), row)
        way = follow(loaded, stages, at)

    print_json(way) if as_json else _show(way)


def _show(way: "Way") -> None:
    console = Console()

    def say(stage: str, *lines: "str | Text") -> None:
        for number, line in enumerate(lines):
            console.fact(Text(f"{'' if number else stage:<10} ", "name"), line)

    console.print(Text(f"row {way['number']:,}  {way['id']}", "bold"))
    say("raw", *([way["source"]] if way["source"] else []), *(f"{k}: {shortened(v)}" for k, v in way["raw"].items()))
    if "validate" in way:
        kinds = (("quarantined", way["validate"]["quarantined"]), ("warned", way["validate"]["warned"]))
        broken = [f"{kind}: {', '.join(checks)}" for kind, checks in kinds if checks]
        say("validate", *(broken or ["holds all"]))
    if "clean" in way:
        say("clean", *_clean_lines(way["clean"], way["end"]))
    if "split" in way:
        copies = [
            f"near-copy ({copy['similarity']:.2f}) of {copy['id']} in {copy['part']}: {shortened(copy['content'])}"
            for copy in way["split"]["near-copy of"]
        ]
        say("split", f"{way['split']['part']}: {way['split']['because of']}", *copies)
    if "encode" in way:
        say("encode", *_encode_lines(way["encode"], console.width - 11))
        answer = way["answer"]
        say("prediction", *_answer_lines(answer))
    end = way["end"]
    say("end", f"dropped in {end['stage']}: {end['reason']}" if "reason" in end else end["state"])


def _answer_lines(answer: "Answer") -> list[str]:
    if "written" in answer:
        return [shortened(turn) for turn in answer["written"]] + [answer["from"]]
    if "told" in answer:
        return [*(f"{name}: {shortened(value)}" for name, value in answer["told"].items()), f"from {answer['from']}"]
    if answer:
        return [f"{answer['predicted']} with p {answer['p']:.4f}, from {answer['from']}"]
    return ["the model is not trained yet"]


def _clean_lines(facts: "Cleaned", end: "End") -> list[str]:
    texts = [facts["text"], *([facts["text_pair"]] if "text_pair" in facts else [])]
    first = f"text: {', '.join(map(shortened, texts))}" if facts["changed"] else "unchanged"
    lines = [end["reason"], first] if end.get("stage") == "clean" else [first]
    lines += [f"repeats or contradicts {other['id']}: {shortened(other['content'])}" for other in facts["repeats"]]
    return lines + ([f"listed by {', '.join(facts['listed by'])}"] if facts["listed by"] else [])


def _encode_lines(facts: "Encoded", width: int) -> "list[str | Text]":
    if "pixels" in facts:
        return [f"{facts['pixels']}  → {facts['class']}"]
    count = f"{len(facts['ids'])} tokens, {facts['cut']} cut" if facts["cut"] else f"{len(facts['ids'])} tokens"
    lines = colour_pieces(facts["tokens"], facts["labels"], width=width, by_turn=facts["by_turn"]).split("\n")
    if facts["class"]:
        lines.append(Text(f"→ {facts['class']}", "bold"))
    return [*lines, count]
