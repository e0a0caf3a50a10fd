"""A recipe's source -> rows (text or image, label, split, …), whatever the source's own columns and types."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pandas as pd

from configs.image_sources import ImagesSource, TorchvisionSource
from configs.settings import settings
from configs.sources import (
    ClassFilesSource,
    Columns,
    CrosswozSource,
    EmbeddedSource,
    FileSource,
    HubSource,
    SgdSource,
    Source,
    UrlSource,
)

from ..dialogues.hotels import read_hotels
from ..dialogues.messages import dump_messages
from ..dialogues.nearest_replies import nearest_pairs
from ..errors import DataError
from ..files import describe_encoding, detect_encoding, embedded_files, find_files
from . import archives, fetch
from .archived_tables import parts_by_name, tables_among, unpack_tables
from .class_files import read_class_files
from .columns import part_of, take_columns
from .crosswoz import convert, read_crosswoz
from .hub_rows import read_hub
from .image_files import image_place, read_images
from .image_sets import read_digits, read_image_set
from .image_tables import image_folders, refuse_names, store_images
from .member_names import pick_members
from .provenance import Intake, recipe_name
from .sgd import read_sgd
from .tables import BINARY, check_content, check_read, format_of, join_tables, read_table


def read_source(source: Source, intake: Intake) -> pd.DataFrame:
    """Read a source; a Hub data set's revision must be a commit by now.

    Returns columns text (or messages, or image and file), label, target, split, and group, time and kept ones where
    the source has them. What a person should know, and where each byte came from, is left in `intake`.
    Raises DataError.
    """
    match source:
        case EmbeddedSource():
            rows = read_embedded(source, intake)
        case FileSource():
            rows = read_files(source, intake)
        case ClassFilesSource():
            rows = read_class_files(source, intake)
        case UrlSource():
            files = {fetch.shown(url): download(url, sha256, source.token, intake) for url, sha256 in source.places}
            intake.where = ", ".join(files)
            rows = read_tables(files, source, intake)
        case HubSource():
            rows = read_hub(source, intake)
        case ImagesSource():
            place = _image_place(source, intake)
            with _called(place, fetch.shown(source.url) if source.url else str(place)):
                rows = read_images(source, place, intake)
        case CrosswozSource():
            rows = read_hotel_dialogues(source, intake)
        case SgdSource():
            rows = read_sgd(source, intake)
        case TorchvisionSource():
            intake.where = f"torchvision {source.name}" + (f" in {source.path}" if source.path else "")
            rows = read_image_set(source, intake)
    if rows.empty:
        raise DataError(f"{intake.where}: the source holds no rows")
    return rows


def read_embedded(source: EmbeddedSource, intake: Intake) -> pd.DataFrame:
    """Rows that come with Temper."""
    paths, intake.where = embedded_files(source), f"comes with Temper ({source.name})"
    for path in paths:
        intake.used(path, path.name)
    if source.name == "digits":
        return read_digits(paths[0], intake)
    columns = Columns(messages="messages") if source.name in ("hotel_dialogues", "hotel_pairs") else Columns()
    tables = {path.name: read_table(path, FileSource(kind="file", path=""), path.name) for path in paths}
    rows = take_columns(join_tables(tables), columns, " and ".join(tables))
    return nearest_pairs(rows) if source.name == "hotel_pairs" else rows


def read_files(source: FileSource, intake: Intake) -> pd.DataFrame:
    """Local tables, or an archive of such."""
    paths = find_files(source.path)
    named = [source.path] if isinstance(source.path, str) else source.path
    intake.where = ", ".join(recipe_name(Path(name)) if Path(name).is_absolute() else name for name in named)
    for path in paths:
        intake.used(path)
    return read_tables({str(path): path for path in paths}, source, intake)


def read_tables(files: dict[str, Path], source: FileSource | UrlSource, intake: Intake) -> pd.DataFrame:
    """Files by name (which gives the format) -> rows."""
    tables = open_tables(files, source, intake)
    where = next(iter(tables)) if len(tables) == 1 else f"{len(tables)} files ({next(iter(tables))} …)"
    if source.columns.image is not None:
        store_images(tables, source.columns.image, image_folders(tables, source), intake)
    refuse_names(tables, source, intake)
    rows = take_columns(join_tables(tables), source.columns, where, notes=intake.notes)
    if source.split_files:
        parts = [
            part for name, table in tables.items() for part in [part_of(name, source.columns.split_map)] * len(table)
        ]
        rows["split"] = pd.Series(parts, index=rows.index, dtype="str")
    elif source.columns.split is None and (named := parts_by_name(list(tables))):
        shown = ", ".join(f"{PurePosixPath(name).name} {part}" for name, part in zip(tables, named, strict=True))
        intake.note(f"the names of the files give a split that is not read ({shown}); `split_files: true` reads it")
    return rows


def open_tables(files: dict[str, Path], source: FileSource | UrlSource, intake: Intake) -> dict[str, pd.DataFrame]:
    """Files by name -> tables by name; archives are unpacked into scratch."""
    unpacked = intake.scratch / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)  # of a killed run
    flat: dict[str, Path] = {}
    try:
        for number, (name, path) in enumerate(files.items()):
            if archives.is_archive(name) or source.member is not None:
                with _called(path, name):
                    inside = _unpacked(path, name, source, intake, unpacked / str(number))
                flat |= {f"{name}/{member}": copy for member, copy in inside.items()}
            else:
                flat[name] = path
        for name, path in flat.items():
            check_content(path, name, source)
        formats = {format_of(name, source) for name in flat}
        check_read(source, formats)
        return {name: _read(path, name, source, intake) for name, path in flat.items()}
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _read(path: Path, name: str, source: FileSource | UrlSource, intake: Intake) -> pd.DataFrame:
    """One table."""
    with _called(path, name):
        return read_table(path, _decoded(source, path, name, intake), name, notes=intake.notes)


@contextmanager
def _called(path: Path, name: str) -> Iterator[None]:
    """What is wrong with a file is stated about its own name, not of the copy's."""
    try:
        yield
    except DataError as error:
        raise DataError(str(error).replace(str(path), name)) from None


