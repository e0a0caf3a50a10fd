"""What a registered model is asked: the rows of a table file or the images below a folder, a batch at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pandas as pd
from pydantic import ValidationError

from configs.load import RecipeError
from configs.sources import FileSource

from ..artifact import canonical, digest_file, digest_text
from ..data.dialogues.columns import PAIRS
from ..data.dialogues.messages import HOLDERS
from ..data.errors import DataError, check_file
from ..data.pairs import TEXT, TEXT_PAIR, contents
from ..data.sources.folders import list_images
from ..data.sources.image_files import LARGEST
from ..data.sources.provenance import Intake
from ..data.sources.read import open_tables
from ..data.sources.tables import join_tables

NAMED = 5
"""Rows that a refusal names."""


class Questions(Protocol):
    """A source of questions, in an order that does not change."""

    @property
    def rows(self) -> pd.DataFrame:
        """What the input states about each question: its own columns."""

    @property
    def content(self) -> str:
        """What the model must take: text or image."""

    @property
    def batch(self) -> int:
        """Questions that are asked at once."""

    @property
    def forgiving(self) -> bool:
        """Whether a question without a prediction becomes a row with its reason."""

    @property
    def where(self) -> str:
        """The input as a person named it."""

    def identity(self) -> dict[str, object]:
        """What the predictions depend on."""

    def given(self, start: int, stop: int) -> list[Any]:
        """Questions from `start` to before `stop`; an OSError stands for one that cannot be read."""

    def ask(self, given: list[Any]) -> Any:
        """The form in which the model takes some of them."""


@dataclass(frozen=True)
class Texts:
    """A column of a table; with `second` that of second texts, where the model takes pairs."""

    path: Path
    rows: pd.DataFrame
    column: str
    second: str | None = field(default=None, kw_only=True)
    batch: int = 512
    reading: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    content = "text"
    forgiving = False

    @property
    def where(self) -> str:
        """The input as a person named it."""
        return str(self.path)

    def identity(self) -> dict[str, object]:
        """The file's checksum, how it is read, and the column."""
        how = {"reading": canonical(self.reading)} if self.reading else {}
        column = {"column": self.column} if self.second is None else {"column": [self.column, self.second]}
        return {"input": digest_file(self.path), **column, "batch": self.batch, **how}

    def given(self, start: int, stop: int) -> list[Any]:
        """Texts, or pairs of texts; a list, of words, stays one."""
        values = self.rows[self.column].iloc[start:stop]
        if self.second is not None:
            seconds = self.rows[self.second].iloc[start:stop]
            return contents(pd.DataFrame({TEXT: values.astype(str), TEXT_PAIR: seconds.astype(str)}))
        return [
            list(value) if isinstance(value, list) else text
            for value, text in zip(values, values.astype(str), strict=True)
        ]

    def ask(self, given: list[Any]) -> Any:
        """A list, of texts alone; else a table, since MLflow would take the lists in a list for rows of a table."""
        lists = any(isinstance(value, list) for value in given)
        return pd.DataFrame({"text": pd.Series(given, dtype=object)}) if lists else given


def with_texts(texts: Texts, trained: Mapping[str, str]) -> Texts:
    """The same rows, whose texts are in the column of the model's training data; `trained`: that data's columns by
    their keys in `download.columns`. Raises RecipeError where it is not among the file's, DataError where a row has no
    text."""
    name = trained.get(TEXT, "")
    if name not in texts.rows.columns:
        raise RecipeError(_no_column(texts.path, texts.rows, TEXT))
    _require_filled(texts.path, texts.rows, name)
    note = f"{texts.path}: texts are read from {name!r}, as in the model's training data"
    return replace(texts, column=name, notes=(*texts.notes, note))


def with_second(texts: Texts, column: str | None, trained: Callable[[], Mapping[str, str]] = dict) -> Texts:
    """The same rows as pairs of texts; `column` of the second texts, None for `text_pair` or that of the model's
    training data. Raises RecipeError where it is absent, DataError where a row has none."""
    name = TEXT_PAIR if column is None else column
    if column is None and name not in texts.rows.columns:
        name = trained().get(TEXT_PAIR, name)
    if name not in texts.rows.columns:
        raise RecipeError(
            f"{texts.path}: the model takes pairs of texts, and there is no column {name!r} among "
            f"{list(texts.rows.columns)}; name that of the second texts with --pair"
        )
    _require_filled(texts.path, texts.rows, name)
    return replace(texts, second=name)


