"""A tokenizer as it is saved with a model: tokenizer.json, read without transformers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

FILE = "tokenizer.json"


@dataclass(frozen=True)
class TextTokenizer:
    """A fast tokenizer and the ids of its special tokens: eos, pad, cls, sep, where it has them; of those that a recipe
    added the ids in `added`. texts: the special tokens by the names that chat templates read (bos_token …)."""

    backend: Tokenizer
    special: Mapping[str, int]
    added: tuple[int, ...] = ()
    texts: Mapping[str, Any] = field(default_factory=dict)

    def ids(self, texts: list[str]) -> list[list[int]]:
        """Token ids of each text: no special tokens added, and none made of what a text says."""
        return [encoding.ids for encoding in self.backend.encode_batch_fast(texts, add_special_tokens=False)]

    def marked_ids(self, texts: list[str]) -> list[list[int]]:
        """Token ids of texts that a chat template wrote: special tokens spelt in them are those tokens."""
        return [encoding.ids for encoding in self._marking.encode_batch_fast(texts, add_special_tokens=False)]

    def placed_ids(self, texts: list[str], *, marked: bool = True) -> list[tuple[list[int], list[int]]]:
        """Token ids of each text as `marked_ids` (or `ids`) has them, and the character at which each token begins."""
        backend = self._marking if marked else self.backend
        encodings = backend.encode_batch(texts, add_special_tokens=False)
        return [(encoding.ids, [start for start, _ in encoding.offsets]) for encoding in encodings]

    @cached_property
    def _marking(self) -> Tokenizer:
        """A second backend, since a switch on the first would race between threads that serve."""
        other = Tokenizer.from_str(self.backend.to_str())
        other.encode_special_tokens = False
        return other

    @cached_property
    def special_ids(self) -> dict[str, int]:
        """Text -> id of every special token of the vocabulary, whatever its role."""
        added = self.backend.get_added_tokens_decoder()
        return {token.content: number for number, token in added.items() if token.special}

    @property
    def unknown(self) -> str | None:
        """The text of the token for letters outside the vocabulary, where there are any."""
        return getattr(self.backend.model, "unk_token", None)

    def decode(self, rows: list[list[int]]) -> list[str]:
        """The texts of rows of ids, special tokens included."""
        return list(self.backend.decode_batch(rows, skip_special_tokens=False))

    @property
    def size(self) -> int:
        """Entries of the vocabulary, added tokens included."""
        return int(self.backend.get_vocab_size(with_added_tokens=True))

    def save(self, folder: Path) -> None:
        """Write tokenizer.json."""
        self.backend.save(str(folder / FILE))


def load_tokenizer(folder: Path, special: Mapping[str, int]) -> TextTokenizer:
    """Read tokenizer.json; truncation and padding that it may carry are switched off."""
    return plain_tokenizer(Tokenizer.from_file(str(folder / FILE)), special)


def plain_tokenizer(backend: Tokenizer, special: Mapping[str, int]) -> TextTokenizer:
    """Switch off everything that is decided elsewhere: truncation, padding, special tokens spelt in a text."""
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = True
    return TextTokenizer(backend, dict(special))
