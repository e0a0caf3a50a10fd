"""A source -> the lines of a starter recipe that name it, how it is read and how its rows are divided."""

from pathlib import Path
from typing import Any

from .recipe_comments import Lines, flow
from .sources import ClassFilesSource, Columns, FileSource, HubSource, UrlSource
from .splitting import GivenSplit, HashSplit


def source_lines(source: Any, path: str) -> Lines:
    """The beginning of `download`: where a source is and, of a table, how it is read."""
    yield "download:", ""
    yield from placed(source, path)
    if isinstance(source, FileSource | UrlSource):
        yield from reading(source)


def split_column(source: Any, columns: Columns) -> Lines:
    """The column that gives the parts, where neither the data set nor the names of its files do."""
    if columns.split and not isinstance(source, HubSource) and not source.split_files:
        yield f"    split: {flow(columns.split)}", "its values name the parts"


def split_lines(split: HashSplit | GivenSplit, remark: str, few: str) -> Lines:
    """The section `split`; `few`: why shares are exact, where they are."""
    yield "split:", remark
    yield f"  kind: {split.kind}", ""
    if isinstance(split, GivenSplit):
        yield f"  validation: {split.validation}", ""
    elif split.exact:
        yield "  exact: true", few


def placed(source: Any, path: str) -> Lines:
    """Where a source is: kind and place."""
    yield f"  kind: {source.kind}", ""
    if isinstance(source, HubSource):
        yield f"  repo: {source.repo}", ""
        yield f"  revision: {flow(source.revision)}", "the commit that was inspected"
        if source.subset:
            yield f"  subset: {flow(source.subset)}", ""
    elif getattr(source, "url", None) is not None:
        yield f"  url: {flow(str(source.url))}", ""
        yield f"  sha256: {flow(str(source.sha256))}", "of what was inspected; other bytes are refused"
    elif isinstance(source, ClassFilesSource):
        yield "  files:", "label to file or folder"
        for label, names in source.files.items():
            yield f"    {flow(label)}: {flow(names if isinstance(names, str) else list(names))}", ""
        if source.split_files:
            yield "  split_files: true", "their folders give the split"
        if source.encoding != "utf-8":
            yield f"  encoding: {source.encoding}", "not all of them are UTF-8"
    elif isinstance(source.path, tuple):
        yield "  path:", "read together"
        yield from ((f"  - {flow(name)}", "") for name in source.path)
    else:
        apart = "absolute, since it does not lie below TEMPER_DATA"
        yield f"  path: {flow(path)}", apart if Path(path).is_absolute() else "below TEMPER_DATA"
    if getattr(source, "token", None) is not None:
        yield f"  token: {flow(source.token)}", "the name of the token, which stands in the environment"


def reading(source: FileSource | UrlSource) -> Lines:
    """How a table is read, where that is not by the defaults."""
    if source.split_files:
        yield "  split_files: true", "their names give the split"
    if source.member:
        member = source.member if isinstance(source.member, str) else list(source.member)
        yield f"  member: {flow(member)}", "the table in the archive" if isinstance(member, str) else "read together"
    if source.format:
        yield f"  format: {source.format}", "its name does not say"
    if source.encoding != "utf-8":
        yield f"  encoding: {source.encoding}", "a guess, since it is not UTF-8"
    if source.header:
        yield f"  header: {flow(list(source.header))}", "the first line is already a row"
    if source.separator:
        yield f"  separator: {flow(source.separator)}", "between its fields"
    if not source.quoting:
        yield "  quoting: false", "double quotes belong to the texts"
    if source.escape:
        yield f"  escape: {flow(source.escape)}", "before quotes that belong to a text"
    if source.pattern:
        yield f"  pattern: {flow(source.pattern)}", "of whole lines; its named groups are the columns"
