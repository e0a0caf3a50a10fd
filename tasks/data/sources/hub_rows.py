"""A data set of the Hub -> rows: its splits, its classes' names, its licence; what its card must not name."""

import gzip
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from configs.sources import FileSource, HubSource

from ..errors import DataError
from . import archives, hub
from .columns import split_names, take_columns
from .image_store import ImageStore
from .provenance import Intake
from .tables import join_tables, read_table
from .written import as_written, frame_of

TELL_EVERY = 1000
"""Images between two signs of progress."""


def read_hub(source: HubSource, intake: Intake) -> pd.DataFrame:
    """Fetch a data set at its commit and read every split; integer classes become their names."""
    return take_rows(source, *load_hub(source, intake), intake)


def take_rows(
    source: HubSource, folder: Path, loaded: dict[str, tuple[dict[str, Any], pd.DataFrame]], intake: Intake
) -> pd.DataFrame:
    """The rows of what `load_hub` found; its tables are changed."""
    parts = []
    if source.columns.image is not None:
        keep_images({split: table for split, (_, table) in loaded.items()}, folder, source, intake)
    for split, (features, table) in loaded.items():
        columns = source.columns
        names = getattr(features.get(columns.label or columns.tags or ""), "names", None)
        if names is not None and columns.tags is not None:
            columns = replace(columns, label_names=columns.label_names or tuple(names))
        elif names is not None:
            numbers = as_written(table[columns.label], source.repo, "download.columns.label")
            table[columns.label] = numbers.where(numbers != "-1")  # the Hub's "no label"
            columns = replace(columns, label_names=columns.label_names or tuple(names))
        rows = take_columns(table, columns, f"{source.repo} ({split})", notes=intake.notes)
        if columns.split is None:
            rows["split"] = split_names(pd.Series([split] * len(rows), dtype="str"), columns.split_map)
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def keep_images(tables: dict[str, pd.DataFrame], folder: Path, source: HubSource, intake: Intake) -> None:
    """Put the bytes of all images into the store, and in their place the sha256, with what they are called in `file`.

    Raises DataError for a column that holds none.
    """
    column, total = str(source.columns.image), sum(map(len, tables.values()))
    unread = 0
    with ImageStore(intake) as store:
        for split, table in tables.items():
            if column not in table:
                raise DataError(
                    f"{source.repo} ({split}): no column {column!r} for `columns.image`; the columns are "
                    f"{list(table.columns)}"
                )
            digests = []
            for number, value in enumerate(table[column]):
                digests.append((*_image(value, store, folder, column), f"{split}/{number:06d}"))
                unread += 1
                if unread % TELL_EVERY == 0 or unread == total:
                    intake.progress(unread, total, "reading images")
            table[column] = pd.Series([digest for digest, _, _ in digests], index=table.index, dtype="str")
            table["file"] = [f"{where}{'/' + name if name else ''}" for _, name, where in digests]
        store.write()


def _image(value: Any, store: ImageStore, folder: Path, column: str) -> tuple[str | None, str]:
    """sha256 and file name of an image as `datasets` keeps it undecoded: {bytes, path}; null where there is none.

    Raises DataError for what is no image, and for a path that is not of the data set's own folder: a table may name
    any file of this machine.
    """
    if value is None:
        return None, ""
    if not isinstance(value, dict) or value.keys() != {"bytes", "path"}:
        raise DataError(f"the column {column!r} holds no images but {type(value).__name__}")
    data, path = value["bytes"], value["path"]
    name = PurePosixPath(path).name if path else ""
    if data is None and not (path and Path(path).is_relative_to(folder) and ".." not in PurePosixPath(path).parts):
        raise DataError(f"the column {column!r} names {path!r}, which is not a file of the data set")
    return store.add(Path(path).read_bytes() if data is None else data), name


def load_hub(source: HubSource, intake: Intake) -> tuple[Path, dict[str, tuple[dict[str, Any], pd.DataFrame]]]:
    """The folder of a data set at its commit; per split its classes by column and its table. Raises DataError."""
    import datasets

    token = None if source.token is None else intake.secret(source.token)
    wanted = hub.DATA_FILES + (hub.PICTURES if source.columns.image else ())
    folder = hub.fetch(
        hub.Snapshot(source.repo, source.revision, "dataset"), wanted, token=token, progress=intake.progress
    )
    cache = str(intake.scratch / "datasets")
    try:
        record_hub(source, folder, intake)
        check_packed(folder)
        check_card(folder / "README.md")
        parts: Any = {}
        builder = datasets.load_dataset_builder(str(folder), source.subset, cache_dir=cache)
        words = {"keep_default_na": False, "na_values": [""]} if hasattr(builder.config, "keep_default_na") else {}
        tables = _read_texts(builder, words, intake)
        if tables is None:
            parts = datasets.load_dataset(str(folder), source.subset, cache_dir=cache, **words)
            tables = {str(split): frame_of(part.with_format("arrow")[:]) for split, part in parts.items()}
    except (ValueError, FileNotFoundError, datasets.exceptions.DatasetsError) as error:
        reason = str(error.__cause__ or error).strip().split("\n")[0][:300]
        raise DataError(f"{source.repo}@{source.revision[:8]}: {reason}") from None
    features = builder.info.features or (next(iter(parts.values())).features if parts else {})
    classes = classes_among(features, source)
    return folder, {split: (classes, table) for split, table in tables.items()}


