"""Files as they are found: absent, empty or in another encoding is stated with place and fix."""

import codecs
import glob
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from configs.settings import settings
from configs.sources import EmbeddedSource

from .errors import DEMO, DataError, check_file
from .latin_encodings import likeliest

__all__ = [
    "DEMO",
    "check_encoding",
    "check_file",
    "describe_encoding",
    "detect_encoding",
    "embedded_files",
    "find_files",
    "text_encoding",
]
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte-order marks; those of UTF-32 begin like those of UTF-16, so they come first."""
BLOCK = 2**20
SAMPLE = 2**18
"""Bytes from which an encoding is guessed."""
COMMON = [
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "cp1257",
    "cp1258",
    "koi8_r",
    "iso8859_2",
    "iso8859_5",
    "iso8859_7",
    "iso8859_15",
    "gb18030",
    "big5",
    "cp932",
    "euc_jp",
    "cp949",
    "tis_620",
    "mac_roman",
]
"""Encodings among which one is guessed: with rare ones as candidates, short Russian passes for Mac Greek."""
FEW = 32
"""So few bytes beyond ASCII are no ground for statistics."""


NULS = 0.05
"""So many bytes of a file may be NUL, at even or at odd places alone, before it must be UTF-16."""


def find_files(paths: str | Sequence[str]) -> list[Path]:
    """The files that a source's `path` names: each pattern's in the order of their names, a list's as listed.

    Raises DataError for a pattern that fits nothing, a file that is absent or empty, and one named twice.
    """
    existing: list[Path] = []
    for name in [paths] if isinstance(paths, str) else paths:
        plain = settings().source(name)
        if glob.has_magic(name) and not plain.exists():
            fitting = sorted(glob.glob(os.path.expanduser(name), root_dir=settings().source(""), recursive=True))
            several = [path for path in map(settings().source, fitting) if path.is_file()]
            if not several:
                raise DataError(f"{plain}: no file fits this pattern; relative ones start at the setting TEMPER_DATA")
            existing += several
        else:
            existing.append(plain)
    seen: set[Path] = set()
    for path in existing:
        check_file(path)
        if path in seen:
            raise DataError(f"{path}: named twice; its rows would count double")
        seen.add(path)
    return existing


def check_encoding(path: Path, encoding: str) -> None:
    """Raise DataError with the line of the first byte that is not in the encoding, and one that is likely."""
    line = 1
    try:
        "".encode(encoding)  # base64 and its like are codecs too, but of no text
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise DataError(f"{path}: unknown encoding {encoding!r}; use a name such as utf-8 or cp1252") from None
    if text_encoding(encoding) == "utf-8-sig" and (wide := _wide(path)) is not None:
        raise DataError(
            f"{path}:1: every other byte is NUL, so it is not {encoding}; save the file as UTF-8 or set "
            f"`encoding` (it looks like {wide})"
        )
    with path.open("rb") as handle:
        while True:
            block = handle.read(BLOCK)
            try:
                decoder.decode(block, final=not block)
            except UnicodeError as error:
                byte = f"byte 0x{error.object[error.start]:02x}" if isinstance(error, UnicodeDecodeError) else "it"
                before = error.object[: error.start] if isinstance(error, UnicodeDecodeError) else b""
                likely = guess_encoding(path)
                raise DataError(
                    f"{path}:{line + before.count(10)}: {byte} is not {encoding}; save the file as UTF-8 or set "
                    f"`encoding` ({f'it looks like {likely}' if likely else 'such as cp1252'})"
                ) from None
            if not block:
                return
            line += block.count(b"\n")


def detect_encoding(path: Path) -> str:
    """The encoding of a whole file: by its mark, else UTF-8 where it holds, else the likeliest that fits every byte.

    Raises DataError where none fits.
    """
    check_file(path)
    likely = guess_encoding(path)
    if likely is None:
        raise DataError(f"{path}: no encoding fits every byte of this file; save it as UTF-8")
    return likely


def describe_encoding(path: Path, encoding: str) -> str:
    """What was detected, with the first word that another encoding would read otherwise, so that a person can judge."""
    if encoding.startswith("utf"):
        return f"encoding detected as {encoding}"
    words = _telling(path).decode(encoding, "replace").split()
    word = next((word for word in words if not word.isascii()), "")
    return f"encoding detected as {encoding}, so that it reads {word[:40]!r}; where that is wrong set `encoding`"


def guess_encoding(path: Path) -> str | None:
    """The likeliest encoding in which every byte of a file has a meaning; None where there is none."""
    with path.open("rb") as handle:
        head = handle.read(4)
    marked = next((name for mark, name in MARKS.items() if head.startswith(mark)), None)
    if marked is not None:
        return marked if _fits(path, marked) else None
    if (wide := _wide(path)) is not None:
        return wide
    if _fits(path, "utf-8"):
        return "utf-8"
    from charset_normalizer import from_bytes

    telling = _telling(path)
    odd = sum(byte > 127 for byte in telling)
    names = [match.encoding for match in from_bytes(telling, cp_isolation=COMMON)]
    few = odd < FEW and odd < len(telling) / 5  # a few accents: too little to distinguish languages
    latin = likeliest(telling)
    ordered = [*latin, *names] if few or not names or names[0] in latin else [*names, *latin]
    return next((name.replace("_", "-") for name in ordered if _fits(path, name)), None)


def _wide(path: Path) -> str | None:
    """UTF-16 without a mark, by the NULs that it writes next to letters of one byte."""
    with path.open("rb") as handle:
        sample = handle.read(SAMPLE)
    if sample.startswith(tuple(MARKS)):
        return None
    even, odd = sample[::2].count(0) / max(len(sample), 1), sample[1::2].count(0) / max(len(sample), 1)
    encoding = (
        "utf-16-le" if odd > NULS and even < odd / 10 else "utf-16-be" if even > NULS and odd < even / 10 else None
    )
    return encoding if encoding is not None and _fits(path, encoding) else None


def _telling(path: Path) -> bytes:
    """The first lines with other bytes than ASCII, up to SAMPLE bytes."""
    lines, size = [], 0
    with path.open("rb") as handle:
        for line in handle:
            if not line.isascii():
                lines.append(line[: SAMPLE - size])
                size += len(lines[-1])
            if size >= SAMPLE:
                break
    return b"".join(lines)


def _fits(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as handle:
            while block := handle.read(BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def text_encoding(encoding: str) -> str:
    """The same encoding, a byte-order mark not counted as text."""
    return "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding


def embedded_files(source: EmbeddedSource) -> tuple[Path, ...]:
    """The files of an embedded set, in order."""
    match source.name:
        case "digits":
            package = find_spec("sklearn")
            assert package is not None and package.submodule_search_locations
            return (Path(package.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz",)
        case "all_reviews":
            return DEMO / "reviews.csv", DEMO / "reviews_more.csv"
        case "reviews":
            return (DEMO / "reviews.csv",)
        case "hotel_dialogues" | "hotel_pairs":
            return (DEMO / "hotel_dialogues.jsonl",)
