"""What is stated about data that cannot be used; apart from the other files, since it travels with models."""

import difflib
from pathlib import Path

DEMO = Path(__file__).parent / "demo"
"""Data that come with Temper."""


class DataError(ValueError):
    """Data that cannot be used; the message says what, where and how to fix it."""


def check_file(path: Path) -> None:
    """Raise DataError unless the file is there and has a byte."""
    if path.is_dir():
        raise DataError(f"{path}: a folder, not a file; name a file in it, or all of them as {path.name}/*.csv")
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "relative paths start at the setting TEMPER_DATA"
        raise DataError(f"{path}: no such file; {hint}")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty; it must hold rows")
