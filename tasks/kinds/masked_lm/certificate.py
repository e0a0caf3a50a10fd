"""A second, independent check of hidden tokens as training reads them, against the raw rows, and at their shares."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...learn.labels import IGNORE_INDEX
from ...text.certificate import Batch, Broken, Certificate, attention_odd, framed_checks, gather
from ...text.parts import Part
from ...text.tokenizer import TextTokenizer
from .encoding import MASKED, REPLACED, MaskedEncoding

SIGMAS = 6
"""Standard deviations by which a share may be off: by chance it is once in 500 million draws."""
Collate = Callable[[Sequence[int]], Batch]
"""Rows by number -> the batch that one epoch makes of them."""


def certify_masked(
    encoding: MaskedEncoding, tokenizer: TextTokenizer, part: Part, texts: Sequence[str], collate: Collate
) -> Certificate:
    """Check every row after truncation, collation and masking in one epoch; the true tokens are made from the raw
    texts again."""
    counts: Counter[str] = Counter()

    def look(rows: range) -> tuple[Broken, int, int]:
        batch = collate(rows)
        lengths = part.encoded.lengths[rows.start : rows.stop]
        whole = _whole(encoding, tokenizer, [texts[row] for row in rows], batch["input_ids"].shape[1])
        marked = batch["labels"] != IGNORE_INDEX
        restored = np.where(marked, batch["labels"], batch["input_ids"])
        counts.update(_count(encoding, batch, whole))
        broken = {
            "attention is not the row's length": attention_odd(batch, lengths),
            "a special token is to be predicted": (marked & np.isin(whole, encoding.special_ids)).any(1),
            "a label is not the token that stood there": (marked & (batch["labels"] != whole)).any(1),
            "a token that is not to be predicted is changed": (~marked & (batch["input_ids"] != whole)).any(1),
        }
        broken |= framed_checks(encoding, tokenizer, restored, lengths, [texts[row] for row in rows])
        return broken, int(lengths.sum()), int(marked.sum())

    result = gather(Certificate(), part.encoded, part.ids, look)
    result.violations |= _shares(encoding, counts)
    return result


def _whole(encoding: MaskedEncoding, tokenizer: TextTokenizer, texts: list[str], width: int) -> Any:
    """What the rows were before anything was hidden, int64 [rows, width]."""
    table = np.full((len(texts), width), encoding.pad_id, np.int64)
    for row, ids in enumerate(tokenizer.ids(texts)):
        framed = [encoding.special["cls"], *ids[: encoding.max_length - 2], encoding.special["sep"]][:width]
        table[row, : len(framed)] = framed
    return table


def _count(encoding: MaskedEncoding, batch: Batch, whole: Any) -> dict[str, int]:
    marked, ids = batch["labels"] != IGNORE_INDEX, batch["input_ids"]
    hidden = marked & (ids == encoding.special["mask"])
    plain = (batch["attention_mask"] == 1) & ~np.isin(whole, encoding.special_ids)
    return {
        "plain": int(plain.sum()),
        "predicted": int(marked.sum()),
        "hidden": int(hidden.sum()),
        "replaced": int((marked & ~hidden & (ids != whole)).sum()),
    }


def _shares(encoding: MaskedEncoding, counts: Counter[str]) -> dict[str, list[str]]:
    """Per share that is to hold what it is where it is off, beyond chance."""
    aims = {
        "predicted": ("plain", encoding.share),
        "hidden": ("predicted", MASKED),
        "replaced": ("predicted", REPLACED - MASKED),
    }
    shares: dict[str, list[str]] = {}
    for name, (of, share) in aims.items():
        # a replaced token may by chance be the same or the mask, one in a vocabulary each
        slack = SIGMAS * math.sqrt(share * (1 - share) * counts[of]) + 2 * counts[of] / encoding.vocabulary + 1
        off = abs(counts[name] - share * counts[of]) > slack
        check = f"the share of {name} tokens is off"
        shares[check] = [f"{counts[name]:,} of {counts[of]:,}, not {share:.0%}"] if off else []
    shares["no token is to be predicted"] = [] if counts["predicted"] or not counts["plain"] else ["none of any row"]
    return shares
