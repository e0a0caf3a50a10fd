"""A saved regression model -> a number for each text; the same code here, in evaluate and where it is served."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...data.pairs import TEXT, TEXT_PAIR, Content
from ...runtime.net import Arrays, Net, open_net
from ...text.encoding import FILE, read_encoding
from ...text.scoring import load_head, one_batch, score_batches, score_rows
from ...text.served_inputs import require_contents
from ...text.tokenizer import TextTokenizer, load_tokenizer
from .encoding import RegressionEncoding


@dataclass(frozen=True)
class Predictor:
    """Texts or pairs of texts in, numbers in the target's own unit out."""

    encoding: RegressionEncoding
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
        encoding = read_encoding(folder / FILE, RegressionEncoding)
        tokenizer = load_tokenizer(folder, encoding.special)
        return cls(encoding, tokenizer, open_net(folder, lambda: load_head(folder), device))

    def inputs(self, texts: Sequence[Content]) -> Arrays:
        """What the net takes of texts, or pairs of texts, in one batch."""
        return one_batch(self.encoding.encode(self.tokenizer, texts), self.encoding.pad_id)

    def scores(
        self,
        texts: Sequence[Content],
        batch_size: int = 32,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> npt.NDArray[np.float64]:
        """The net's own outputs [texts, 1], in no unit."""
        require_contents(texts, pairs=self.encoding.pair is not None)
        encoded = self.encoding.encode(self.tokenizer, texts)
        batches = score_batches(self.net, encoded, self.encoding.pad_id, batch_size, progress)
        return score_rows(batches, (len(encoded), 1))

    def predict(
        self,
        texts: Sequence[Content],
        batch_size: int = 32,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> npt.NDArray[np.float64]:
        """A number per text or pair of texts [texts], batched by length. Raises ValueError for what is none."""
        return self.encoding.restore(self.scores(texts, batch_size, progress)[:, 0])

    def frame(self, texts: Sequence[Content], batch_size: int = 32) -> pd.DataFrame:
        """Column value."""
        return pd.DataFrame({"value": self.predict(texts, batch_size)})
