"""A file that nobody has described yet -> its table, the source that reads it so, and what had to be guessed."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pandas as pd

from configs.sources import FileSource, Format

from ..data.errors import DataError
from ..data.files import check_encoding, check_file, describe_encoding, detect_encoding, text_encoding
from ..data.sources.columns import other_separator
from ..data.sources.conll import is_conll
from ..data.sources.contents import other_content, text_format
from ..data.sources.dialects import MOST_BEFORE, find_options
from ..data.sources.image_tables import NAME
from ..data.sources.tables import ENDINGS, format_of, read_table
from .table import LABEL_NAMES, TEXT_NAMES

HEAD = 65_536
"""Bytes or characters by which a format is recognised."""
LINES = 20
LABELLED = (
    re.compile(r"__label__(?P<label>\S+)\s(?P<text>.+)"),
    re.compile(r"(?P<label>\S+)\s(?P<text>.+)"),
)
"""A label, a space and a text: as fastText writes it, and as many research sets do."""
LISTED = re.compile(r"(?P<path>\S.*)[\s,](?P<label>[^\s,]+)")
"""The path of an image and a label; read from the right, in linear time."""
FEWEST = 10
"""Lines from which labels at their beginning can be distinguished from words."""
KNOWN = "save it as CSV, TSV, JSON lines or Parquet, or read its lines with `format: lines` and a `pattern`"


def read_unknown(path: Path) -> tuple[pd.DataFrame, FileSource, list[str]]:
    """Read a table of unknown form; returns it, the source that reads it so, and what had to be guessed.

    Raises DataError for what is no table.
    """
    check_file(path)
    known = ENDINGS.get(path.suffix.lower())
    other = other_content(path, known, header=True)
    if other is not None and other.format is None:
        raise DataError(f"{path}: {f'not {known}, ' if known else ''}it holds {other}")
    kind = other.format if other and other.format else known or _sniff(path)
    what = "the name has no known ending" if known is None else f"the name says {known}"
    notes = [] if kind == known else [f"{what}; the content looks like {kind}"]
    encoding = "utf-8"
    if kind not in ("parquet", "arrow"):
        try:
            check_encoding(path, encoding)
        except DataError as error:
            encoding = detect_encoding(path)
            notes.append(f"{str(error).partition(';')[0]}; {describe_encoding(path, encoding)}")
        if kind in ("csv", "tsv", "lines") and is_conll(_head(path, encoding)):
            kind = "conll"
            notes.append("a word and its tag per line, as CoNLL has them")
    form: Format | None = None if kind == known else kind  # type: ignore[assignment]
    pattern = _pattern_of(path, encoding) if kind == "lines" else None
    source = FileSource(kind="file", path=str(path), format=form, encoding=encoding, pattern=pattern)
    if kind in ("csv", "tsv"):
        return _read_delimited(path, source, notes)
    return read_table(path, source, notes=notes), source, notes


def _sniff(path: Path) -> str:
    if form := text_format(path):
        return form
    with path.open("rb") as handle:
        text = b"\0" not in handle.read(HEAD)
    if text and is_conll(_head(path, "latin-1")):
        return "conll"
    if text and _pattern_of(path, "latin-1") is not None:
        return "lines"
    raise DataError(f"{path}: not a table that Temper reads; {KNOWN}")


def _head(path: Path, encoding: str) -> list[str]:
    with path.open(encoding=text_encoding(encoding), newline="\n") as handle:
        text = handle.read(HEAD)
    lines = text.split("\n")
    return [line.removesuffix("\r") for line in (lines[:-1] if len(text) == HEAD else lines)]


def _pattern_of(path: Path, encoding: str) -> str | None:
    """A pattern that splits every line into one of few labels and a text, or the path of an image and a label."""
    lines = [line for line in _head(path, encoding) if line.strip()]
    listed = [LISTED.fullmatch(line) for line in lines]
    if lines and all(fit and NAME.fullmatch(fit["path"].strip()) for fit in listed):
        return LISTED.pattern
    for pattern in LABELLED:
        fits = [pattern.fullmatch(line) for line in lines]
        labels = {fit["label"] for fit in fits if fit}
        if all(fits) and len(lines) >= FEWEST and 2 <= len(labels) <= len(lines) / 5:
            return pattern.pattern
    return None


def _read_delimited(path: Path, source: FileSource, notes: list[str]) -> tuple[pd.DataFrame, FileSource, list[str]]:
    """With the dialect that fits every line, without quotes where they swallow lines, and without a header where the
    first line is a row."""
    table, source = _read_dialect(path, source, notes)
    if not source.quoting:
        notes = [*notes, "double quotes belong to the texts: taken as marks around fields they lose or swallow some"]
    if source.escape is not None:
        notes = [*notes, f"quotes inside fields are escaped by {source.escape}, as MySQL writes them"]
    names = list(map(str, table.columns))
    named = any(name.strip().lower() in TEXT_NAMES + LABEL_NAMES for name in names)
    if source.header is None and (line := _header_line(table, named=named)) is not None:
        raise DataError(
            f"{path}: the columns seem to be named in line {line}, and other lines stand before it; delete those: "
            f"`tail -n +{line} {shlex.quote(path.name)} > rows{path.suffix}`"
        )
    if not named and any((table.iloc[:, place] == name).any() for place, name in enumerate(names)):
        source = replace(source, header=tuple(f"column{number}" for number in range(1, len(names) + 1)))
        notes = [*notes, "the first line is already a row, so the columns are called column1, column2, …"]
        table = read_table(path, source)
    return table, source, notes


def _header_line(table: pd.DataFrame, *, named: bool) -> int | None:
    """The line that names the columns, as it seems, behind remarks or titles; None: the first, as where it has usual
    names (`named`)."""
    records = [list(map(str, table.columns)), *table.head(MOST_BEFORE).fillna("").to_numpy().tolist()]
    remarks = next((at for at, record in enumerate(records) if not record[0].startswith("#")), 0)
    if remarks and (remarks > 1 or records[0][0].startswith("# ")) and _are_names(records[remarks], table):
        return remarks + 1
    for at, record in enumerate([] if named else records[1:], 1):
        usual = {word.strip().lower() for word in record} & {*TEXT_NAMES, *LABEL_NAMES}
        if usual and _are_names(record, table):
            return at + 1
    return None


def _are_names(record: list[str], table: pd.DataFrame) -> bool:
    """Whether a record's fields may name columns: all filled, different, and none again in its column."""
    again = any((table.iloc[:, place] == word).sum() > 1 for place, word in enumerate(record))
    return all(record) and len({*record}) == len(record) and not again


def _read_dialect(path: Path, source: FileSource, notes: list[str]) -> tuple[pd.DataFrame, FileSource]:
    kind = format_of(str(path), source)
    options = find_options(path, kind, source)
    if options is None and kind == "tsv" and (other := find_options(path, "csv", source)):
        source, options = replace(source, format="csv"), other
    if options is not None:
        source = replace(source, separator=options.separator, quoting=options.quoting, escape=options.escape)
    dialect_notes: list[str] = []
    table = read_table(path, source, notes=dialect_notes)
    if kind == "csv" and options is None and (mark := other_separator(table)):
        source, dialect_notes = replace(source, separator=mark), []
        table = read_table(path, source, notes=dialect_notes)
    if source.quoting and any(table.iloc[:, place].str.contains("\n").any() for place in range(table.shape[1])):
        plain = replace(source, quoting=False)
        try:
            lines = read_table(path, plain)
            if lines.notna().all(axis=None) and len(lines) > len(table):
                return lines, plain
        except DataError:  # then the quotes are marks around fields
            pass
    notes += dialect_notes
    return table, source
