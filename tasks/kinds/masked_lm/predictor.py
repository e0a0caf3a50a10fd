"""A saved masked language model -> its tokens for the masks of a text; the same code in evaluate and where it is
served."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...data.predictions import from_logits
from ...learn.labels import IGNORE_INDEX
from ...runtime.net import Arrays, Net, open_net
from ...text.collation import Matrix, rows_by_length
from ...text.encoding import FILE, read_encoding
from ...text.scoring import load_head
from ...text.segments import Encoded
from ...text.served_inputs import require_texts
from ...text.tokenizer import TextTokenizer, load_tokenizer
from .encoding import FIXED, MaskedEncoding, pad_masked

MASK = "[MASK]"
"""A mask in a text, whatever the tokenizer calls it."""
Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MaskedScores:
    """Hidden tokens per row: losses summed in nats, how many were the likeliest token, how many there are."""

    losses: Floats
    right: Ids
    tokens: Ids


@dataclass(frozen=True)
class Predictor:
    """Texts with masks in, texts with the likeliest tokens in their places out."""

    encoding: MaskedEncoding
    tokenizer: TextTokenizer
    net: Net
    content = "text"

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> "Predictor":
        """Read tokenizer.json, encoding.json, config.json and model.safetensors."""
        encoding = read_encoding(folder / FILE, MaskedEncoding)
        tokenizer = load_tokenizer(folder, encoding.special)
        return cls(encoding, tokenizer, open_net(folder, lambda: load_head(folder, "AutoModelForMaskedLM"), device))

    def inputs(self, texts: Sequence[str]) -> Arrays:
        """What the net takes of texts in one batch, tokens hidden as in validation; a text stands for its id."""
        encoded = self.encoding.encode(self.tokenizer, texts)
        return pad_masked(self.encoding, encoded, texts, range(len(texts)), (FIXED, 0))

    def scores(self, texts: Sequence[str], batch_size: int = 32) -> Floats:
        """Losses of hidden tokens [texts, 1], in nats, summed; a text stands for its id."""
        return self.predict_masked(self.encoding.encode(self.tokenizer, texts), texts, batch_size).losses[:, None]

    def frame(self, texts: Sequence[str]) -> pd.DataFrame:
        """Columns filled, and probability: of the chosen tokens, multiplied where a text has several masks.

        Each mask is predicted independently. Raises ValueError for what is not a text, or has no mask in reach.
        """
        require_texts(texts)
        filled = [self._fill(text) for text in texts]
        columns = {"filled": [text for text, _ in filled], "probability": [p for _, p in filled]}
        return pd.DataFrame(columns).astype({"filled": "str", "probability": "float64"})

    def _fill(self, text: str) -> tuple[str, float]:
        pieces = text.split(MASK)
        if len(pieces) == 1:
            raise ValueError(f"{text[:80]!r} has no {MASK}; put one where a word is to be predicted")
        ids, places = self._row(pieces)
        logits = self._logits(np.array([ids]), np.ones((1, len(ids)), np.int64))[0, places]
        chances = from_logits(logits.astype(np.float64)).probabilities
        chances[:, list(self.encoding.special_ids)] = 0  # a mask is a word's place
        best, chosen = chances.max(1), chances.argmax(1)
        first_piece = pieces[0]
        for place, token, piece in zip(places, chosen.tolist(), pieces[1:], strict=True):
            first_piece = self._joined(first_piece, ids[place - 1], token) + piece
        return first_piece, float(best.prod())

    def _row(self, pieces: list[str]) -> tuple[list[int], list[int]]:
        """Ids of a text with its masks, and where these are. A mask stands for a word with the space before it."""
        special = self.encoding.special
        ids, places = [special["cls"]], []
        for number, piece in enumerate(self.tokenizer.ids([*(piece.rstrip() for piece in pieces[:-1]), pieces[-1]])):
            if number:
                places.append(len(ids))
                ids.append(special["mask"])
            ids += piece
        last = self.encoding.max_length - 1
        if places[-1] >= last:
            raise ValueError(f"a {MASK} stands behind the {last} tokens that the model reads; shorten the text")
        return [*ids[:last], special["sep"]], places

    def _joined(self, piece: str, before: int, token: int) -> str:
        """A text and the token behind it: some tokens begin with a space, others go on with the word."""
        alone, both = self.tokenizer.decode([[before], [before, token]])
        word = both[len(alone) :] if both.startswith(alone) else both
        goes_on = word[:1] == word[:1].strip()
        return (piece.rstrip() if goes_on else piece) + (word if piece[-1:].strip() else word.lstrip())

    def predict_masked(
        self,
        encoded: Encoded,
        ids: Sequence[str],
        batch_size: int = 32,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> MaskedScores:
        """How rows with these ids fare when tokens are hidden as in validation."""
        losses, right, tokens = np.zeros(len(ids)), np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
        done = 0
        for rows in rows_by_length(encoded.lengths, batch_size):
            batch = pad_masked(self.encoding, encoded, ids, rows.tolist(), (FIXED, 0))
            losses[rows], right[rows] = self._score(batch)
            tokens[rows] = (batch["labels"] != IGNORE_INDEX).sum(1)
            progress(done := done + len(rows), len(ids))
        return MaskedScores(losses, right, tokens)

    def foretell(self, encoded: Encoded, ids: Sequence[str], batch_size: int = 32) -> MaskedScores:
        """`predict_masked` by the name that tasks/tracking/wire_format.py keeps."""
        return self.predict_masked(encoded, ids, batch_size)

    def _score(self, batch: dict[str, Matrix]) -> tuple[Floats, Ids]:
        rows, places = np.nonzero(batch["labels"] != IGNORE_INDEX)
        truth = batch["labels"][rows, places]
        logits = self._logits(batch["input_ids"], batch["attention_mask"])[rows, places].astype(np.float64)
        peaks = logits.max(1, initial=-np.inf)
        losses = peaks + np.log(np.exp(logits - peaks[:, None]).sum(1)) - logits[np.arange(len(truth)), truth]
        count = len(batch["labels"])
        right = np.bincount(rows[logits.argmax(1) == truth], minlength=count)
        return np.bincount(rows, losses, minlength=count).astype(np.float64), right

    def _logits(self, ids: Matrix, attention: Matrix) -> Any:
        return self.net({"input_ids": ids, "attention_mask": attention})[0]
