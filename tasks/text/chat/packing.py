"""Sequences -> rows of several, without attention from one to another; and whether a model keeps to that."""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...learn.labels import IGNORE_INDEX
from ..collation import Matrix
from ..segments import Encoded

PROBE = 7
"""Tokens of each sequence of the probe."""


def pack_rows(lengths: npt.NDArray[np.int64], width: int) -> list[list[int]]:
    """Sequence numbers per row, first fit decreasing (Johnson 1973): no row above `width` tokens.

    Deterministic: equal lengths in their order. Raises ValueError for a sequence longer than a row.
    """
    if lengths.max(initial=0) > width:
        raise ValueError(f"a sequence of {lengths.max()} tokens fits no row of {width}; truncate it first")
    rows: list[list[int]] = []
    room = np.empty(len(lengths), np.int64)
    for number in np.argsort(-lengths, kind="stable").tolist():
        fitting = room[: len(rows)] >= lengths[number]
        row = int(fitting.argmax()) if fitting.any() else len(rows)
        if row == len(rows):
            rows.append([])
            room[row] = width
        rows[row].append(number)
        room[row] -= lengths[number]
    return rows


def pad_packed(
    encoded: Encoded, rows: Sequence[Sequence[int]], pad_id: int, width: int | None = None
) -> dict[str, Matrix]:
    """input_ids, labels and position_ids, int64 [len(rows), width]; width defaults to the longest row.

    position_ids begin at 0 with every sequence, and with the pads. There is no attention_mask: with none and
    use_cache=False transformers makes a block-diagonal one of the positions (masking_utils, or varlen kernels on GPU).
    The first label of a sequence is -100, since models shift and it would be learnt from the sequence before.
    """
    lengths = encoded.lengths
    longest = max((int(lengths[list(row)].sum()) for row in rows), default=1)
    shape = (len(rows), longest if width is None else width)
    ids, labels = np.full(shape, pad_id, np.int64), np.full(shape, IGNORE_INDEX, np.int64)
    positions = np.zeros(shape, np.int64)
    for row, numbers in enumerate(rows):
        place = 0
        for number in numbers:
            begin, stop = encoded.offsets[number], encoded.offsets[number + 1]
            span = slice(place, place := place + int(stop - begin))
            ids[row, span], labels[row, span] = encoded.ids[begin:stop], encoded.labels[begin:stop]
            labels[row, span][:1] = IGNORE_INDEX
            positions[row, span] = np.arange(stop - begin)
        positions[row, place:] = np.arange(shape[1] - place)
    return {"input_ids": ids, "labels": labels, "position_ids": positions}


def packs(model: Any) -> bool:
    """Whether a sequence gives the same hidden states behind another one as alone, and whatever the other one is.

    False for models that read no position_ids, or look past where these begin again.
    """
    import torch

    base = model.base_model
    if "position_ids" not in inspect.signature(base.forward).parameters:
        return False
    training, device = model.training, model.device
    left, other, last = torch.arange(3 * PROBE, device=device).reshape(3, 1, PROBE) % model.config.vocab_size
    positions = torch.arange(PROBE, device=device)[None]
    model.eval()
    with torch.inference_mode():
        alone = base(input_ids=last, position_ids=positions, use_cache=False)[0]
        behind, changed = (
            base(input_ids=torch.cat([first, last], 1), position_ids=positions.repeat(1, 2), use_cache=False)[0]
            for first in (left, other)
        )
    model.train(training)
    loose = torch.finfo(alone.dtype).eps ** 0.5  # shapes differ, so other kernels may run
    same = torch.allclose(alone, behind[:, PROBE:], rtol=loose, atol=loose)
    return same and torch.equal(behind[:, PROBE:], changed[:, PROBE:])
