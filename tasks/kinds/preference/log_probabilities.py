"""A causal model and encoded sequences -> the log-probability of what is supervised in each, in steps that are kept."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ...store.kept_arrays import keep, read_kept
from ...text.collation import pad_rows, rows_by_length
from ...text.segments import Encoded
from .forward import reply_log_probabilities

Floats = npt.NDArray[np.float64]
Done = Callable[[int, int], None]
BATCHES = 64
"""Batches after which what is computed is kept."""


class Batches(NamedTuple):
    """Encoded sequences, the id that fills up short ones, and how many go through the model at a time."""

    encoded: Encoded
    pad_id: int
    size: int


def log_probabilities(
    model: Any,
    batches: Batches,
    *,
    precision: str = "float32",
    scratch: Path | None = None,
    done: Done = lambda done, of: None,
) -> Floats:
    """The summed log-probability of each sequence's supervised tokens [sequences].

    scratch: folder of what an earlier call computed of the same sequences, and where this one keeps what it computes.
    """
    values = np.zeros(len(batches.encoded))
    every = list(rows_by_length(batches.encoded.lengths, batches.size))
    for first in range(0, len(every), BATCHES):
        some = every[first : first + BATCHES]
        rows, kept = np.concatenate(some), None if scratch is None else scratch / f"{first}.npy"
        known = None if kept is None else read_kept(kept, (len(rows),))
        if known is None:
            known = np.concatenate([_of_batch(model, batches, rows_of_batch, precision) for rows_of_batch in some])
            if kept is not None:
                keep(kept, known)
        values[rows] = known
        done(int(min(first + BATCHES, len(every))), len(every))
    return values


@torch.inference_mode()
def _of_batch(model: Any, batches: Batches, rows: Any, precision: str) -> Floats:
    padded = pad_rows(batches.encoded, rows, batches.pad_id)
    batch = {name: torch.from_numpy(values).to(model.device) for name, values in padded.items()}
    reduced: AbstractContextManager[Any] = nullcontext()
    if precision != "float32":
        reduced = torch.autocast(model.device.type, getattr(torch, precision))
    with reduced:
        values = reply_log_probabilities(model, **batch)
    return np.asarray(values.double().cpu().numpy())
