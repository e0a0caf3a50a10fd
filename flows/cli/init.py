"""temper init: a table, images, an address or a data set comes in, a commented starter recipe goes out."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from configs.kinds import kinds, present_kind
from tasks.kinds.spec import open_kind

from ..starter_recipe import slug, stem, write_starter
from .console import Console, program
from .failures import failures

DATA = (
    "A table (CSV, TSV, JSON, Parquet, Arrow), a folder of images, of tables, or of texts by class, an archive, an "
    "https address of one, hub:OWNER/NAME, or torchvision:NAME."
)

STARTERS = {kind: open_kind(kind).starter for kind in kinds() if open_kind(kind).starter}
"""Kinds of task that a person can ask for, each with what its recipe does."""
KIND = " ".join(f"{kind}: {starter}." for kind, starter in STARTERS.items())


def known_kind(name: str) -> str:
    """The name of a kind that has a starter recipe, as it is called now. Raises a usage error for another."""
    if present_kind(name) not in STARTERS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, STARTERS))}.")
    return present_kind(name)


def command(
    data: Annotated[str, typer.Argument(metavar="DATA", help=DATA)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="RECIPE", help="The recipe to write; default configs/NAME.yaml."),
    ] = None,
    text: Annotated[str | None, typer.Option(metavar="COL", help="Column of the texts; else guessed.")] = None,
    label: Annotated[
        str | None, typer.Option(metavar="COL", help="Column of the labels or targets; else guessed.")
    ] = None,
    kind: Annotated[str | None, typer.Option(parser=known_kind, metavar=f"[{'|'.join(STARTERS)}]", help=KIND)] = None,
    pattern: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Of images: what in a path is the class, as (?P<label>…).")
    ] = None,
    member: Annotated[str | None, typer.Option(metavar="NAME", help="The table in an archive of several.")] = None,
    token: Annotated[
        str | None, typer.Option(metavar="NAME", help="Environment variable with a token for the address or the Hub.")
    ] = None,
) -> None:
    """Inspect data and write a starter recipe whose remarks say what was seen and what to change.

    Of a table guesses the columns of text, label and split, counts the labels, measures lengths, missing values and
    repetitions, and sets the recipe by them; of images inspects folders, labels, parts, sizes and modes. The recipe
    runs at once, offline: English texts with labels start from the weights that `make pretrained` installs, where these
    are, all else with a small new model; --kind classifier downloads a pretrained one where none is installed. Of an
    address takes the checksum, of a data set of the Hub the commit. Writes over no file and does not touch the data.

    Examples: `temper init reviews.csv --label stars` writes configs/reviews.yaml, `temper init photographs.zip`
    configs/photographs.yaml.
    """
    with failures():
        from tasks.autodetect.located import Hints

        output = Path(os.path.expanduser(output)) if output else Path("configs") / f"{slug(stem(data))}.yaml"
        console = Console()
        seen = write_starter(data, output, kind, Hints(pattern, member, token, label, text))
        width = max(len(name) for name, _ in seen)
        for name, value in seen:
            console.fact(Text(f"  {name:<{width}} "), value)
        console.print(f"\nwrote {output}: read its remarks, then\n  {program()} run {output}", soft_wrap=True)
