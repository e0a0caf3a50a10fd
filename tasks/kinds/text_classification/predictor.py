"""A saved model folder -> predictions on raw texts; the same code here, in evaluate and in the registry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from ...data.pairs import TEXT, TEXT_PAIR, Content
from ...data.predictions import Predictions, from_logits
from ...text.collation import pad_rows, rows_by_length
from ...text.encoding import FILE, Encoding
from ...text.inputs import require_contents
from ...text.loading import load_model
from ...text.token_types import model_inputs
from ...text.tokenizer import TextTokenizer, load_tokenizer
from .encoding import load_encoding


@dataclass(frozen=True)
class Predictor:
    """Texts or pairs of texts in, class probabilities out, in one forward pass per batch and without generation."""

    encoding: Encoding
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
        encoding = load_encoding(folder / FILE)
        tokenizer = load_tokenizer(folder, encoding.special)
        auto = AutoModelForCausalLM if encoding.kind == "label_word" else AutoModelForSequenceClassification
        return cls(encoding, tokenizer, load_model(auto, folder, device))

    def predict(
        self,
        texts: Sequence[Content],
        batch_size: int = 32,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> Predictions:
        """Score texts, or pairs of texts, batched by length. Raises ValueError for what is none."""
        require_contents(texts, pairs=self.encoding.pair is not None)
        encoded = self.encoding.encode(self.tokenizer, texts)
        logits = np.empty((len(texts), len(self.encoding.labels)))
        on_label = np.ones(len(texts), bool)
        done = 0
        for rows in rows_by_length(encoded.lengths, batch_size):
            batch = pad_rows(encoded, rows, self.encoding.pad_id)
            logits[rows], on_label[rows] = self._score(batch)
            progress(done := done + len(rows), len(texts))
        return from_logits(logits, on_label)

    @torch.inference_mode()
    def _score(self, batch: dict[str, npt.NDArray[np.int64]]) -> tuple[Any, Any]:
        inputs = model_inputs(self.model, batch)
        if self.encoding.kind == "classifier":
            return self.model(**inputs).logits.double().cpu().numpy(), True
        hidden = self.model.base_model(**inputs, use_cache=False)[0]
        last = inputs["attention_mask"].sum(1) - 1
        every = self.model.get_output_embeddings()(hidden[torch.arange(len(last)), last])
        chosen = torch.tensor(self.encoding.label_ids, device=every.device)
        return every[:, chosen].double().cpu().numpy(), torch.isin(every.argmax(1), chosen).cpu().numpy()

    def frame(self, texts: Sequence[Content], batch_size: int = 32) -> pd.DataFrame:
        """Columns label, probability (of that label), and `probability of X` for each label X."""
        return self.predict(texts, batch_size).frame(self.encoding.labels)
