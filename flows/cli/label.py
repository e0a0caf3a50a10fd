"""temper label: texts that have no label, labelled by registered models, for a recipe to train on too."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from configs.environment import quiet_prefect
from tasks.data.errors import DataError
from tasks.data.escape import terminal
from tasks.store.events import listeners

from ..services.temporary_server import prefect_api
from .arguments import AsJson, Overrides, RecipeFile
from .console import Console, print_json
from .failures import failures
from .progress import ProgressDisplay, where_to_look
from .reading_options import Encoding, Format, Header, Member, Separator, fixes_as_options, given_reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from configs.pseudo_labels import PseudoLabels
    from configs.schema import Recipe
    from tasks.kinds.pseudo_labelling import Labelled

    from ..pseudo_labels import Written

OPTIONS = {"text": "--column", "text_pair": "--pair", "label": "--truth"}
OPTION = re.compile(r"`columns\.(text_pair|text|label)`")
"""Keys of the columns that are options here."""
Rows = Annotated[
    Path, typer.Option("--rows", metavar="FILE", help="The texts: a CSV, TSV, JSONL, Parquet or Arrow file.")
]
Teachers = Annotated[
    list[str],
    typer.Option("--teacher", metavar="MODEL", help="NAME (its champion), NAME@alias or NAME/version; repeatable."),
]
Confidence = Annotated[
    list[str] | None,
    typer.Option(
        "--confidence",
        metavar="P|LABEL=P",
        help="The least probability of a label that is taken, of all labels or of one; repeatable; default 0.9.",
    ),
]
Truth = Annotated[
    str | None, typer.Option("--truth", help="Column with the true label, where it is known: it measures precision.")
]
Agree = Annotated[bool, typer.Option("--agree", help="Take a label only where every teacher names it.")]
Balance = Annotated[bool, typer.Option("--balance", help="Take as many rows of each label, the most probable first.")]


def command(
    recipe: RecipeFile,
    rows: Rows,
    teacher: Teachers,
    changes: Overrides = None,
    confidence: Confidence = None,
    agree: Agree = False,
    balance: Balance = False,
    truth: Truth = None,
    column: Annotated[str | None, typer.Option(help="Column of texts; default the recipe's own.")] = None,
    pair: Annotated[str | None, typer.Option(help="Column of second texts; default the recipe's own.")] = None,
    form: Format = None,
    encoding: Encoding = None,
    header: Header = None,
    separator: Separator = None,
    member: Member = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write `download.extra` into the recipe.")] = False,
    as_json: AsJson = False,
) -> None:
    """Label texts that have no label by registered models, for a recipe to train on (pseudo-labels).

    `temper label my.yaml --rows more.csv --teacher my-model --confidence 0.95 --apply`

    Texts that repeat or nearly copy a row of the recipe's validation or test part are left out before a model sees
    them, and so are those that the recipe has already. Of the rest those are taken whose likeliest label, by the mean
    of the teachers' probabilities, is probable enough. A teacher that was trained on rows which the recipe holds out is
    refused.

    The rows are an artifact, which the recipe names: `download.extra: [{kind: pseudo_labels, artifact: DIGEST}]`. They
    are added for training alone; validation and test rows stay as they are.
    """
    with failures():
        from configs.load import load_recipe

        loaded = load_recipe(recipe, changes or [])
        _check(rows, changes or [], apply=apply)
        from ..unlabelled_rows import confidences, pseudo_labels_of

        least = confidences(confidence or [])
        reading = given_reading(format=form, encoding=encoding, header=header, separator=separator, member=member)
        asked = {"column": column, "pair": pair, "truth": truth, "agree": agree, "balance": balance, "reading": reading}
        written = _run(loaded, lambda: pseudo_labels_of(loaded, rows, teacher, least, asked))
        if as_json:
            print_json(dict(written))
        else:
            _show(written, applied=apply)
        if apply:
            from ..pseudo_labels import apply as write

            typer.echo(terminal(write(recipe, loaded, written)), err=as_json)


def _check(rows: Path, changes: list[str], *, apply: bool) -> None:
    """Raise RecipeError for a file that is not there, and for rows that would not be the recipe's own."""
    from configs.load import RecipeError
    from configs.stages import WITH_ROWS

    if not rows.is_file():
        raise RecipeError(f"--rows {rows}: no such file")
    if apply and (odd := [change for change in changes if change.partition(".")[0].partition("=")[0] in WITH_ROWS[:4]]):
        raise RecipeError(f"--apply writes into the file, whose rows {odd[0]} changes; write that into it first")


def _run(recipe: "Recipe", section: "Callable[[], PseudoLabels]") -> "Written":
    """What was labelled; section: which versions the teachers are is asked once MLflow is up."""
    quiet_prefect()
    with ProgressDisplay() as display, listeners(display.show), prefect_api("Prefect", "MLflow"):
        from ..pseudo_labels import pseudo_label

        try:
            with fixes_as_options():
                return pseudo_label(recipe, section())
        except DataError as error:
            raise DataError(OPTION.sub(lambda key: f"`{OPTIONS[key[1]]}`", str(error))) from None


def _show(written: "Written", *, applied: bool) -> None:
    out, counts = Console(), written["report"]
    out.print()
    out.print(_table(counts))
    out.print()
    for reason, count in counts["left_out"].items():
        out.print(f"left out: {count:,} {reason}")
    if (known := counts["precision"]) is not None:
        interval = f"[{known['low']:.3f}, {known['high']:.3f}]"
        out.prose(Text(f"{known['right']:,} of {known['known']:,} are right: {known['share']:.3f} {interval}", "bold"))
    out.prose(Text(f"{counts['taken']:,} of {counts['rows']:,} rows are labelled", "bold"))
    if not applied:
        out.print("download:", soft_wrap=True)
        out.print(Text(f"  extra: [{{kind: pseudo_labels, artifact: {written['artifact']}}}]"), soft_wrap=True)
    for line in where_to_look({}):
        out.print(line, soft_wrap=True)


def _table(counts: "Labelled") -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("label", overflow="fold")
    table.add_column("rows", justify="right")
    known = counts["precision"] is not None
    if known:
        table.add_column("right", justify="right")
        table.add_column("95% interval", justify="right")
    for label, count in counts["labels"].items():
        right = count["precision"]
        cells = [f"{right['share']:.3f}", f"{right['low']:.3f} – {right['high']:.3f}"] if right else ["", ""]
        table.add_row(Text(label), f"{count['taken']:,}", *(cells if known else []))
    return table
