"""The mask certificate: a second, independent check of what training will be given, row by row.

The mask is made by laying segments out (segments.py). Here nothing of that is used again: the padded batches are
read as training reads them, their ids are decoded, and the texts that come out are compared with the raw rows.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..data.errors import DataError
from ..data.pairs import Content
from ..learn.labels import IGNORE_INDEX
from .collation import Matrix
from .encoding import Encoding
from .segments import Encoded
from .tokenizer import TextTokenizer

SHOWN = 5
CHUNK = 2048
"""Rows that are padded and decoded at a time."""
BROKEN = "\ufffd"


class MaskError(DataError):
    """Labels or attention are not what the rows ask for; the message names check and row ids."""


OTHER_CLASS = "the class id is not the row's label"
NO_TARGET = "no supervised token"
"""Reason of rows that are dropped since training would learn nothing from them."""


class RawRows(NamedTuple):
    """What encoded rows are checked against, in their order: texts, or pairs of them, and what is to be predicted of
    each, as written."""

    contents: Sequence[Content]
    truth: Sequence[str]


@dataclass
class Certificate:
    """Counts over all rows, and per named check the ids of rows that break it."""

    rows: int = 0
    tokens: int = 0
    supervised: int = 0
    cut_rows: int = 0
    pad_is_eos: bool = False
    violations: dict[str, list[str]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """JSON form; `holds` is true where no check is broken."""
        broken = {name: len(ids) for name, ids in self.violations.items()}
        return {**self.__dict__, "violations": broken, "holds": not any(broken.values())}

    def require(self, part: str) -> None:
        """Raise MaskError where a check is broken."""
        for check, ids in self.violations.items():
            if ids:
                raise MaskError(
                    f"{part}: {len(ids)} rows break the mask check `{check}`, such as {ids[:SHOWN]}; {self.fix(check)}"
                )

    def fix(self, check: str) -> str:
        """What helps where a check is broken."""
        return "drop these rows in clean, or take another encode.tokenizer; nothing is trained on a mask in doubt"


def write_certificates(certificates: Mapping[str, Certificate], folder: Path) -> None:
    """Write those of all parts as certificate.json."""
    text = json.dumps({part: certificate.as_dict() for part, certificate in certificates.items()}, indent=1)
    (folder / "certificate.json").write_text(text, encoding="utf-8")


def other_classes(
    ids: Sequence[str], class_ids: npt.NDArray[np.int64], labels: Sequence[str], names: Sequence[str]
) -> list[str]:
    """Ids of rows whose class id is not their label's; names: the labels in class-id order."""
    numbers = {name: number for number, name in enumerate(names)}
    due = np.array([numbers.get(label, -1) for label in labels], np.int64)
    return [ids[row] for row in np.flatnonzero(due != class_ids).tolist()]


Batch = dict[str, Matrix]
Broken = dict[str, npt.NDArray[np.bool_]]
"""By the name of a check, which rows break it [rows]."""
Look = Callable[[range], tuple[Broken, int, int]]
"""Numbers of rows to which of them break each check, and how many tokens they have, and supervised."""


def gather(result: Certificate, encoded: Encoded, ids: Sequence[str], look: Look) -> Certificate:
    """Fill a certificate from a check of every row, some at a time."""
    for start in range(0, len(ids), CHUNK):
        rows = range(start, min(start + CHUNK, len(ids)))
        broken, tokens, supervised = look(rows)
        for check, mask in broken.items():
            result.violations.setdefault(check, []).extend(ids[start + int(i)] for i in np.flatnonzero(mask))
        result.rows += len(rows)
        result.tokens += tokens
        result.supervised += supervised
    result.cut_rows = int((encoded.cut > 0).sum())
    return result


def attention_odd(batch: Batch, lengths: Any) -> Any:
    """Rows whose attention is not their length, or with a label where there is no token."""
    mask = batch["attention_mask"]
    expected = np.arange(mask.shape[1]) < lengths[:, None]
    return (mask != expected).any(1) | ((batch["labels"] != IGNORE_INDEX) & ~expected).any(1)


def framed_checks(
    encoding: Encoding, tokenizer: TextTokenizer, inputs: Matrix, lengths: Any, texts: list[str]
) -> Broken:
    """Checks of rows in the tokenizer's own form for one text: class token, text, separator."""
    rows, last = np.arange(len(inputs)), np.maximum(lengths - 1, 0)
    given = tokenizer.decode([inputs[row, 1 : max(n - 1, 1)].tolist() for row, n in zip(rows, lengths, strict=True)])
    plain = tokenizer.decode(tokenizer.ids(texts))
    return {
        "the first token is not the class token": inputs[:, 0] != encoding.special["cls"],
        "the last token is not the separator": inputs[rows, last] != encoding.special["sep"],
        "the given text is not the row's": differ(given, plain, lengths < encoding.max_length, begins),
    }


def differ(given: list[str], plain: list[str], whole: Any, fits: Callable[[str, str], bool]) -> Any:
    """Where a text is not the row's: the whole of it in rows that have room left, else the part that is kept."""
    return np.array([a != b if w else not fits(a, b) for a, b, w in zip(given, plain, whole, strict=True)], bool)


def begins(part: str, whole: str) -> bool:
    """Whether a text begins another, a character torn by a byte-level cut aside."""
    return whole.startswith(part.rstrip(BROKEN).rstrip())
