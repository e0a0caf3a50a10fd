"""temper init: a table, images, an address or a data set comes in, a commented starter recipe goes out."""

import os
import random
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

import typer

from .failures import failures

if TYPE_CHECKING:
    from configs.dialogue_starter import DialogueStarter
    from configs.image_starter import ImageStarter
    from configs.starter import Starter
    from configs.target_starter import TargetKind, TargetStarter
    from tasks.autodetect.locate import Found, Wish

TRIED = 5_000
"""Texts on which a tokenizer is tried."""
Kind = Literal["generative", "classifier", "dialogue", "regression", "seq2seq"]
DATA = (
    "A table (CSV, TSV, JSON, Parquet, Arrow), a folder of images, of tables, or of texts by class, an archive, an "
    "https address of one, hub:OWNER/NAME, or torchvision:NAME."
)

KIND = (
    "generative: a small new model writes the label (the default for texts). classifier: a pretrained model has a head "
    "that chooses it; images get a small new net without it. dialogue: a small new model writes the "
    "assistant's turns (the default where a column holds lists of messages, or prompts and completions). regression: a "
    "small new model predicts a number (the default where no column is a label and one called like a score holds "
    "many numbers). seq2seq: a small new model writes a target text."
)


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
    kind: Annotated[Kind | None, typer.Option(help=KIND)] = None,
    pattern: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Of images: what in a path is the class, as (?P<label>…).")
    ] = None,
    member: Annotated[str | None, typer.Option(metavar="NAME", help="The table in an archive of several.")] = None,
    token: Annotated[
        str | None, typer.Option(metavar="NAME", help="Environment variable with a token for the address or the Hub.")
    ] = None,
) -> None:
    """Look at data and write a starter recipe whose remarks say what was seen and what to change.

    Of a table guesses the columns of text, label and split, counts the labels, measures lengths, gaps and
    repetitions, and sets the recipe by them; of images looks at folders, labels, parts, sizes and modes. The recipe
    runs at once, offline, with a small new model; with --kind classifier it downloads a pretrained one. Of an
    address takes the checksum, of a data set of the Hub the commit. Writes over no file and does not touch the data.

    Examples: `temper init reviews.csv --label stars` writes configs/reviews.yaml, `temper init photographs.zip`
    configs/photographs.yaml.
    """
    with failures():
        from pydantic import ValidationError

        from configs.load import RecipeError
        from configs.secrets import masked
        from tasks.autodetect.locate import Wish
        from tasks.data.errors import DataError

        output = Path(os.path.expanduser(output)) if output else Path("configs") / f"{slug(stem(data))}.yaml"
        if output.exists():
            raise RecipeError(f"{output} exists and stays as it is; name another file with --output")
        wish = Wish(pattern, member, token)
        try:
            starter, notes = prepare(data, output, kind, text=text, label=label, wish=wish)
            written = starter.text()
        except ValidationError as error:
            raise RecipeError(f"{masked(data)}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
        except (DataError, ValueError) as error:
            raise RecipeError(str(error)) from None
        _write(output, written, [*starter.seen().items(), *(("note", note) for note in notes)])


def _write(output: Path, text: str, seen: list[tuple[str, str]]) -> None:
    from tasks.data.escape import terminal

    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("x", encoding="utf-8") as handle:
        handle.write(text)
    for name, said in seen:
        typer.echo(terminal(f"  {name:<7} {said}"))
    typer.echo(f"\nwrote {output}: read its remarks, then\n  temper run {output}")


def prepare(
    data: str | Path,
    output: Path,
    kind: Kind | None,
    *,
    text: str | None = None,
    label: str | None = None,
    wish: "Wish | None" = None,
) -> tuple["Starter | ImageStarter | DialogueStarter | TargetStarter", list[str]]:
    """Look at the data; returns what the recipe follows from, and what had to be guessed to read it.

    Raises DataError.
    """
    from configs.dialogue_starter import DialogueStarter
    from configs.image_starter import ImageStarter
    from configs.settings import settings
    from configs.sources import FileSource
    from configs.starter import Starter
    from tasks.autodetect.dialogues import dialogue_columns, look_at_dialogues
    from tasks.autodetect.images import look_at_images
    from tasks.autodetect.locate import Wish, find
    from tasks.autodetect.table import look
    from tasks.autodetect.targets import number_column
    from tasks.data.errors import DataError
    from tasks.data.sources.provenance import Intake, recipe_path
    from tasks.output import environment_secret

    place = Path(data) if Path(data).exists() else settings().source(str(data))
    with tempfile.TemporaryDirectory() as folder:
        intake = Intake(Path(folder), Path(folder) / "images.parquet", environment_secret)
        found = find(str(data), place, intake, replace(wish or Wish(), label=label))
        local = getattr(found.source, "path", None)
        name, path = slug(output.stem), recipe_path(Path(local)) if isinstance(local, str) else found.called
        if found.rows is not None and found.images is not None:
            facts = look_at_images(found.rows, found.images, str(data))
            if (
                text
                or (label and not isinstance(found.source, FileSource))
                or kind in ("generative", "regression", "seq2seq")
            ):
                raise DataError(
                    f"{data}: images have no columns and no kind {kind or 'generative'}; take those options away"
                )
            start: Literal["small", "pretrained"] = "small" if kind is None else "pretrained"
            return ImageStarter(name, output, path, found.source, facts, start), found.notes
    assert found.table is not None
    if dialogues := dialogue_columns(found.table, asked=kind == "dialogue") if kind in (None, "dialogue") else None:
        talks = look_at_dialogues(found.table, str(data), dialogues)
        return DialogueStarter(name, output, path, found.source, talks, token_lengths(talks.texts)), found.notes
    if kind == "dialogue":
        raise DataError(f"{data}: no column holds lists of messages, and none are called prompt and completion")
    if kind == "regression" or kind == "seq2seq":
        return _for_targets(name, output, path, found, kind, text=text, label=label), found.notes
    numbers = number_column(found.table) if kind is None and label is None else None
    try:
        seen = look(found.table, str(data), text, label)
    except DataError:
        if numbers is None:
            raise
        return _for_targets(name, output, path, found, None, text=text, label=None), found.notes
    if numbers is not None:
        found.notes.append(f"{numbers!r} holds many different numbers: --kind regression predicts them, this recipe "
                           f"{seen.columns.label!r}")  # fmt: skip
    return Starter(name, output, path, found.source, seen, kind or "generative", token_lengths(seen.texts)), found.notes


def _for_targets(
    name: str, output: Path, path: str, found: "Found", kind: "TargetKind | None", *, text: str | None,
    label: str | None,
) -> "TargetStarter":  # fmt: skip
    """The recipe for numbers or written targets; `kind` None: of numbers that nobody asked for."""
    from configs.target_starter import TargetStarter
    from tasks.autodetect.targets import look_at_targets

    assert found.table is not None
    seen = look_at_targets(found.table, path, kind or "regression", text, label, asked=kind is not None)
    return TargetStarter(name, output, path, found.source, seen, kind or "regression", token_lengths(seen.texts),
                         token_lengths(seen.aims))  # fmt: skip


def stem(data: str) -> str:
    """What of a file's, address's or data set's name a recipe is called after."""
    if data.startswith(("hub:", "torchvision:")):
        return data.split(":")[1].rpartition("/")[2]
    name = Path(urlsplit(data).path if "://" in data else data).name
    return Path(name).stem.removesuffix(".tar").partition(".csv")[0] or name


def token_lengths(texts: list[str]) -> list[int]:
    """Lengths in tokens, ascending, under a tokenizer learnt from (a sample of) the texts."""
    from configs.starter import VOCABULARY
    from tasks.text.vocabulary import learn_bpe

    sample = texts if len(texts) <= TRIED else random.Random(0).sample(texts, TRIED)
    encoded = learn_bpe(sample, VOCABULARY).encode_batch_fast(sample, add_special_tokens=False)
    return sorted(len(encoding.ids) for encoding in encoded)


def slug(name: str) -> str:
    """A recipe's name from a file's."""
    from configs.names import DEVICES, LONGEST

    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:LONGEST].strip("_") or "recipe"
    return f"{plain}_data" if DEVICES.fullmatch(plain) else plain
