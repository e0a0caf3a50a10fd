"""A saved model asked rows of a split: its predictor with the code of today, and the rows as it takes them."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.pairs import contents
from .spec import kind_in, module_of


def open_predictor(folder: Path, device: str | None = None) -> Any:
    """The predictor of a model's files; device: where torch computes, a GPU where there is one and none is stated."""
    return importlib.import_module(module_of(kind_in(folder), "predictor")).Predictor.load(folder, device)


def text_contents(rows: pd.DataFrame, content: str) -> list[Any]:
    """Rows as a model that takes texts, pairs or messages (`content`) is asked them."""
    return contents(rows) if content == "text" else list(rows[content])


def image_contents(rows: pd.DataFrame, images: Path) -> list[Any]:
    """Rows as a model that takes images is asked them: the bytes of the file that each names in images.parquet."""
    from ..vision.images import read_bytes

    files: Mapping[str, bytes] = dict(read_bytes(images, set(rows["image"])))
    return [files[name] for name in rows["image"]]
