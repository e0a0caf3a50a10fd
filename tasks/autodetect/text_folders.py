"""A folder of tables or texts -> the source that reads it, its table, and what had to be guessed; for `temper init`."""

import shlex
from dataclasses import replace
from pathlib import Path
from statistics import median

import pandas as pd

from configs.sources import ClassFilesSource, FileSource

from ..data.errors import DataError
from ..data.sources.class_files import TEXT, list_texts, read_class_files
from ..data.sources.folders import is_system
from ..data.sources.part_names import part_named
from ..data.sources.pixel_arrays import NAMES
from ..data.sources.provenance import Intake, recipe_path
from ..data.sources.tables import ENDINGS, join_tables
from .unknown_files import read_unknown

MOST_CLASSES = 200
FEWEST_LINES = 5
"""Lines that half the files have at least, where each is a class and a line is a text."""
Seen = tuple[pd.DataFrame, FileSource | ClassFilesSource, list[str]]


def read_text_folder(folder: Path, called: str, intake: Intake) -> Seen:
    """Several tables of the same columns, a text file per class, or a folder of text files per class.

    Raises DataError where it is none of them, with what would be read instead.
    """
    inside = [path for path in sorted(folder.iterdir()) if not is_system(path.name)]
    tables = [path for path in inside if path.is_file() and path.suffix.lower() in ENDINGS]
    if tables:
        return _of_tables(tables, called)
    texts = [path for path in inside if path.is_file() and path.suffix.lower() == TEXT]
    folders = [path for path in inside if path.is_dir() and any(path.glob(f"*{TEXT}"))]
    if 2 <= len(texts) <= MOST_CLASSES and not folders and median(map(_count_lines, texts)) >= FEWEST_LINES:
        return _of_classes({path.stem: path for path in texts}, "each file is a class, each line a text", intake)
    if 2 <= len(folders) <= MOST_CLASSES:
        return _of_classes({path.name: path for path in folders}, "each folder is a class, each file a text", intake)
    deeper = [path for path in inside if path.is_dir() and any(path.glob(f"*/*{TEXT}"))]
    if deeper:
        commands = "".join(f"\n  temper init {shlex.quote(str(Path(called, path.name)))}" for path in deeper[:5])
        raise DataError(f"{called}: its folders hold folders of texts; choose one:{commands}")
    arrays = sum(1 for path in folder.rglob("*") if path.suffix.lower() in (".npy", ".npz"))
    fix = (
        "name one table in it"
        if not arrays
        else (
            f"its {arrays:,} .npy and .npz files are read where one .npz file, or .npy files in one folder, hold all "
            f"pictures in an array and their labels in another ({NAMES}); else save "
            "each picture as PNG in a folder of its class"
        )
    )
    raise DataError(
        f"{called}: a folder without images, tables, or at least two {TEXT} files or folders of such for classes; {fix}"
    )


def _of_tables(tables: list[Path], called: str) -> Seen:
    """Read together where they have the same columns; their names give the split where each names a part."""
    read = [read_unknown(path) for path in tables]
    forms = [replace(source, path="") for _, source, _ in read]
    alike = all(form == forms[0] for form in forms)
    notes = list(dict.fromkeys(note for _, _, table_notes in read for note in table_notes))
    endings = {path.suffix for path in tables}
    folder = tables[0].parent
    try:
        joined = join_tables({path.name: table for path, (table, _, _) in zip(tables, read, strict=True)})
    except DataError:
        alike = False
    if not alike:
        commands = "".join(f"\n  temper init {shlex.quote(str(Path(called, path.name)))}" for path in tables[:5])
        raise DataError(f"{called}: {len(tables)} tables in it differ in columns or form; choose one:{commands}")
    pattern = str(folder / f"*{endings.pop()}") if len(endings) == 1 else tuple(recipe_path(path) for path in tables)
    source = replace(forms[0], path=str(tables[0]) if len(tables) == 1 else pattern)
    parts = [part_named(path.stem) for path in tables]
    if {"train", "test"} <= set(parts) and None not in parts:
        joined[_free(joined)] = [
            part for part, (table, _, _) in zip(parts, read, strict=True) for _ in range(len(table))
        ]
        return joined, replace(source, split_files=True), notes
    more = [f"{len(tables)} tables are read together: {', '.join(path.name for path in tables[:5])}"]
    return joined, source, notes + (more if len(tables) > 1 else [])


def _free(table: pd.DataFrame) -> str:
    return next(name for name in ("split", "split of the file") if name not in table)


def _of_classes(places: dict[str, Path], how_named: str, intake: Intake) -> Seen:
    encoding = "utf-8"
    files = {label: recipe_path(path) for label, path in places.items()}
    for path in [file for place in places.values() for file in (list_texts(place) if place.is_dir() else [place])]:
        try:
            path.read_text(encoding=encoding)
        except UnicodeDecodeError:
            encoding = "detect"
            break
    source = ClassFilesSource(kind="class_files", files=files, encoding=encoding)
    table = read_class_files(source, intake)[["text", "label"]]
    return table, source, [how_named, *intake.notes]


def _count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")
