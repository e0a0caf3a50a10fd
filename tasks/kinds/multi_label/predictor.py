"""A saved model folder -> the labels of texts; the same code here, in evaluate and where it is served."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from transformers import AutoModelForSequenceClassification

from ...text.collation import pad_rows, rows_by_length
from ...text.encoding import FILE, read_encoding
from ...text.inputs import require_texts
from ...text.loading import load_model
from ...text.segments import Encoded
from ...text.token_types import model_inputs
from ...text.tokenizer import TextTokenizer, load_tokenizer
from . import thresholds as levels
from .encoding import LabelSetEncoding

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Predictor:
    """Texts in, a probability of each label out. thresholds: from which on a label is predicted, in their order."""

    encoding: LabelSetEncoding
    tokenizer: TextTokenizer
    model: Any
    thresholds: npt.NDArray[np.float64]
    content = "text"

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> "Predictor":
        """Read tokenizer.json, encoding.json, thresholds.json, config.json and model.safetensors."""
        encoding = read_encoding(folder / FILE, LabelSetEncoding)
        chosen = json.loads((folder / levels.FILE).read_text(encoding="utf-8"))
        thresholds = np.array([chosen[label] for label in encoding.labels], np.float64)
        model = load_model(AutoModelForSequenceClassification, folder, device)
        return cls(encoding, load_tokenizer(folder, encoding.special), model, thresholds)

    def predict(
        self, texts: Sequence[str], batch_size: int = 32, progress: Progress = lambda done, of: None
    ) -> npt.NDArray[np.float64]:
        """Probabilities [texts, labels]. Raises ValueError for what is not a text."""
        require_texts(texts)
        return self.probabilities(self.encoding.encode(self.tokenizer, texts), batch_size, progress)

    @torch.inference_mode()
    def probabilities(
        self, encoded: Encoded, batch_size: int = 32, progress: Progress = lambda done, of: None
    ) -> npt.NDArray[np.float64]:
        """Probabilities [rows, labels] of encoded rows, batched by length."""
        logits = np.empty((len(encoded), len(self.encoding.labels)))
        done = 0
        for rows in rows_by_length(encoded.lengths, batch_size):
            inputs = model_inputs(self.model, pad_rows(encoded, rows, self.encoding.pad_id))
            logits[rows] = self.model(**inputs).logits.double().cpu().numpy()
            progress(done := done + len(rows), len(encoded))
        return np.asarray(torch.sigmoid(torch.from_numpy(logits)).numpy())

    def chosen(self, probabilities: npt.NDArray[np.float64]) -> list[str]:
        """Of each row the labels that are predicted, sorted, as a JSON list."""
        names = np.array(self.encoding.labels, object)
        return [json.dumps(sorted(names[row]), ensure_ascii=False) for row in probabilities >= self.thresholds]

    def frame(self, texts: Sequence[str], batch_size: int = 32) -> pd.DataFrame:
        """Columns labels (a JSON list, [] for none) and `probability of X` for each label X."""
        probabilities = self.predict(texts, batch_size)
        columns = {f"probability of {label}": probabilities[:, at] for at, label in enumerate(self.encoding.labels)}
        return pd.DataFrame({"labels": pd.Series(self.chosen(probabilities), dtype="str"), **columns})
