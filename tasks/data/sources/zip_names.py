"""Names in a zip archive as bytes -> text: in the encoding that it states, else in the one that fits best.

A zip states UTF-8 by a flag; without it the bytes are of the machine that packed it: a DOS code page, GBK, Shift-JIS.
"""

import os
import re
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

from .folders import escape_name

UTF8_FLAG = 0x800
ENOUGH = 0.7
"""Share of letters that must be common ones before names are taken for Chinese, Japanese or Korean."""
COMMON: dict[str, Callable[[str], bool]] = {
    "gbk": lambda letter: _lead(letter, "gb2312", 0xB0, 0xD7),
    "cp932": lambda letter: "\u3041" <= letter <= "\u30fe" or _lead(letter, "cp932", 0x88, 0x97),
    "big5": lambda letter: _lead(letter, "big5", 0xA4, 0xC6),
    "cp949": lambda letter: "\uac00" <= letter <= "\ud7a3" and _lead(letter, "euc_kr", 0xB0, 0xC8),
}
"""Encodings of two bytes a letter, with the letters that are usual in them: the first planes of their standards."""
SINGLE = ("cp437", "cp850", "cp1252", "cp866", "cp1251", "cp852", "cp1250")
"""Encodings of one byte a letter; of those that fit alike the first counts."""


def _lead(letter: str, encoding: str, first: int, last: int) -> bool:
    try:
        encoded = letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return len(encoded) == 2 and first <= encoded[0] <= last


def zip_encoding(names: Sequence[bytes]) -> str:
    """The encoding in which names without the flag of UTF-8 make most sense; utf-8 where all are."""
    odd = [name for name in names if not name.isascii()]
    if all(_decoded(name, "utf-8") is not None for name in odd):
        return "utf-8"
    fits = {encoding: score for encoding in COMMON if (score := _score(odd, encoding, _common)) >= ENOUGH}
    if fits:
        return max(fits, key=fits.__getitem__)
    scores = {encoding: _score(odd, encoding, lambda text, _: _plausible(text)) for encoding in SINGLE}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] > 0 else "cp437"


def _decoded(name: bytes, encoding: str) -> str | None:
    try:
        return name.decode(encoding)
    except UnicodeDecodeError:
        return None


def _score(names: Sequence[bytes], encoding: str, judge: Callable[[str, str], float]) -> float:
    """How well names fit an encoding, from 0 (one of them does not) to 1."""
    texts = [text for name in names if (text := _decoded(name, encoding)) is not None]
    return sum(judge(text, encoding) for text in texts) / len(names) if len(texts) == len(names) else 0.0


def _common(text: str, encoding: str) -> float:
    """Share of common letters among those beyond ASCII; next to a Latin letter one is likelier an accented one."""
    odd = re.findall(r"([A-Za-z]?)([^\x00-\x7f])(?![A-Za-z])", text)
    count = sum(not letter.isascii() for letter in text)
    return sum(COMMON[encoding](letter) for latin, letter in odd if not latin) / count


def _plausible(text: str) -> float:
    """Share of words with letters beyond ASCII that are words: letters of one script, no capital behind a small one."""
    words = [word for word in re.split(r"[\x00-\x40\x5b-\x60\x7b-\x7f]+", text) if word and not word.isascii()]
    return sum(map(_is_word, words)) / len(words)


def _is_word(word: str) -> bool:
    scripts = {unicodedata.name(letter, "? ").split()[0] for letter in word}
    rises = any(a.islower() and b.isupper() for a, b in pairwise(word))
    return word.isalpha() and not rises and len(scripts) == 1 and scripts < {"LATIN", "CYRILLIC", "GREEK"}


def name_bytes(entry: zipfile.ZipInfo) -> bytes | None:
    """The bytes of a name that states no encoding; None where it states UTF-8. zipfile reads them as cp437."""
    return None if entry.flag_bits & UTF8_FLAG else entry.orig_filename.encode("cp437")


def namer(entries: Sequence[zipfile.ZipInfo]) -> Callable[[zipfile.ZipInfo], str]:
    """How entries of one archive are called; what no encoding fits is kept as bytes (PEP 383)."""
    encoding = zip_encoding([name for entry in entries if (name := name_bytes(entry)) is not None])
    return partial(_name, encoding)


def _name(encoding: str, entry: zipfile.ZipInfo) -> str:
    data = name_bytes(entry)
    return entry.orig_filename if data is None else _decoded(data, encoding) or os.fsdecode(data)


def describe_names(entries: Sequence[zipfile.ZipInfo]) -> str | None:
    """What was detected, with a name to judge it by, and how another encoding would read it; None: nothing to say."""
    raw = [name for entry in entries if (name := name_bytes(entry)) is not None and not name.isascii()]
    if not raw:
        return None
    encoding, first = zip_encoding(raw), raw[0]
    reads = f"so that one reads {escape_name(_decoded(first, encoding) or os.fsdecode(first))!r}"
    others = [name for name in (*COMMON, *SINGLE) if name != encoding and _fits(raw, name, encoding)][:1]
    also = "".join(f"; {name} would read {_decoded(first, name)!r}" for name in others)
    return (
        f"{len(raw):,} names in the archive state no encoding, detected as {encoding}, {reads}{also}; where that "
        "is wrong pack it again with UTF-8 names"
    )


def _fits(names: Sequence[bytes], encoding: str, chosen: str) -> bool:
    if _decoded(names[0], encoding) == _decoded(names[0], chosen):
        return False
    if encoding in COMMON:
        return _score(names, encoding, _common) >= ENOUGH
    return _score(names, encoding, lambda text, _: _plausible(text)) >= ENOUGH
