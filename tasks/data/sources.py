"""A recipe's source -> rows (text, label, split) as strings, whatever the source's own columns and types."""

import difflib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from configs.settings import settings
from configs.sources import ClassFilesSource, Columns, EmbeddedSource, FileSource, HubSource, Source, UrlSource

from . import fetch, hub
from .files import DataError, check_encoding, check_file, embedded_file, text_encoding
from .tables import read_table

SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation",
          "dev": "validation", "test": "test"}  # fmt: skip


def load_rows(source: Source, scratch: Path) -> pd.DataFrame:
    """Read a source; a Hub data set's revision must be a commit by now.

    Returns columns text, label, split (str, null where missing). Raises DataError.
    """
    match source:
        case EmbeddedSource():
            table = read_table(
                embedded_file(source), FileSource(kind="file", path="", columns=Columns()), "reviews.csv"
            )
            rows = take_columns(table, Columns(), embedded_file(source).name)
        case FileSource():
            path = settings().source(source.path)
            rows = take_columns(read_table(path, source), source.columns, str(path))
        case ClassFilesSource():
            rows = read_class_files(source)
        case UrlSource():
            path = fetch.download_file(
                source.url, source.sha256, scratch, allow_private=settings().allow_private_sources
            )
            rows = take_columns(read_table(path, source, source.url), source.columns, source.url)
        case HubSource():
            rows = read_hub(source, scratch)
    if rows.empty:
        raise DataError("the source holds no rows")
    return rows


def take_columns(table: pd.DataFrame, columns: Columns, where: str) -> pd.DataFrame:
    """Pick and rename the columns, with labels and splits as names. Raises DataError for an absent column."""
    for role, name in (("text", columns.text), ("label", columns.label), ("split", columns.split)):
        if name is not None and list(table.columns).count(name) > 1:
            raise DataError(f"{where}: two columns are called {name!r}; rename one of them")
        if name is not None and name not in table.columns:
            near = difflib.get_close_matches(name, map(str, table.columns), 1, 0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(
                f"{where}: no column {name!r} for `columns.{role}`; "
                f"the columns are {list(map(str, table.columns))}{hint}"
            )
    picked = pd.DataFrame({"text": _words(table[columns.text]), "label": _words(table[columns.label])})
    if columns.label_names:
        names = {str(index): name for index, name in enumerate(columns.label_names)}
        found = picked["label"].dropna()
        odd = found[~found.isin([*names, *columns.label_names])]
        if len(odd):
            raise DataError(
                f"{where}: row {odd.index[0] + 1} has the label {odd.iloc[0]!r}, which is not one of the "
                f"{len(names)} in `columns.label_names` ({', '.join(columns.label_names)})"
            )
        picked["label"] = picked["label"].map(lambda label: names.get(label, label), na_action="ignore")
    picked["split"] = _splits(_words(table[columns.split])) if columns.split else None
    return picked.astype({"text": "str", "label": "str", "split": "str"})


def _words(column: pd.Series) -> pd.Series:
    """Any column as words: 1.0 from an integer column with gaps is "1"; null stays null."""
    if pd.api.types.is_float_dtype(column):
        numbers = column.dropna()
        if (numbers % 1 == 0).all() and (numbers.abs() < 2**53).all():
            column = column.astype("Int64")
    return column.astype("str").where(column.notna())


def _splits(column: pd.Series) -> pd.Series:
    known = column.str.strip().str.lower().map(SPLITS)
    odd = column[known.isna() & column.notna()].unique()
    if len(odd):
        raise DataError(f"split names {sorted(odd)[:5]} are unknown; use train, validation and test")
    return known


def read_class_files(source: ClassFilesSource) -> pd.DataFrame:
    """One file per label, one text a line; a blank line is a row without text."""
    parts = []
    for label, name in source.files.items():
        path = settings().source(name)
        check_file(path)
        check_encoding(path, source.encoding)
        text = path.read_text(encoding=text_encoding(source.encoding))
        lines = pd.Series(text.removesuffix("\n").split("\n"), dtype="str").str.removesuffix("\r")
        parts.append(pd.DataFrame({"text": lines.where(lines != ""), "label": label, "split": None}))
    return pd.concat(parts, ignore_index=True).astype({"text": "str", "label": "str", "split": "str"})


def read_hub(source: HubSource, scratch: Path) -> pd.DataFrame:
    """Fetch a data set at its commit and read every split; integer classes become their names."""
    import datasets

    folder = hub.fetch(source.repo, source.revision, "dataset", hub.DATA_FILES)
    cache = str(scratch / "datasets")
    try:
        check_card(folder / "README.md")
        builder = datasets.load_dataset_builder(str(folder), source.subset, cache_dir=cache)
        words = {"keep_default_na": False, "na_values": [""]} if hasattr(builder.config, "keep_default_na") else {}
        loaded = datasets.load_dataset(str(folder), source.subset, cache_dir=cache, **words)
    except (ValueError, FileNotFoundError, datasets.exceptions.DatasetsError) as error:
        reason = str(error.__cause__ or error).strip().split("\n")[0][:300]
        raise DataError(f"{source.repo}@{source.revision[:8]}: {reason}") from None
    parts = []
    for split, part in loaded.items():
        columns = source.columns
        feature, table = part.features.get(columns.label), part.to_pandas()
        if isinstance(feature, datasets.ClassLabel):
            table[columns.label] = table[columns.label].where(table[columns.label] != -1)  # the Hub's "no label"
            columns = replace(columns, label_names=columns.label_names or tuple(feature.names))
        rows = take_columns(table, columns, f"{source.repo} ({split})")
        if columns.split is None:
            rows["split"] = _splits(pd.Series([str(split)] * len(rows), dtype="str"))
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def check_card(card: Path) -> None:
    """Raise DataError where a data set's card names files outside the data set: `datasets` would read them.

    An address there reaches any server, a path any file of this machine.
    """
    from huggingface_hub import DatasetCard

    configs = DatasetCard.load(card).data.get("configs") if card.is_file() else None
    for config in [entry for entry in configs or [] if isinstance(entry, dict)]:
        for place in _strings([config.get("data_files"), config.get("data_dir")]):
            outside = place.startswith(("/", "~")) or ".." in PurePosixPath(place).parts
            if outside or urlsplit(place).scheme or "://" in place or "::" in place:
                raise DataError(f"its README.md names {place!r}, which is not a file of the data set")


def _strings(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict | list):
        for one in part.values() if isinstance(part, dict) else part:
            yield from _strings(one)
