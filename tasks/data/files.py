"""Files as they are found: absent, empty or in another encoding is said with place and mend."""

import difflib
from pathlib import Path

from configs.sources import EmbeddedSource

DEMO = Path(__file__).parent / "demo"


class DataError(ValueError):
    """Data that cannot be used; the message says what, where and how to mend it."""


def check_file(path: Path) -> None:
    """Raise DataError unless the file is there and has a byte."""
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "relative paths start at the setting TEMPER_DATA"
        raise DataError(f"{path}: no such file; {hint}")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty; it must hold rows")


def check_encoding(path: Path, encoding: str) -> None:
    """Raise DataError with the line of the first byte that is not in the encoding."""
    data = path.read_bytes()
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}:{line}: byte 0x{data[error.start]:02x} is not {encoding}; "
            "save the file as UTF-8 or set `encoding` (such as cp1252)"
        ) from None
    except LookupError:
        raise DataError(f"{path}: unknown encoding {encoding!r}; use a name such as utf-8 or cp1252") from None


def text_encoding(encoding: str) -> str:
    """The same encoding, a byte-order mark not counted as text."""
    return "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding


def embedded_file(source: EmbeddedSource) -> Path:
    """The file of an embedded set."""
    return DEMO / f"{source.name}.csv"
