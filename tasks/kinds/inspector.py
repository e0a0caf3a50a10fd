"""One row as a model sees it, for `temper inspect`; each kind's own part lies in its module `inspected`."""

import importlib
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..learn.row_answers import RowAnswer
from .spec import module_of


class Inspector(Protocol):
    """Module `inspected` of a kind that predicts no single class."""

    def answer_row(self, folder: Path, row: pd.DataFrame) -> RowAnswer:
        """What the model in `folder` makes of a table's only row."""

    def mistakes(self, answers: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Which predictions of test rows, as `evaluate` keeps them, are wrong."""


def open_inspector(kind: str) -> Inspector:
    """How one row of a kind is inspected."""
    return cast(Inspector, importlib.import_module(module_of(kind, "inspected")))
