"""A delimited file that cannot be read as it is stated to be -> the options with which it can."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path

from ..errors import DataError
from .delimited import fitting_columns
from .dialect import Delimiting, find_dialect

SEPARATORS = (",", ";", "\t", "|")
MOST_BEFORE = 10
"""Lines that may stand before that of the names."""
ESCAPE = "\\"
SAMPLE = 2**22
"""Bytes in which an escaped quote is searched for."""


@dataclass(frozen=True)
class Options:
    """Options of a recipe that differ from those with which a file was read."""

    separator: str | None = None
    quoting: bool = True
    escape: str | None = None

    def words(self, how: Delimiting) -> str:
        """Those that differ from how a file was read, as a recipe has them."""
        differing = [f"`separator: {_quoted(self.separator)}`"] if self.separator else []
        if self.escape != how.escape:
            differing.append(f"`escape: {_quoted(self.escape)}` (its quotes are escaped, as MySQL writes them)")
        if self.quoting != how.quoting:
            differing.append("`quoting: true`" if self.quoting else "`quoting: false` (its quotes belong to the texts)")
        return " and ".join(differing)


def find_options(path: Path, kind: str, how: Delimiting) -> Options | None:
    """The options with which every record has the same fields, two or more; None where none does.

    Those that are given come first, then the separator that gives most columns, quotes as marks before quotes as text.
    """
    fits: list[tuple[int, Options]] = []
    for options in _candidates(path, kind, how):
        separator = how.separator if options.separator is None else options.separator
        dialect = replace(find_dialect(path, kind, how, []), quoting=options.quoting, escape=options.escape)
        if kind == "csv" and dialect.skipped == 0:
            dialect = replace(dialect, separator=separator or ",")
        columns = fitting_columns(path, how, dialect)
        if columns > 1:
            if options.separator is None:
                return options
            fits.append((columns, options))
    return max(fits, key=lambda fit: fit[0])[1] if fits else None


def _candidates(path: Path, kind: str, how: Delimiting) -> Iterator[Options]:
    with path.open("rb") as handle:
        sample = handle.read(SAMPLE).replace(b"\0", b"")  # of UTF-16
    escaped = (how.escape, ESCAPE) if b'\\"' in sample and how.escape is None else (how.escape,)
    own = how.separator or ","
    for separator in (None, *(mark for mark in SEPARATORS if kind == "csv" and mark != own)):
        if separator is None or separator.encode() in sample:
            yield from (Options(separator, True, escape) for escape in escaped)
            yield Options(separator, False, how.escape)


def _first_line(path: Path, kind: str, how: Delimiting) -> int | None:
    """The line from which on every record has the same fields, where other lines stand before it."""
    with path.open("rb") as handle:
        few = sum(1 for _ in islice(handle, 3 * MOST_BEFORE)) < 2 * MOST_BEFORE
    if how.header is not None or few:
        return None
    dialect = find_dialect(path, kind, how, [])
    for skipped, separator in product(range(1, MOST_BEFORE + 1), (dialect.separator, *SEPARATORS)):
        if fitting_columns(path, how, replace(dialect, skipped=skipped, separator=separator)) > 1:
            return skipped + 1
    return None


def with_fix(error: DataError, path: Path, kind: str, how: Delimiting) -> DataError:
    """The complaint about a file with the options that read it, or else what can be done by hand."""
    options = find_options(path, kind, how)
    if options is None and kind == "tsv" and (other := find_options(path, "csv", how)):
        keys = " and ".join(filter(None, ["`format: csv`", other.words(how)]))
        return DataError(f"{error}; set {keys}, with which every line fits")
    if options is None and (first := _first_line(path, kind, how)):
        return DataError(f"{error}; the columns seem to begin in line {first}: delete the lines before it")
    if options is None or not (words := options.words(how)):
        return DataError(
            f"{error}; fix the line: double the quotes inside a field, quote a field that holds "
            f"separators (they are {how.separator or (',' if kind == 'csv' else 'tabs')!r}), or set "
            "`quoting: false` where quotes belong to the texts"
        )
    return DataError(f"{error}; set {words}, with which every line fits")


def _quoted(mark: str | None) -> str:
    return '"\\t"' if mark == "\t" else f"'{mark}'"
