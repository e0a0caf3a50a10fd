"""A CoNLL file (a word and its tag per line, blank lines between sentences) -> a table with lists of words and tags."""

from itertools import chain
from pathlib import Path

import pandas as pd

from ..errors import DataError
from ..files import text_encoding
from ..tags.schemes import TAG

FIRST, LAST = "tokens", "tags"
"""What the first and the last column are called where the recipe names none."""
BREAK = "-DOCSTART-"
"""The word of a line that stands between documents."""
FEWEST = 2


def read_conll(path: Path, encoding: str, header: tuple[str, ...] | None, notes: list[str]) -> pd.DataFrame:
    """A row per sentence, a column of lists per column of the file, named by `header`; else the first is `tokens` and
    the last `tags`. Columns are separated by a tab where the first line has one, else by white space.

    Raises DataError for a line with another number of columns.
    """
    sentences: list[list[list[str]]] = [[]]
    wide, tabs, comments = 0, False, 0
    with path.open(encoding=text_encoding(encoding), newline="\n") as handle:
        for number, line in enumerate(handle, 1):
            text = line.rstrip("\r\n")
            if not text.strip() or text.startswith(BREAK):
                sentences += [[]] if sentences[-1] else []
                continue
            if not wide and not text.startswith("# "):
                tabs = "\t" in text
                wide = len(_columns(text, tabs))
            columns = _columns(text, tabs)
            if len(columns) != wide and text.startswith("#"):
                comments += 1
            elif len(columns) != wide or wide < FEWEST:
                raise DataError(
                    f"{path}:{number}: {len(columns)} columns, {text[:60]!r}, not "
                    f"{max(wide, FEWEST)}: write word and tag, a tab or spaces between"
                )
            else:
                sentences[-1].append(columns)
    if comments:
        notes.append(f"{comments:,} lines that begin with # are comments")
    names = _names(path, header, wide)
    kept = [sentence for sentence in sentences if sentence]
    return pd.DataFrame(
        {
            name: pd.Series([[line[place] for line in sentence] for sentence in kept], dtype=object)
            for place, name in enumerate(names)
        }
    )


def is_conll(lines: list[str]) -> bool:
    """Whether the lines at a file's head are words with a tag of a known scheme behind each."""
    words = [line.split() for line in lines if line.strip() and not line.startswith((BREAK, "# "))]
    tags = [line[-1] for line in words if len(line) >= FEWEST and TAG.fullmatch(line[-1])]
    blank = any(not line.strip() for line in lines[:-1])
    return blank and len(tags) == len(words) >= 10 and len(set(tags)) > 1


def _columns(text: str, tabs: bool) -> list[str]:
    return [column.strip() for column in text.rstrip().split("\t")] if tabs else text.split()


def _names(path: Path, header: tuple[str, ...] | None, wide: int) -> list[str]:
    if header is None:
        return [FIRST, *(f"column {place}" for place in range(2, wide)), LAST]
    if len(header) != wide:
        raise DataError(f"{path}: {wide} columns, but download.header names {len(header)}: {', '.join(header)}")
    return [*chain(header)]
