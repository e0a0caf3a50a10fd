"""Labels with their counts -> groups of labels that are one label in several spellings; spellings -> labels."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

import pandas as pd

TRUTHS = {"true": "1", "yes": "1", "false": "0", "no": "0"}
"""Spellings of truth values, as numbers: tables mix `True` with `1`."""
NUMBER = re.compile(r"[-+]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][-+]?\d{1,6})?")
SELECTORS = re.compile("[\ufe00-\ufe0f]")
"""Marks that choose the look of the character before them, such as a coloured heart."""
TAGS = range(0xE0000, 0xE0080)
"""Invisible characters that distinguish flags, so they stay."""
SHOWN = 5
"""Groups that a message names."""


def label_key(label: str) -> str:
    """What spellings of one label have in common: NFKC, no invisible characters, one space for any run of white space
    and none at the ends, no case, one form per number and truth value (`1.0` is `1`, `False` is `0`)."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", SELECTORS.sub("", label)).casefold())
    seen = "".join(letter for letter in plain if unicodedata.category(letter) != "Cf" or ord(letter) in TAGS)
    words = " ".join(seen.split())
    return _number(words) if NUMBER.fullmatch(words) else TRUTHS.get(words, words)


def _number(text: str) -> str:
    """A number in one form, without rounding: its digits, and the power of ten of the last of them."""
    sign, digits, exponent = Decimal(text).as_tuple()
    plain = "".join(map(str, digits)).lstrip("0")
    shorter = plain.rstrip("0")
    if not shorter:
        return "0"
    power = int(exponent) + len(plain) - len(shorter)
    whole = shorter + "0" * power if 0 <= power <= 20 else f"{shorter}e{power}"
    return f"{'-' * sign}{whole}"


def label_variants(counts: Mapping[str, int], distinct: Sequence[Sequence[str]] = ()) -> list[dict[str, int]]:
    """Groups of two or more labels with one `label_key`, each label with its rows, most rows first.

    counts: rows per label. distinct: groups of labels that are meant to differ; a label is left out of a group where
    it is meant to differ from every other label of it. Groups come in the order of their rows, most first.
    """
    by_key: dict[str, dict[str, int]] = defaultdict(dict)
    for label, count in counts.items():
        by_key[label_key(label)][label] = int(count)
    apart = {(spelling, other) for group in distinct for spelling in group for other in group}
    groups = []
    for group in by_key.values():
        same = [
            spelling
            for spelling in group
            if any(spelling != other and (spelling, other) not in apart for other in group)
        ]
        if same:
            groups.append(
                {label: group[label] for label in sorted(same, key=lambda spelling: (-group[spelling], spelling))}
            )
    return sorted(groups, key=lambda group: (-sum(group.values()), min(group)))


def describe_variants(groups: Sequence[Mapping[str, int]]) -> str:
    """The groups on one line, with counts; what is not seen of a label stands as code points."""
    descriptions = [
        " = ".join(f"{shown_label(label)} ({count:,})" for label, count in group.items()) for group in groups
    ]
    more = f"; and {len(descriptions) - SHOWN:,} more" if len(descriptions) > SHOWN else ""
    return "; ".join(descriptions[:SHOWN]) + more


def shown_label(label: str) -> str:
    """A label in quotes, so that white space, marks and composed letters differ from what looks the same."""
    return ascii(label) if label != unicodedata.normalize("NFC", label) else repr(label)


def map_labels(labels: pd.Series, label_map: Mapping[str, str], notes: list[str] | None = None) -> pd.Series:
    """Labels with each spelling that `label_map` names replaced, once; spellings that no row has go to `notes`."""
    unused = [spelling for spelling in label_map if not (labels == spelling).any()]
    if unused and notes is not None:
        more = f" and {len(unused) - SHOWN:,} more" if len(unused) > SHOWN else ""
        notes.append(f"label_map names {', '.join(map(shown_label, unused[:SHOWN]))}{more}, which no row has")
    return labels.map(dict(label_map)).astype("str").fillna(labels) if label_map else labels
