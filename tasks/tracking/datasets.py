"""A run's data as MLflow's datasets: the parts with digest, source, schema, rows; and where the rows came from."""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import get_dataset_source_from_json
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.data.huggingface_dataset_source import HuggingFaceDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.types import ColSpec, DataType, Schema

from ..artifact import Artifact

PARTS = ("train", "validation", "test")
DIGITS = 36
"""MLflow's longest digest."""


def inputs(stages: Mapping[str, Artifact]) -> list[DatasetInput]:
    """The parts of a split as the inputs of a run, each tagged with what it was for."""
    return [DatasetInput(dataset(part, stages), [InputTag("mlflow.data.context", part)]) for part in PARTS]


def dataset(part: str, stages: Mapping[str, Artifact]) -> Dataset:
    """One part of a split, whose digest is that of its file; `mlflow.data.get_source` says where its rows came from."""
    split, section = stages["split"], _section(stages)
    entry = split.manifest()["files"][f"data/{part}.parquet"]
    about = MetaDataset(
        _source(section, stages),
        f"{named(section)}-{part}",
        entry["sha256"][:DIGITS],
        _schema(pq.read_schema(split.file(f"{part}.parquet"))),
    )
    profile = {"num_rows": rows(stages)[part], "bytes": entry["size"], "split": split.digest}
    return Dataset(**about.to_dict(), profile=json.dumps(profile))


def rows(stages: Mapping[str, Artifact]) -> dict[str, int]:
    """How many rows each part of the split has."""
    return {part: pq.read_metadata(stages["split"].file(f"{part}.parquet")).num_rows for part in PARTS}


def provenance(download: Artifact) -> dict[str, Any]:
    """What the download stage states about its source: kind, where, when, files, licence."""
    path = download.records / "provenance.json"
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return facts


def named(section: Mapping[str, Any]) -> str:
    """What a source is called: its name, its repository, or the file or folder that it is read from."""
    for key in ("name", "repo"):
        if isinstance(section.get(key), str):
            return str(section[key])
    path = section.get("url") or section.get("path")
    if isinstance(path, str):
        return PurePosixPath(urlsplit(path).path).stem or "rows"
    return str(section.get("kind", "rows"))


def _section(stages: Mapping[str, Artifact]) -> Mapping[str, Any]:
    section: Mapping[str, Any] = stages["download"].manifest()["section"] if "download" in stages else {}
    return section


def _source(section: Mapping[str, Any], stages: Mapping[str, Artifact]) -> DatasetSource:
    """Where a person finds the raw rows; local files by the path that the recipe gives, below TEMPER_DATA."""
    known = provenance(stages["download"]) if "download" in stages else {}
    where, kind = str(known.get("where") or "unknown"), section.get("kind")
    if kind == "hub":
        return HuggingFaceDatasetSource(path=section["repo"], revision=section.get("revision"))
    if where.startswith(("http://", "https://")):
        return HTTPDatasetSource(where)
    if isinstance(section.get("path"), str):
        return get_dataset_source_from_json(json.dumps({"uri": where}), "local")
    return CodeDatasetSource({"kind": str(kind), "where": where})


def _schema(columns: pa.Schema) -> Schema:
    """The columns as MLflow names their types; what it has no name for is shown as text."""
    types = [
        (pa.types.is_floating, DataType.double),
        (pa.types.is_integer, DataType.long),
        (pa.types.is_boolean, DataType.boolean),
        (pa.types.is_binary, DataType.binary),
    ]
    return Schema(
        [
            ColSpec(next((name for fits, name in types if fits(column.type)), DataType.string), column.name)
            for column in columns
        ]
    )
