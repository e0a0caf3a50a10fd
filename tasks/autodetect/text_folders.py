"""A folder of tables or texts -> the source that reads it, its table, and what had to be guessed; for `temper init`."""

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from configs.sources import ClassFilesSource, FileSource

from ..data.errors import DataError
from ..data.sources.archived_tables import parts_by_name
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
UNLABELLED = re.compile(r"(?i)un(?:sup|label)")
"""How folders of texts without a label are called next to those of classes."""
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
    if parts_by_name([path.name for path in texts]):
        return _of_tables(texts, called)
    folders = [path for path in inside if path.is_dir() and any(path.glob(f"*{TEXT}"))]
    if 2 <= len(texts) <= MOST_CLASSES and not folders and median(map(_count_lines, texts)) >= FEWEST_LINES:
        return _of_classes({path.stem: [path] for path in texts}, "each file is a class, each line a text", intake)
    if 2 <= len(folders) <= MOST_CLASSES:
        return _of_classes({path.name: [path] for path in folders}, "each folder is a class, each file a text", intake)
    if 2 <= len(places := _by_parts(inside, intake)) <= MOST_CLASSES:
        how_named = "folders of parts and of classes, each file a text"
        return _of_classes(places, how_named, intake, split_files=True)
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
    together = read_together({path.name: path for path in tables})
    if together is None:
        commands = "".join(f"\n  temper init {shlex.quote(str(Path(called, path.name)))}" for path in tables[:5])
        raise DataError(f"{called}: {len(tables)} tables in it differ in columns or form; choose one:{commands}")
    table, read, notes = together
    endings = {path.suffix for path in tables}
    pattern = str(tables[0].parent / f"*{endings.pop()}") if len(endings) == 1 else tuple(map(recipe_path, tables))
    source = replace(read, path=str(tables[0]) if len(tables) == 1 else pattern)
    more = [f"{len(tables)} tables are read together: {', '.join(path.name for path in tables[:5])}"]
    return table, source, notes + (more if len(tables) > 1 and not source.split_files else [])


def read_together(tables: Mapping[str, Path]) -> tuple[pd.DataFrame, FileSource, list[str]] | None:
    """Tables by name as one, the source that reads them but for their place, and what had to be guessed; their names
    give the split where each names a part. None where they differ in columns or form. Raises DataError."""
    read = [read_unknown(path) for path in tables.values()]
    forms = [replace(source, path="") for _, source, _ in read]
    notes = list(dict.fromkeys(note for _, _, table_notes in read for note in table_notes))
    try:
        joined = join_tables({name: table for name, (table, _, _) in zip(tables, read, strict=True)})
    except DataError:
        return None
    if any(form != forms[0] for form in forms):
        return None
    if (parts := parts_by_name(list(tables))) is None:
        return joined, forms[0], notes
    joined[_free(joined)] = [part for part, (table, _, _) in zip(parts, read, strict=True) for _ in range(len(table))]
    return joined, replace(forms[0], split_files=True), notes


def _free(table: pd.DataFrame) -> str:
    return next(name for name in ("split", "split of the file") if name not in table)


def _by_parts(inside: list[Path], intake: Intake) -> dict[str, list[Path]]:
    """The folders of each class where folders of parts hold those of classes, or the other way round; else none."""
    below = [(path, deeper) for path in inside if path.is_dir() for deeper in sorted(path.iterdir())]
    pairs = [(path, deeper) for path, deeper in below if deeper.is_dir() and any(deeper.glob(f"*{TEXT}"))]
    outer, inner = ({folder.name for folder in level} for level in zip(*pairs, strict=True)) if pairs else ({}, {})
    places: dict[str, list[Path]] = {}
    for path, deeper in pairs:
        if _are_parts(outer) or _are_parts(inner):
            places.setdefault((deeper if _are_parts(outer) else path).name, []).append(deeper)
    for name in [name for name in places if UNLABELLED.match(name)]:
        intake.note(f"folders called {name} hold texts without a label, as it seems, and are left out")
        del places[name]
    return places


def _are_parts(names: Collection[str]) -> bool:
    parts = set(map(part_named, names))
    return {"train", "test"} <= parts and None not in parts


def _of_classes(places: dict[str, list[Path]], how_named: str, intake: Intake, *, split_files: bool = False) -> Seen:
    encoding = "utf-8"
    files = {label: tuple(map(recipe_path, paths)) for label, paths in places.items()}
    every = [place for paths in places.values() for place in paths]
    for path in [file for place in every for file in (list_texts(place) if place.is_dir() else [place])]:
        try:
            path.read_text(encoding=encoding)
        except UnicodeDecodeError:
            encoding = "detect"
            break
    named: dict[str, Any] = {label: paths[0] if len(paths) == 1 else paths for label, paths in files.items()}
    source = ClassFilesSource(kind="class_files", files=named, encoding=encoding, split_files=split_files)
    table = read_class_files(source, intake)[["text", "label", *(["split"] if split_files else [])]]
    return table, source, [how_named, *intake.notes]


def _count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")
