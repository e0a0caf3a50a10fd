"""A saved regression model -> a number for each text; the same code here, in evaluate and where it is served."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from transformers import AutoModelForSequenceClassification

from ...data.pairs import TEXT, TEXT_PAIR, Content
from ...text.collation import pad_rows, rows_by_length
from ...text.encoding import FILE, read_encoding
from ...text.inputs import require_contents
from ...text.loading import load_model
from ...text.token_types import model_inputs
from ...text.tokenizer import TextTokenizer, load_tokenizer
from .encoding import RegressionEncoding


@dataclass(frozen=True)
class Predictor:
    """Texts or pairs of texts in, numbers in the target's own unit out."""

    encoding: RegressionEncoding
    tokenizer: TextTokenizer
    model: Any
    content = TEXT

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a table that it reads."""
        return (TEXT, TEXT_PAIR) if self.encoding.pair else (TEXT,)

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> "Predictor":
        """Read tokenizer.json, encoding.json, config.json and model.safetensors."""
        encoding = read_encoding(folder / FILE, RegressionEncoding)
        tokenizer = load_tokenizer(folder, encoding.special)
        return cls(encoding, tokenizer, load_model(AutoModelForSequenceClassification, folder, device))

    @torch.inference_mode()
    def predict(
        self,
        texts: Sequence[Content],
        batch_size: int = 32,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> npt.NDArray[np.float64]:
        """A number per text or pair of texts [texts], batched by length. Raises ValueError for what is none."""
        require_contents(texts, pairs=self.encoding.pair is not None)
        encoded = self.encoding.encode(self.tokenizer, texts)
        outputs = np.empty(len(texts))
        done = 0
        for rows in rows_by_length(encoded.lengths, batch_size):
            batch = pad_rows(encoded, rows, self.encoding.pad_id)
            outputs[rows] = self.model(**model_inputs(self.model, batch)).logits[:, 0].double().cpu().numpy()
            progress(done := done + len(rows), len(texts))
        return self.encoding.restore(outputs)

    def frame(self, texts: Sequence[Content], batch_size: int = 32) -> pd.DataFrame:
        """Column value."""
        return pd.DataFrame({"value": self.predict(texts, batch_size)})
