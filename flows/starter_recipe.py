"""A table, images, an address or a data set comes in; what a starter recipe follows from goes out."""

import random
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from configs.dialogue_starter import DialogueStarter
    from configs.image_starter import ImageStarter
    from configs.starter import Starter
    from configs.target_starter import TargetKind, TargetStarter
    from tasks.autodetect.locate import Found, Wish


TRIED = 5_000
"""Texts on which a tokenizer is tried."""
Kind = Literal["generative", "classifier", "dialogue", "regression", "seq2seq"]


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
    from tasks.autodetect.targets import number_column, number_fix, number_notes
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
    except DataError as error:
        if numbers is None:
            raise DataError(f"{error}{number_fix(found.table, label)}") from None
        return _for_targets(name, output, path, found, None, text=text, label=None), found.notes
    assert seen.columns.label is not None
    if numbers == seen.columns.label:
        return _for_targets(name, output, path, found, None, text=text, label=None), found.notes
    if kind is None:
        found.notes.extend(number_notes(found.table, seen.columns.label, numbers))
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
