"""A saved model folder -> predictions on raw texts; the same code here, in evaluate and in the registry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ...data.predictions import Predictions, from_logits
from ...runtime.net import Net, open_net
from ...text.encoding import FILE, read_encoding
from ...text.scoring import load_head, score_batches, score_rows
from ...text.served_inputs import require_texts
from ...text.tokenizer import TextTokenizer, load_tokenizer
from .encoding import BackwardEncoding


@dataclass(frozen=True)
class Predictor:
    """Texts in, class probabilities out."""

    encoding: BackwardEncoding
    tokenizer: TextTokenizer
    net: Net
    content = "text"

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> "Predictor":
        """Read tokenizer.json, encoding.json, config.json and model.safetensors."""
        encoding = read_encoding(folder / FILE, BackwardEncoding)
        net = open_net(folder, lambda: load_head(folder), device)
        return cls(encoding, load_tokenizer(folder, encoding.special), net)

    def predict(
        self, texts: Sequence[str], batch_size: int = 32, progress: Callable[[int, int], None] = lambda done, of: None
    ) -> Predictions:
        """Score texts in batches. Raises ValueError for what is not a text."""
        require_texts(texts)
        encoded = self.encoding.encode(self.tokenizer, texts)
        batches = score_batches(self.net, encoded, self.encoding.pad_id, batch_size, progress)
        return from_logits(score_rows(batches, (len(encoded), len(self.encoding.labels))))

    def frame(self, texts: Sequence[str], batch_size: int = 32) -> pd.DataFrame:
        """Columns label, probability (of that label), and `probability of X` for each label X."""
        return self.predict(texts, batch_size).frame(self.encoding.labels)
