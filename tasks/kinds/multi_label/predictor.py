"""A saved model folder -> the labels of texts; the same code here, in evaluate and where it is served."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...runtime.net import Arrays, Net, open_net
from ...text.encoding import FILE, read_encoding
from ...text.scoring import Progress, load_head, one_batch, score_batches, score_rows
from ...text.segments import Encoded
from ...text.served_inputs import require_texts
from ...text.tokenizer import TextTokenizer, load_tokenizer
from . import thresholds as levels
from .encoding import LabelSetEncoding


@dataclass(frozen=True)
class Predictor:
    """Texts in, a probability of each label out. thresholds: from which on a label is predicted, in their order."""

    encoding: LabelSetEncoding
    tokenizer: TextTokenizer
    net: Net
    thresholds: npt.NDArray[np.float64]
    content = "text"

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> "Predictor":
        """Read tokenizer.json, encoding.json, thresholds.json, config.json and model.safetensors."""
        encoding = read_encoding(folder / FILE, LabelSetEncoding)
        chosen = json.loads((folder / levels.FILE).read_text(encoding="utf-8"))
        thresholds = np.array([chosen[label] for label in encoding.labels], np.float64)
        net = open_net(folder, lambda: load_head(folder), device)
        return cls(encoding, load_tokenizer(folder, encoding.special), net, thresholds)

    def inputs(self, texts: Sequence[str]) -> Arrays:
        """What the net takes of texts in one batch."""
        return one_batch(self.encoding.encode(self.tokenizer, texts), self.encoding.pad_id)

    def scores(self, texts: Sequence[str], batch_size: int = 32) -> npt.NDArray[np.float64]:
        """Logits [texts, labels]. Raises ValueError for what is not a text."""
        require_texts(texts)
        return self._logits(self.encoding.encode(self.tokenizer, texts), batch_size, lambda done, of: None)

    def predict(
        self, texts: Sequence[str], batch_size: int = 32, progress: Progress = lambda done, of: None
    ) -> npt.NDArray[np.float64]:
        """Probabilities [texts, labels]. Raises ValueError for what is not a text."""
        require_texts(texts)
        return self.probabilities(self.encoding.encode(self.tokenizer, texts), batch_size, progress)

    def probabilities(
        self, encoded: Encoded, batch_size: int = 32, progress: Progress = lambda done, of: None
    ) -> npt.NDArray[np.float64]:
        """Probabilities [rows, labels] of encoded rows, batched by length."""
        return np.exp(-np.logaddexp(0, -self._logits(encoded, batch_size, progress)))

    def _logits(self, encoded: Encoded, batch_size: int, progress: Progress) -> npt.NDArray[np.float64]:
        batches = score_batches(self.net, encoded, self.encoding.pad_id, batch_size, progress)
        return score_rows(batches, (len(encoded), len(self.encoding.labels)))

    def chosen(self, probabilities: npt.NDArray[np.float64]) -> list[str]:
        """Of each row the labels that are predicted, sorted, as a JSON list."""
        names = np.array(self.encoding.labels, object)
        return [json.dumps(sorted(names[row]), ensure_ascii=False) for row in probabilities >= self.thresholds]

    def frame(self, texts: Sequence[str], batch_size: int = 32) -> pd.DataFrame:
        """Columns labels (a JSON list, [] for none) and `probability of X` for each label X."""
        probabilities = self.predict(texts, batch_size)
        columns = {f"probability of {label}": probabilities[:, at] for at, label in enumerate(self.encoding.labels)}
        return pd.DataFrame({"labels": pd.Series(self.chosen(probabilities), dtype="str"), **columns})
