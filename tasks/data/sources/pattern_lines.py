"""A text file and a pattern with named groups -> a table: one row per line, a column per group."""

import re
from pathlib import Path

import pandas as pd

from ..errors import DataError
from ..files import text_encoding


def read_lines(path: Path, encoding: str, pattern: str | None) -> pd.DataFrame:
    """Match the whole of every line that is not blank; an empty or absent group is missing.

    Raises DataError without a pattern, and for the first line that does not fit it.
    """
    if pattern is None:
        raise DataError(
            f"{path}: the format lines needs a `pattern` of named groups, such as "
            r"'(?P<label>\S+) (?P<text>.+)' for a label, a space and a text in each line"
        )
    expression = re.compile(pattern)
    names = list(expression.groupindex)
    rows: list[list[str | None]] = []
    with path.open(encoding=text_encoding(encoding), newline="\n") as handle:
        for number, line in enumerate(handle, 1):
            text = line.removesuffix("\n").removesuffix("\r")
            if not text or text.isspace():
                continue
            fit = expression.fullmatch(text)
            if fit is None:
                raise DataError(
                    f"{path}:{number}: the line {text[:60]!r} does not fit `pattern` {pattern!r}, which "
                    "must match whole lines; widen the pattern or fix the line"
                )
            rows.append([fit[name] or None for name in names])
    return pd.DataFrame(rows, columns=names, dtype="str")
