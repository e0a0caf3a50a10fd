"""Texts that are labelled, rewritten, measured or completed, each behind the face of a Domain."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..learn.fit import Feed
from ..learn.phases import Layout
from ..text.encoding import FILE, load_encoding, read_encoding
from ..text.tokenizer import load_tokenizer
from . import feed as text_feed
from .masked_lm.encoding import MaskedEncoding
from .regression.encoding import RegressionEncoding
from .seq2seq.encoding import Seq2SeqEncoding, load_seq2seq_encoding
from .spec import Texts


@dataclass(frozen=True)
class Rewrites(Texts):
    """Texts and the targets that a decoder writes."""

    encoding: Seq2SeqEncoding  # type: ignore[assignment]

    def layout(self, model: Any) -> Layout:
        """As of any text; where encoder and decoder have no model around them (T5), the head is the output layer,
        unless its weights are the embedding's."""
        if model.base_model is not model:
            return super().layout(model)
        output = model.get_output_embeddings()
        names = [name for name, value in model.named_parameters() if value.requires_grad]
        head = next(name for name, module in model.named_modules() if module is output)
        every = [*(name for name, _ in model.named_children() if name != head), head]
        children = tuple(one for one in every if any(name.startswith(f"{one}.") for name in names))
        return Layout(
            {name: name for name in names},
            children,
            frozenset(name for name in names if name.startswith(f"{head}.")),
            getattr(model, "fresh", frozenset()),
            output,
            new=not hasattr(model, "loaded"),
        )

    def feed(self, parts: Mapping[str, Any], seed: int = 0) -> Feed:
        train, validation = (text_feed.Rows(parts[name]) for name in ("train", "validation"))
        collate = text_feed.collate_pairs(self.encoding)
        return Feed(train, validation if len(validation) else None, collate, truth="tokens")


@dataclass(frozen=True)
class Numbers(Texts):
    """Texts and the numbers that are foretold of them."""

    encoding: RegressionEncoding

    def feed(self, parts: Mapping[str, Any], seed: int = 0) -> Feed:
        train, validation = (text_feed.Rows(parts[name]) for name in ("train", "validation"))
        collate = text_feed.collate_numbers(self.encoding)
        return Feed(train, validation if len(validation) else None, collate, truth="numbers")


@dataclass(frozen=True)
class Gaps(Texts):
    """Texts of which hidden tokens are foretold."""

    encoding: MaskedEncoding

    def feed(self, parts: Mapping[str, Any], seed: int = 0) -> Feed:
        train, validation = text_feed.ChangingRows(parts["train"]), text_feed.FixedRows(parts["validation"])
        collate = text_feed.collate_masked(self.encoding, seed)
        return Feed(train, validation if len(validation) else None, collate, truth="tokens")


def open_text_domain(folder: Path, kind: str) -> Texts:
    """The domain of a folder with encoding.json of this kind and tokenizer.json."""
    path = folder / FILE
    match kind:
        case "seq2seq":
            pairs = load_seq2seq_encoding(path)
            return Rewrites(pairs, load_tokenizer(folder, pairs.special))
        case "regression":
            numbers = read_encoding(path, RegressionEncoding)
            return Numbers(numbers, load_tokenizer(folder, numbers.special))
        case "masked":
            gaps = read_encoding(path, MaskedEncoding)
            return Gaps(gaps, load_tokenizer(folder, gaps.special))
    encoding = load_encoding(path)
    return Texts(encoding, load_tokenizer(folder, encoding.special))
