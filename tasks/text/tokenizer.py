"""A tokenizer as it is saved with a model: tokenizer.json, read without transformers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

from tokenizers import Tokenizer, models

FILE = "tokenizer.json"
BLOCK = 16_384
"""Texts whose words are looked up together."""
FEW = 256
"""Below so many texts no word is looked up: too few come twice."""
MARK = "\0"
WORDS = 256
"""Words that one call into the tokenizer takes as one sequence."""


@dataclass(frozen=True)
class TextTokenizer:
    """A fast tokenizer and the ids of its special tokens: eos, pad, cls, sep, where it has them."""

    backend: Tokenizer
    special: Mapping[str, int]

    def ids(self, texts: list[str]) -> list[list[int]]:
        """Token ids of each text: no special tokens added, and none made of what a text says."""
        if len(texts) < FEW or not self._parts_at_spaces:
            return self._whole(texts)
        return list(chain.from_iterable(self._by_words(texts[i : i + BLOCK]) for i in range(0, len(texts), BLOCK)))

    def _whole(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self.backend.encode_batch_fast(texts, add_special_tokens=False)]

    @cached_property
    def _parts_at_spaces(self) -> bool:
        """Whether the ids of "a b" are those of "a" and those of " b", as with GPT-2's pre-tokenizer."""
        before, added = self.backend.pre_tokenizer, self.backend.get_added_tokens_decoder().values()
        if self.backend.normalizer or before is None or not isinstance(self.backend.model, models.BPE):
            return False
        how = json.loads(before.__getstate__())
        regular = how["type"] == "ByteLevel" and how["use_regex"] and not how["add_prefix_space"]
        return regular and not self.backend.model.dropout and all(token.special for token in added)

    def _by_words(self, texts: list[str]) -> list[list[int]]:
        """The same ids as `_whole`, every different word tokenised once.

        Only for texts whose white space is single spaces: GPT-2's pattern keeps longer runs together.
        """
        plain = [text.isprintable() and "  " not in text for text in texts]
        split = [text.replace(" ", f"{MARK} ").split(MARK) for text, ok in zip(texts, plain, strict=True) if ok]
        words = list(dict.fromkeys(chain.from_iterable(split)))
        if 2 * len(words) > sum(map(len, split)):
            return self._whole(texts)
        known = dict(zip(words, self._words(words), strict=True)).__getitem__
        easy = iter(split)
        rest = iter(self._whole([text for text, ok in zip(texts, plain, strict=True) if not ok]))
        return [list(chain.from_iterable(map(known, next(easy)))) if ok else next(rest) for ok in plain]

    def _words(self, words: list[str]) -> list[list[int]]:
        found: list[list[int]] = [[] for _ in words]
        groups = [words[start : start + WORDS] for start in range(0, len(words), WORDS)]
        encodings = self.backend.encode_batch(groups, is_pretokenized=True, add_special_tokens=False)
        for number, encoding in enumerate(encodings):
            for token, word in zip(encoding.ids, encoding.word_ids, strict=True):
                found[number * WORDS + (word or 0)].append(token)
        return found

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
