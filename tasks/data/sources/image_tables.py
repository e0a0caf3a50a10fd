"""Tables that list image files or hold their bytes -> the same tables with the sha256 of each image, whose bytes are
stored; and what of a table's values names images."""

import math
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from configs.settings import settings
from configs.sources import FileSource, UrlSource

from ..errors import DataError
from .folders import IMAGE_ENDINGS, MAGIC, escape_name
from .image_store import ImageStore
from .provenance import Intake, recipe_path

NAME = re.compile(rf"[^\r\n]{{0,1000}}(?:{'|'.join(map(re.escape, IMAGE_ENDINGS))})", re.IGNORECASE)
SAMPLE = 1000
MOST = 0.9
"""Share of the values from which a column names or holds images."""
SHOWN = 3
FEW, LONGEST_ID = 10, 100
"""Values that must be those of files before a column of names without endings is one of images; characters of one."""
TELL_EVERY = 1000


def names_images(column: pd.Series) -> bool:
    """Whether nearly all values are names of image files."""
    values = column.dropna().head(SAMPLE)
    texts = [value for value in values if isinstance(value, str)]
    return len(texts) > 0 and sum(bool(NAME.fullmatch(text.strip())) for text in texts) >= MOST * len(values)


def identify_images(column: pd.Series, table: Path) -> bool:
    """Whether nearly all of a column's first values are names of image files without their endings, near the table."""
    words = [value for value in column.dropna().drop_duplicates().head(FEW).tolist() if isinstance(value, str)]
    if len(words) < FEW or not all(word == word.strip() and len(word) < LONGEST_ID for word in words):
        return False
    folder = likely_folder(pd.Series(words), table)
    files = [find_image(word, folder) for word in words] if folder else []
    return sum(path is not None and bool(NAME.fullmatch(path.name)) for path in files) >= MOST * len(words)


def holds_images(column: pd.Series) -> bool:
    """Whether nearly all values are the bytes of image files, alone or as {bytes, path}."""
    values = [_parts(value)[0] for value in column.dropna().head(SAMPLE)]
    return bool(values) and sum(bool(data) and data.startswith(MAGIC) for data in values if data) >= MOST * len(values)


def _parts(value: Any) -> tuple[bytes | None, str | None]:
    """Bytes and name of an image in a table."""
    if isinstance(value, dict) and value.keys() == {"bytes", "path"}:
        return value["bytes"], value["path"]
    if isinstance(value, bytes):
        return value, None
    return (None, value) if isinstance(value, str) else (None, None)


def find_image(name: str, folder: Path) -> Path | None:
    """The file that a table names, absolute or below a folder; as Windows writes it, in either Unicode form, and where
    a name has no ending of an image with that of one that is there."""
    plain = name.strip()
    if plain and not NAME.fullmatch(plain):
        endings = (ending for each in IMAGE_ENDINGS for ending in (each, each.upper()))
        full = next((path for ending in endings if (path := _find_file(f"{plain}{ending}", folder))), None)
        return full or _find_file(name, folder)
    return _find_file(name, folder)


def _find_file(name: str, folder: Path) -> Path | None:
    plain = name.strip()
    for spelt in dict.fromkeys(
        [name, plain, plain.replace("\\", "/"), *(unicodedata.normalize(form, plain) for form in ("NFC", "NFD"))]
    ):
        try:
            if spelt and stat.S_ISREG((folder / spelt).stat().st_mode):
                return folder / spelt
        except (OSError, ValueError):  # not there, too long for a name, or with a NUL in it
            continue
    return None


