"""Texts with any number of labels as segments, and their labels as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...text.encoding import Encoding


@dataclass(frozen=True)
class LabelSetEncoding(Encoding):
    """The tokenizer's own form for one text. thresholds: how the model's are chosen, as in encode.thresholds."""

    thresholds: str

    def targets(self, sets: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """1 where a row has a label, else 0, float32 [rows, labels]; sets: the ids of each row's labels."""
        targets = np.zeros((len(sets), len(self.labels)), np.float32)
        for row, ids in enumerate(sets):
            targets[row, list(ids)] = 1
        return targets
