"""A saved model folder -> predictions on raw texts; the same code here, in evaluate and in the registry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...data.pairs import TEXT, TEXT_PAIR, Content
from ...data.predictions import Predictions, from_logits
from ...runtime.net import Arrays, Net, open_net
from ...text.encoding import FILE, Encoding
from ...text.scoring import load_head, one_batch, score_batches
from ...text.served_inputs import require_contents
from ...text.tokenizer import TextTokenizer, load_tokenizer
from .encoding import LABEL_WORD, load_encoding


@dataclass(frozen=True)
class Predictor:
    """Texts or pairs of texts in, class probabilities out, in one forward pass per batch and without generation."""

    encoding: Encoding
    tokenizer: TextTokenizer
    net: Net
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
        return cls(encoding, tokenizer, open_net(folder, lambda: _load_scorer(folder, encoding), device))

    def inputs(self, texts: Sequence[Content]) -> Arrays:
        """What the net takes of texts, or pairs of texts, in one batch."""
        return one_batch(self.encoding.encode(self.tokenizer, texts), self.encoding.pad_id)

    def predict(
        self,
        texts: Sequence[Content],
        batch_size: int = 32,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> Predictions:
        """Score texts, or pairs of texts, batched by length. Raises ValueError for what is none."""
        return from_logits(*self._score(texts, batch_size, progress))

    def scores(self, texts: Sequence[Content], batch_size: int = 32) -> npt.NDArray[np.float64]:
        """Logits [texts, labels]."""
        return self._score(texts, batch_size, lambda done, of: None)[0]

    def _score(
        self, texts: Sequence[Content], batch_size: int, progress: Callable[[int, int], None]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Logits [texts, labels], and whether a label word is the likeliest of all tokens [texts]."""
        require_contents(texts, pairs=self.encoding.pair is not None)
        encoded = self.encoding.encode(self.tokenizer, texts)
        logits, on_label = np.empty((len(texts), len(self.encoding.labels))), np.ones(len(texts), bool)
        for rows, (scores, *likeliest) in score_batches(self.net, encoded, self.encoding.pad_id, batch_size, progress):
            logits[rows] = scores
            if likeliest:
                on_label[rows] = likeliest[0]
        return logits, on_label

    def frame(self, texts: Sequence[Content], batch_size: int = 32) -> pd.DataFrame:
        """Columns label, probability (of that label), and `probability of X` for each label X."""
        return self.predict(texts, batch_size).frame(self.encoding.labels)


def _load_scorer(folder: Path, encoding: Encoding) -> Any:
    """The module of a folder with weights; torch and transformers are loaded here alone."""
    if encoding.kind != LABEL_WORD:
        return load_head(folder)
    from transformers import AutoModelForCausalLM

    from ...text.loading import read_weights
    from ...text.scorers import LabelWords

    return LabelWords(read_weights(AutoModelForCausalLM, folder), encoding.label_ids)