def listed_images(tables: dict[str, pd.DataFrame], column: str, folders: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    """Name and place of every file that tables list and that is there; the tables are by name, with their folders."""
    for table, rows in tables.items():
        if column not in rows:
            continue
        for value in dict.fromkeys(value for value in rows[column].dropna() if isinstance(value, str)):
            if (path := find_image(value, folders[table])) is not None:
                yield escape_name(value), path


def store_images(tables: dict[str, pd.DataFrame], column: str, folders: dict[str, Path], intake: Intake) -> None:
    """Put the bytes of all images into the store, and in their place the sha256, with what they are called in `file`.

    A row whose file is absent has no image, as the summary counts. Raises DataError where a column is absent, holds
    no images, or names files of which none is there.
    """
    total, read, absent = sum(map(len, tables.values())), 0, []
    with ImageStore(intake) as store:
        for name, table in tables.items():
            if column not in table:
                raise DataError(
                    f"{name}: no column {column!r} for `columns.image`; the columns are {list(map(str, table.columns))}"
                )
            digests: list[str | None] = []
            files: list[str] = []
            for number, value in enumerate(table[column]):
                data = _bytes(value, folders.get(name), f"{name}: row {number + 1}", column)
                file = _parts(value)[1] or f"{number:06d}"
                if data is None and isinstance(value, str):
                    absent.append(value)
                digests.append(None if data is None else store.add(data))
                files.append(escape_name(file))
                read += 1
                if read % TELL_EVERY == 0 or read == total:
                    intake.progress(read, total, "reading images")
            table[column] = pd.Series(digests, index=table.index, dtype="str")
            table["file"] = pd.Series(files, index=table.index, dtype="str")
        _report_absent(absent, total, folders, intake)
        store.write()


def _bytes(value: Any, folder: Path | None, where: str, column: str) -> bytes | None:
    """The bytes of an image; None where there is none or its file is absent. Raises DataError for all else."""
    data, name = _parts(value)
    if data is not None:
        return data
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, dict) and name:
        raise DataError(
            f"{where}: {column!r} names {name!r} without its bytes; keep the bytes in the table, or "
            "make it a column of paths"
        )
    if name is None:
        kind = "a list" if isinstance(value, list) else type(value).__name__
        raise DataError(f"{where}: {column!r} holds {kind}, not the bytes or the path of an image")
    if folder is None:
        raise DataError(
            f"{where}: {column!r} names {name!r}; a table from the net names no files of this machine: "
            "keep the images in it as bytes, or fetch table and images and use kind file"
        )
    path = find_image(name, folder)
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        raise DataError(f"{where}: {escape_name(str(path))}: cannot be read ({error.strerror})") from None


def _report_absent(absent: list[str], total: int, folders: dict[str, Path], intake: Intake) -> None:
    if not absent:
        return
    shown = ", ".join(escape_name(name) for name in absent[:SHOWN]) + (" …" if len(absent) > SHOWN else "")
    if len(absent) == total:
        starts = ", ".join(sorted({str(folder) for folder in folders.values()}))
        raise DataError(
            f"none of the {total:,} image files that the table names is there, such as {shown}; relative "
            f"paths start at {starts}: set `images` to the folder where they start"
        )
    intake.note(
        f"{len(absent):,} of {total:,} image files that the table names are absent ({shown}); their rows have "
        "no image, of which validate.max_missing allows a share"
    )


def likely_folder(column: pd.Series, table: Path) -> Path | None:
    """The folder at which the paths of a table start: its own, one in it, or one above; None: they are nowhere."""
    names = [value for value in column.dropna().head(SAMPLE // 10) if isinstance(value, str)]
    inside = sorted(Path(entry.path) for entry in os.scandir(table.parent) if entry.is_dir())
    places = [table.parent, *inside, *table.parent.parents[:2], settings().source("")]
    counts = {place: sum(find_image(name, place) is not None for name in names) for place in places}
    best = max(places, key=counts.__getitem__)
    return best if counts[best] else None


def image_folders(tables: Iterable[str], source: FileSource | UrlSource) -> dict[str, Path]:
    """Table to the folder where the paths of its images start; empty for tables from the net."""
    if isinstance(source, UrlSource):
        return {}
    own = None if source.images is None else settings().source(source.images)
    if own is not None and not own.is_dir():
        raise DataError(f"{own}: no such folder for `images`; relative paths start at the setting TEMPER_DATA")
    return {name: own or Path(name).parent for name in tables}


def refuse_names(tables: dict[str, pd.DataFrame], source: FileSource | UrlSource, intake: Intake) -> None:
    """Say where what is read as texts are names of image files; raise DataError where these are there."""
    name, table = next(iter(tables.items()))
    column = source.columns.text
    if source.columns.image or source.columns.messages or column not in table or not names_images(table[column]):
        return
    own = Path(name).parent
    folder = likely_folder(table[column], Path(name)) if own.is_dir() and isinstance(source, FileSource) else None
    images = "" if folder in (None, own) else f", `images: {recipe_path(folder)}`"
    columns = f"{{image: {column}, label: {source.columns.label or 'label'}}}"
    problem = (
        f"{name}: the values of {column!r} name image files, such as {table[column].dropna().iloc[0][:200]}, and "
        f"are read as texts; to train on the images set `columns: {columns}`{images} and encode.kind: image, or "
        "let `temper init` write the recipe"
    )
    if folder is not None:
        raise DataError(problem)
    intake.note(problem)