def _no_column(path: Path, rows: pd.DataFrame, column: str) -> str:
    return (
        f"{path}: no column {column!r} among {list(rows.columns)}; name one with --column, or where the first line "
        "is a row already its columns with --header, such as --header text"
    )


@dataclass(frozen=True)
class Images:
    """Files below a folder, `paths` on the disk; `ignored`: how many are no images by their names."""

    folder: Path
    rows: pd.DataFrame
    paths: tuple[Path, ...]
    ignored: int
    batch: int = 64
    content = "image"
    forgiving = True

    @property
    def where(self) -> str:
        """The input as a person named it."""
        return str(self.folder)

    def identity(self) -> dict[str, object]:
        """Names, sizes and times: images are not hashed, of which there may be very many."""
        stats = [path.stat() for path in self.paths]
        files = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in zip(self.rows["file"], stats, strict=True)]
        return {"input": digest_text(canonical(files)), "batch": self.batch}

    def given(self, start: int, stop: int) -> list[Any]:
        """Bytes of files."""
        return [_bytes(path) for path in self.paths[start:stop]]

    def ask(self, given: list[Any]) -> Any:
        """A table."""
        return pd.DataFrame({"image": given})


def _bytes(path: Path) -> bytes | OSError:
    try:
        size = path.stat().st_size
        return OSError(f"{size:,} bytes, an image has at most {LARGEST:,}") if size > LARGEST else path.read_bytes()
    except OSError as error:
        return OSError(f"cannot be read ({error.strerror})")


def open_table(path: Path, column: str | None, reading: Mapping[str, Any] | None = None) -> Texts:
    """The texts of a file, read as `read_rows` does; `column`: None for `text`, or of a file without it for a usual
    name of dialogues or of what is asked; without any the column is "", until the model is known (`with_texts`).
    Raises DataError where it cannot be read or a row has no text, RecipeError where it lacks the column."""
    rows, notes = read_rows(path, reading)
    if column is None:
        usual = (TEXT, *HOLDERS, *(prompt for prompt, _ in PAIRS))
        column = next((name for name in usual if name in rows.columns), "")
    elif column not in rows.columns:
        raise RecipeError(_no_column(path, rows, column))
    if twice := sorted({str(name) for name in rows.columns[rows.columns.duplicated()]}):
        raise DataError(f"{path}: two columns are called {twice[0]!r}; rename one")
    if column:
        _require_filled(path, rows, column)
    if not len(rows):
        raise DataError(f"{path}: no rows")
    return Texts(path, rows, column, reading=dict(reading or {}), notes=tuple(notes))


def _require_filled(path: Path, rows: pd.DataFrame, column: str) -> None:
    empty = rows[column].isna().to_numpy().nonzero()[0]
    if len(empty):
        what = "text" if column != TEXT_PAIR else "second text"
        named = ", ".join(f"{place + 1:,}" for place in empty[:NAMED]) + (", …" if len(empty) > NAMED else "")
        raise DataError(f"{path}: {len(empty):,} of {len(rows):,} rows have no {what} (row {named}); fill or drop them")


def open_folder(folder: Path) -> Images:
    """The images below a folder, by their paths. Raises DataError where there is none."""
    listing = list_images(folder)
    if not listing.read:
        raise DataError(f"{folder}: no image files in it")
    names, paths = zip(*listing.read, strict=True)
    return Images(folder, pd.DataFrame({"file": names}, dtype="str"), paths, len(listing.left_out))


def read_rows(path: Path, reading: Mapping[str, Any] | None = None) -> tuple[pd.DataFrame, list[str]]:
    """A table, or the tables of an archive, by the reader of recipes, and what a person should know of the reading.

    `reading` holds fields of a recipe's source such as `separator`. Raises DataError, and RecipeError for a field that
    cannot be meant.
    """
    try:
        source = FileSource(kind="file", path=str(path.absolute()), **reading or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RecipeError(f"{where and f'`{where}`: '}{first['msg'].removeprefix('Value error, ')}") from None
    check_file(path)
    with TemporaryDirectory() as scratch:
        intake = Intake(Path(scratch))
        tables = open_tables({str(path): path}, source, intake)
    return join_tables(tables), intake.notes
