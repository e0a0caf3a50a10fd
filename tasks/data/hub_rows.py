"""A data set of the Hub -> rows: its splits, its classes' names, its licence; what its card must not name."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from configs.sources import HubSource

from . import archives, hub
from .columns import split_names, take_columns
from .errors import DataError
from .intake import Intake


def read_hub(source: HubSource, intake: Intake) -> pd.DataFrame:
    """Fetch a data set at its commit and read every split; integer classes become their names."""
    parts = []
    for split, (features, table) in load_hub(source, intake).items():
        columns = source.columns
        names = getattr(features.get(columns.label or ""), "names", None)
        if names is not None:
            table[columns.label] = table[columns.label].where(table[columns.label] != -1)  # the Hub's "no label"
            columns = replace(columns, label_names=columns.label_names or tuple(names))
        rows = take_columns(table, columns, f"{source.repo} ({split})", notes=intake.notes)
        if columns.split is None:
            rows["split"] = split_names(pd.Series([split] * len(rows), dtype="str"))
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def load_hub(source: HubSource, intake: Intake) -> dict[str, tuple[dict[str, Any], pd.DataFrame]]:
    """Features and table of every split of a data set at its commit. Raises DataError."""
    import datasets

    token = None if source.token is None else intake.secret(source.token)
    folder = hub.fetch(source.repo, source.revision, "dataset", hub.DATA_FILES, token=token, progress=intake.progress)
    cache = str(intake.scratch / "datasets")
    try:
        record_hub(source, folder, intake)
        check_packed(folder)
        check_card(folder / "README.md")
        builder = datasets.load_dataset_builder(str(folder), source.subset, cache_dir=cache)
        words = {"keep_default_na": False, "na_values": [""]} if hasattr(builder.config, "keep_default_na") else {}
        loaded = datasets.load_dataset(str(folder), source.subset, cache_dir=cache, **words)
    except (ValueError, FileNotFoundError, datasets.exceptions.DatasetsError) as error:
        reason = str(error.__cause__ or error).strip().split("\n")[0][:300]
        raise DataError(f"{source.repo}@{source.revision[:8]}: {reason}") from None
    classes = datasets.ClassLabel
    return {
        str(split): ({name: one for name, one in part.features.items() if isinstance(one, classes)}, part.to_pandas())
        for split, part in loaded.items()
    }


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
    """What a data set's README.md says of it at its head; empty where there is none. Raises DataError for no YAML."""
    import yaml
    from huggingface_hub import DatasetCard

    try:
        told: dict[str, Any] = DatasetCard.load(card).data.to_dict() if card.is_file() else {}
    except (ValueError, yaml.YAMLError) as error:
        raise DataError(f"its README.md begins with what is not YAML ({str(error).splitlines()[0]})") from None
    return told


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
        for one in part.values() if isinstance(part, dict) else part:
            yield from _strings(one)
