"""temper init: a table comes in, a commented starter recipe goes out."""

import os
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .failures import failures

if TYPE_CHECKING:
    from configs.starter import Starter

TRIED = 5_000
"""Texts on which a tokenizer is tried."""
Kind = Literal["generative", "classifier"]


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table: CSV, TSV, JSON lines or Parquet.")],
    output: Annotated[
        Path | None, typer.Option(metavar="RECIPE", help="The recipe to write; default configs/FILE.yaml.")
    ] = None,
    text: Annotated[str | None, typer.Option(metavar="COL", help="Column of the texts; else guessed.")] = None,
    label: Annotated[str | None, typer.Option(metavar="COL", help="Column of the labels; else guessed.")] = None,
    kind: Annotated[
        Kind, typer.Option(help="The model writes the label, or has a head that chooses it.")
    ] = "generative",
) -> None:
    """Look at a table and write a starter recipe whose remarks say what was seen and what to change.

    Guesses the columns of text, label and split, counts the labels, measures lengths, gaps and repetitions, and sets
    the recipe by them. A generative recipe runs at once, offline, with a small new model; a classifier's downloads a
    pretrained one. Writes over no file and does not touch the table.

    Example: `temper init reviews.csv --label stars` writes configs/reviews.yaml.
    """
    with failures():
        from configs.load import RecipeError
        from tasks.data.files import DataError

        output = output or Path("configs") / f"{slug(file.stem)}.yaml"
        if output.exists():
            raise RecipeError(f"{output} exists and stays as it is; name another file with --output")
        try:
            starter, notes = prepare(file, output, kind, text=text, label=label)
            written = starter.text()
        except (DataError, ValueError) as error:
            raise RecipeError(str(error)) from None
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("x", encoding="utf-8") as handle:
            handle.write(written)
        for name, said in [*starter.seen().items(), *(("note", note) for note in notes)]:
            typer.echo(f"  {name:<7} {said}")
        typer.echo(f"\nwrote {output}: read its remarks, then\n  temper run {output}")


def prepare(
    file: Path, output: Path, kind: Kind, *, text: str | None = None, label: str | None = None
) -> tuple["Starter", list[str]]:
    """Look at the file; returns what the recipe follows from, and what had to be guessed to read it.

    Raises DataError.
    """
    from configs.settings import settings
    from configs.starter import Starter
    from tasks.data.files import DataError
    from tasks.data.looking import look, read_unknown

    place = file if file.exists() else settings().source(str(file))
    if not place.is_file():
        what = "a folder; name one table in it" if place.is_dir() else "no such file, here or below TEMPER_DATA"
        raise DataError(f"{file}: {what}")
    table, source, notes = read_unknown(place)
    facts = look(table, str(file), text, label)
    path = source_path(place)
    return Starter(slug(output.stem), output, path, source, facts, kind, token_lengths(facts.texts)), notes


def token_lengths(texts: list[str]) -> list[int]:
    """Lengths in tokens, ascending, under a tokenizer learnt from (a sample of) the texts."""
    from configs.starter import VOCABULARY
    from tasks.text.vocabulary import learn_bpe

    sample = texts if len(texts) <= TRIED else random.Random(0).sample(texts, TRIED)
    encoded = learn_bpe(sample, VOCABULARY).encode_batch_fast(sample, add_special_tokens=False)
    return sorted(len(encoding.ids) for encoding in encoded)


def slug(name: str) -> str:
    """A recipe's name from a file's."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "recipe"


def source_path(place: Path) -> str:
    """The path that a recipe should hold: relative where the file lies below TEMPER_DATA, else absolute."""
    from configs.settings import settings

    absolute, data = Path(os.path.abspath(place)), Path(os.path.abspath(settings().source("")))
    return absolute.relative_to(data).as_posix() if absolute.is_relative_to(data) else str(absolute)
