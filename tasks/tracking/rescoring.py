"""A registered model and test rows -> its predictions, asked as `evaluate` asks, from a process of its own."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.errors import DataError
from ..kinds.spec import open_kind
from . import rescoring_program as program
from .fresh import run_fresh

RUN = """
rows, limits = pd.read_parquet(sys.argv[2]), json.loads(sys.argv[4])
globals()[sys.argv[5]](model, rows, limits).to_parquet(sys.argv[3])
"""
SCORES = """
import numpy
predictor = model.unwrap_python_model().predictor
numpy.save(sys.argv[6], predictor.scores(list(rows["content"]), limits.get("batch_size", 32)))
"""


def rescore(
    uri: str, kind: str, rows: pd.DataFrame, how: Mapping[str, Any], scores: Path | None = None
) -> pd.DataFrame:
    """A registered model's predictions for rows, in their order.

    rows: id and content (a text, the bytes of an image file, or a dialogue as JSON), of dialogues the turn to write
    too. how: evaluate's section. scores: a file of numpy's (.npy) for what its net gives, of a model whose predictor
    states that. Raises DataError where the model does not load or cannot predict.
    """
    known = open_kind(kind)
    columns = dict(known.rescored)
    limits = {name: how[name] for name in ("batch_size", "max_new_tokens") if name in how}
    source = Path(program.__file__).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        given, predicted = Path(scratch) / "given.parquet", Path(scratch) / "predicted.parquet"
        rows.to_parquet(given)
        asked = [str(given), str(predicted), json.dumps(limits), known.rescored_by]
        program_text = source + RUN + (SCORES if scores else "")
        done = run_fresh(program_text, uri, *asked, *([str(scores)] if scores else []))
        if done.returncode or not predicted.is_file():
            raise DataError(f"it cannot be scored again: {''.join(done.stderr.strip().splitlines()[-1:])}")
        table = pd.read_parquet(predicted)
    if absent := [name for name in columns if name not in table]:
        raise DataError(f"it predicts the columns {list(table.columns)}, without {absent[0]}")
    if len(table) != len(rows):
        raise DataError(f"it predicts {len(table)} rows of {len(rows)}")
    return table[list(columns)].rename(columns=columns)


def in_place(predictions: pd.DataFrame, rescored: pd.DataFrame) -> pd.DataFrame:
    """A table of predictions with what another model predicts for the same rows in their place."""
    return predictions.assign(**{str(name): rescored[name].to_numpy() for name in rescored})