def _unpacked(path: Path, called: str, source: FileSource | UrlSource, intake: Intake, folder: Path) -> dict[str, Path]:
    names = []
    if note := archives.note_names(path):
        intake.note(note)
    for member in archives.read_members(path, called):
        intake.licensed(member.name, member.blocks())
        names.append(member.name)
    known, tables = tables_among(names)
    wanted = pick_members(path, known, source.member, tables if tables or not source.format else known)
    copies = unpack_tables(path, wanted, folder, called)
    for name, copy in copies.items():
        intake.used(copy, name)
    return copies


def _decoded(source: FileSource | UrlSource, path: Path, name: str, intake: Intake) -> FileSource | UrlSource:
    """The source with the encoding found out where the recipe asks for that."""
    if source.encoding != "detect" or format_of(name, source) in BINARY:
        return source
    encoding = detect_encoding(path)
    intake.note(f"{PurePosixPath(name).name}: {describe_encoding(path, encoding)}")
    return replace(source, encoding=encoding)


def download(url: str, sha256: str, token: str | None, intake: Intake) -> Path:
    """The file behind an address, in the scratch folder; the token of that name goes to that host alone."""
    limits = settings()
    terms = fetch.Terms(None if token is None else intake.secret(token), limits.largest_source, intake.progress)
    path = fetch.download_file(url, sha256, intake.scratch, allow_private=limits.allow_private_sources, terms=terms)
    intake.where = fetch.shown(url)
    intake.used(path, PurePosixPath(urlsplit(url).path).name or "file", sha256)
    return path


def _image_place(source: ImagesSource, intake: Intake) -> Path:
    if source.url is not None:
        return download(source.url, str(source.sha256), source.token, intake)
    place = image_place(source)
    intake.where = recipe_name(place)
    if place.is_file():
        intake.used(place)
    return place


def read_hotel_dialogues(source: CrosswozSource, intake: Intake) -> pd.DataFrame:
    """Hotel runs of CrossWOZ's dialogues; runs of one dialogue are a group. What is dropped is counted in a note."""
    table_path = settings().source(source.hotels)
    hotels = read_hotels(table_path)
    intake.used(table_path)
    parts, fates = [], Counter[str]()
    for split, paths in (("train", source.train), ("test", source.test)):
        for path in find_files(paths):
            intake.used(path)
            runs, fate = convert(read_crosswoz(path), hotels)
            fates += fate
            dialogues = [(dump_messages(run.messages), run.dialogue_id) for run in runs]
            parts.append(pd.DataFrame(dialogues, columns=["messages", "group"]).assign(split=split))
    intake.where = "CrossWOZ: " + ", ".join(recipe_name(Path(name)) for name in (str(source.train), str(source.test)))
    intake.note("messages: " + ", ".join(f"{fate} {count:,}" for fate, count in fates.most_common()))
    return pd.concat(parts, ignore_index=True).astype(dict.fromkeys(("messages", "group", "split"), "str"))
