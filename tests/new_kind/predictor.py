"""A saved model folder -> predictions on raw texts; the same code here, in evaluate and in the registry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import AutoModelForSequenceClassification

from ...data.predictions import Predictions, from_logits
from ...text.collation import pad_rows
from ...text.encoding import FILE, read_encoding
from ...text.inputs import require_texts
from ...text.loading import load_model
from ...text.tokenizer import TextTokenizer, load_tokenizer
from .encoding import BackwardEncoding


@dataclass(frozen=True)
class Predictor:
    """Texts in, class probabilities out."""

    encoding: BackwardEncoding
    tokenizer: TextTokenizer
    model: Any
    content = "text"

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> "Predictor":
        """Read tokenizer.json, encoding.json, config.json and model.safetensors."""
        encoding = read_encoding(folder / FILE, BackwardEncoding)
        model = load_model(AutoModelForSequenceClassification, folder, device)
        return cls(encoding, load_tokenizer(folder, encoding.special), model)

    @torch.inference_mode()
    def predict(
        self, texts: Sequence[str], batch_size: int = 32, progress: Callable[[int, int], None] = lambda done, of: None
    ) -> Predictions:
        """Score texts in batches. Raises ValueError for what is not a text."""
        require_texts(texts)
        encoded = self.encoding.encode(self.tokenizer, texts)
        logits = np.empty((len(texts), len(self.encoding.labels)))
        for start in range(0, len(texts), batch_size):
            rows = range(start, min(start + batch_size, len(texts)))
            batch = pad_rows(encoded, rows, self.encoding.pad_id)
            inputs = {
                name: torch.from_numpy(batch[name]).to(self.model.device) for name in ("input_ids", "attention_mask")
            }
            logits[rows.start : rows.stop] = self.model(**inputs).logits.double().cpu().numpy()
            progress(rows.stop, len(texts))
        return from_logits(logits, np.ones(len(texts), bool))

    def frame(self, texts: Sequence[str], batch_size: int = 32) -> pd.DataFrame:
        """Columns label, probability (of that label), and `probability of X` for each label X."""
        return self.predict(texts, batch_size).frame(self.encoding.labels)
