"""A saved encoder-decoder -> what it writes for each text; the same code here, in evaluate and where it is served."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSeq2SeqLM

from ...learn.labels import IGNORE_INDEX
from ...text.collation import rows_by_length
from ...text.encoding import FILE
from ...text.generation import Generated, generate
from ...text.loading import load_model
from ...text.served_inputs import require_texts
from ...text.tokenizer import TextTokenizer, load_tokenizer
from ...text.writer import Decoding, Ends
from .encoding import Seq2SeqEncoding, join_pairs, load_seq2seq_encoding, pad_pairs


@dataclass(frozen=True)
class Written:
    """A text that the model generated, and whether it ended it itself."""

    text: str
    ended: bool


@dataclass(frozen=True)
class Predictor:
    """Texts in, written texts out."""

    encoding: Seq2SeqEncoding
    tokenizer: TextTokenizer
    model: Any
    content = "text"

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> "Predictor":
        """Read tokenizer.json, encoding.json, config.json and model.safetensors."""
        encoding = load_seq2seq_encoding(folder / FILE)
        tokenizer = load_tokenizer(folder, encoding.special)
        return cls(encoding, tokenizer, load_model(AutoModelForSeq2SeqLM, folder, device))

    def write(
        self,
        texts: Sequence[str],
        batch_size: int = 32,
        longest: int | None = None,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> list[Written]:
        """What the model generates, greedily; longest: tokens, those of the longest target where absent.

        Raises ValueError for what is not a text.
        """
        require_texts(texts)
        generated = (
            self._generate(
                texts, batch_size, min(longest or self.encoding.max_target, self.encoding.max_target), progress
            )
            if texts
            else Generated([], np.zeros(0, bool))
        )
        written = self.tokenizer.decode(generated.ids)
        return [Written(text.strip(), bool(ended)) for text, ended in zip(written, generated.ended, strict=True)]

    def _generate(
        self, texts: Sequence[str], batch_size: int, longest: int, progress: Callable[[int, int], None]
    ) -> Generated:
        encoded = self.encoding.encode(self.tokenizer, texts)
        bounds = zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)
        return generate(
            self.model,
            [encoded.ids[start:stop].tolist() for start, stop in bounds],
            Decoding(Ends(frozenset([self.encoding.special["eos"]])), longest, self.encoding.pad_id),
            batch_size=batch_size,
            progress=progress,
        )

    @torch.inference_mode()
    def loss(self, texts: Sequence[str], targets: Sequence[str], batch_size: int = 32) -> float:
        """Mean loss in nats of the targets' tokens, each after the true ones before it."""
        sources, ends = (
            self.encoding.encode(self.tokenizer, texts),
            self.encoding.encode_targets(self.tokenizer, targets),
        )
        pairs = join_pairs(sources, ends)
        total, tokens = 0.0, 0
        for rows in rows_by_length(pairs.lengths, batch_size):
            batch = pad_pairs(self.encoding, pairs, rows)
            inputs = {name: torch.from_numpy(values).to(self.model.device) for name, values in batch.items()}
            labels = inputs.pop("labels")
            given = self.model.prepare_decoder_input_ids_from_labels(labels)
            logits = self.model(**inputs, decoder_input_ids=given, use_cache=False).logits
            kept = labels != IGNORE_INDEX
            total += float(cross_entropy(logits[kept].float(), labels[kept], reduction="sum"))
            tokens += int(kept.sum())
        return total / max(tokens, 1)

    def frame(self, texts: Sequence[str], batch_size: int = 32) -> pd.DataFrame:
        """Column written."""
        return pd.DataFrame({"written": pd.Series([text.text for text in self.write(texts, batch_size)], dtype="str")})