def classes_among(features: Mapping[str, Any], source: HubSource) -> dict[str, Any]:
    """The features that name classes, by column: single ones, and those that the column of tags lists."""
    import datasets

    tags = source.columns.tags
    named = {name: getattr(feature, "feature", None) if name == tags else feature for name, feature in features.items()}
    return {name: feature for name, feature in named.items() if isinstance(feature, datasets.ClassLabel)}


def _read_texts(builder: Any, words: dict[str, Any], intake: Intake) -> dict[str, pd.DataFrame] | None:
    """Tables per split of CSV files and JSON lines, of which `datasets` would guess types by all rows; else None."""
    from datasets.packaged_modules.csv.csv import CsvConfig
    from datasets.packaged_modules.json.json import JsonConfig

    config = builder.config
    if isinstance(config, CsvConfig):
        options = {**config.pd_read_csv_kwargs, **words, "chunksize": None, "dtype": "str"}
        read: Any = lambda path: pd.read_csv(path, **options)  # noqa: E731
    elif isinstance(config, JsonConfig) and config.field is None:
        read = partial(_read_lines, FileSource(kind="file", path="", format="jsonl", encoding=config.encoding), intake)
    else:
        return None
    try:
        return {
            str(split): join_tables({PurePosixPath(path).name: read(path) for path in paths})
            for split, paths in config.data_files.items()
        }
    except DataError:
        if isinstance(config, CsvConfig):
            raise
        return None  # JSON of another form


def _read_lines(how: FileSource, intake: Intake, path: str) -> pd.DataFrame:
    if not path.endswith(".gz"):
        return read_table(Path(path), how)
    plain = intake.scratch / "unpacked.jsonl"
    with gzip.open(path, "rb") as packed, plain.open("wb") as whole:
        shutil.copyfileobj(packed, whole)
    return read_table(plain, how)


def record_hub(source: HubSource, folder: Path, intake: Intake) -> None:
    """Where the files are from, and the licence that the data set's card names."""
    intake.where = f"{source.repo}@{source.revision}"
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        intake.used(path, path.relative_to(folder).as_posix())
    if licence := read_card(folder / "README.md").get("license"):
        says = licence if isinstance(licence, str) else ", ".join(map(str, licence))
        intake.licence = {"file": "README.md", "says": says[:200]}


def check_packed(folder: Path) -> None:
    """Raise DataError where a compressed file is damaged or grows out of measure: `datasets` would fill the disk."""
    for path in sorted(path for pattern in hub.PACKED for path in folder.rglob(pattern)):
        for member in archives.read_members(path):
            for _ in member.blocks():
                pass


def read_card(card: Path) -> dict[str, Any]:
    """What the head of a data set's README.md states; empty where there is none. Raises DataError for no YAML."""
    import yaml
    from huggingface_hub import DatasetCard

    try:
        card_data: dict[str, Any] = DatasetCard.load(card).data.to_dict() if card.is_file() else {}
    except (ValueError, yaml.YAMLError) as error:
        raise DataError(f"its README.md begins with what is not YAML ({str(error).splitlines()[0]})") from None
    return card_data


def check_card(card: Path) -> None:
    """Raise DataError where a data set's card names files outside the data set: `datasets` would read them.

    An address there reaches any server, a path any file of this machine.
    """
    for config in [entry for entry in read_card(card).get("configs") or [] if isinstance(entry, dict)]:
        for place in _strings([config.get("data_files"), config.get("data_dir")]):
            outside = place.startswith(("/", "~")) or ".." in PurePosixPath(place).parts
            if outside or urlsplit(place).scheme or "://" in place or "::" in place:
                raise DataError(f"its README.md names {place!r}, which is not a file of the data set")


def _strings(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict | list):
        for value in part.values() if isinstance(part, dict) else part:
            yield from _strings(value)
