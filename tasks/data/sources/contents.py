"""What a file holds by its first bytes, whatever it is called: other formats are named with what reads them."""

import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from configs.sources import Format

from ..errors import DataError

HEAD = 65_536
"""Bytes by which a format is recognised."""
LINES = 20
UNPACK, CSV = "unpack it and name the file inside", "save its table as CSV (UTF-8)"


@dataclass(frozen=True)
class Content:
    """What a file holds, what to do where it is called otherwise, and its format where it is a table."""

    what: str
    fix: str
    format: Format | None = None

    def __str__(self) -> str:
        """Both."""
        return f"{self.what}; {self.fix}"


def _table(what: str, form: Format) -> Content:
    return Content(what, f"set `format: {form}`, or rename it", form)


def _renamed(what: str, ending: str) -> Content:
    return Content(what, f"rename it so that its name ends in {ending}")


PARQUET, ARROW, JSON = (
    _table("a Parquet table", "parquet"),
    _table("an Arrow table", "arrow"),
    _table("JSON", "jsonl"),
)
PAGE = Content("a page of HTML, as a server sends it in place of a file", "download the file itself")
FIRST: tuple[tuple[bytes, Content], ...] = (
    (b"PAR1", PARQUET),
    (b"ARROW1", ARROW),
    (b"FEA1", ARROW),
    (b"\xff\xff\xff\xff", ARROW),
    (b"\x1f\x8b", _renamed("a file compressed by gzip", ".gz, such as rows.csv.gz")),
    (b"\xfd7zXZ\0", _renamed("a file compressed by xz", ".xz, such as rows.csv.xz")),
    (b"(\xb5/\xfd", Content("a file compressed by zstd", "unpack it with `zstd -d` and name the result")),
    (b"7z\xbc\xaf'\x1c", Content("a 7z archive", UNPACK)),
    (b"Rar!\x1a\x07", Content("a RAR archive", UNPACK)),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Content("a document of Microsoft Office, such as an .xls workbook", CSV)),
    (
        b"SQLite format 3\0",
        Content("an SQLite database", "write a table: `sqlite3 -header -csv FILE 'select * from TABLE' > rows.csv`"),
    ),
    (b"\x89HDF", Content("an HDF5 file", "write its table with pandas' `to_parquet`")),
    (b"%PDF-", Content("a PDF document", CSV)),
    (
        b"version https://git-lfs.github.com/spec/",
        Content("a pointer that Git LFS keeps in place of the file", "fetch the file with `git lfs pull`"),
    ),
)
"""What begins with these bytes."""
CALLED = {"jsonl": "JSON", "parquet": "a Parquet file", "arrow": "an Arrow file", "lines": "lines of text"}
PICKLE = re.compile(rb"\x80[\x02-\x05][\x80-\xff}\](c]")
BZIP2 = re.compile(rb"BZh[1-9]1AY&SY")
HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,100}<(?:!doctype html|html)\b", re.IGNORECASE)
DOCUMENTS = (".xlsx", ".xlsm", ".ods", ".docx")
WORKBOOK = re.compile(r"xl/|word/|content\.xml|mimetype")
"""Names in a zip archive that is a document."""


def recognise(path: Path) -> Content | None:
    """What a file holds, where its first bytes show it; of text only a page of HTML is distinguished here."""
    with path.open("rb") as handle:
        head = handle.read(1024)
    if head.startswith(b"PK\x03\x04"):
        return _zipped(path)
    tests: tuple[tuple[Callable[[], object], Content], ...] = (
        (lambda: head[257:262] == b"ustar", _renamed("a tar archive", ".tar")),
        (lambda: BZIP2.match(head), _renamed("a file compressed by bzip2", ".bz2, such as rows.csv.bz2")),
        (
            lambda: PICKLE.match(head),
            Content("a pickle, which can run code when it is opened", "write its table with pandas' `to_parquet`"),
        ),
        (lambda: HTML.match(head), PAGE),
    )
    known = next((content for mark, content in FIRST if head.startswith(mark)), None)
    return known or next((content for test, content in tests if test()), None)


def _zipped(path: Path) -> Content:
    """A document that is a zip archive inside, by its members or its name, or an archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            document = any(WORKBOOK.match(name) for name in archive.namelist()[:LINES])
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        document = False  # damaged, which the reader of archives says
    if document or path.suffix.lower() in DOCUMENTS:
        return Content("a document of Excel or another office program", CSV)
    return _renamed("a zip archive", ".zip")


def text_format(path: Path) -> Format | None:
    """The format of a file of text by its first lines: JSON, or the separator that each of them has; None: another."""
    with path.open("rb") as handle:
        head = handle.read(HEAD)
    if b"\0" in head:
        return None
    if _is_json(head):
        return "jsonl"
    lines = head.splitlines()[:LINES]
    marks: tuple[tuple[Format, bytes], ...] = (("tsv", b"\t"), ("csv", b","), ("csv", b";"), ("csv", b"|"))
    return next((form for form, mark in marks if all(mark in line for line in lines)), None)


def _is_json(head: bytes) -> bool:
    """Whether a text begins with an object, on one line or more, or with an array of objects."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    first, end, _ = text.partition(b"\n")
    if text.startswith(b"["):
        return text[1:].lstrip(b" \t\r\n").startswith(b"{")
    try:
        return first.startswith(b"{") and isinstance(json.loads(first.decode("utf-8", "replace")), dict)
    except json.JSONDecodeError as error:  # an object that goes on, in the next line or behind the head
        return (not end and len(head) == HEAD) or (
            "Unterminated" not in error.msg and error.pos >= len(error.doc.rstrip())
        )
    except (ValueError, RecursionError):
        return False


def _opens(path: Path) -> bool:
    """Whether a text begins as JSON does, be it cut or in an encoding that is not detected here."""
    with path.open("rb") as handle:
        return handle.read(HEAD).removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"["))


def other_content(path: Path, kind: str | None, *, header: bool) -> Content | None:
    """What a file holds that is not of this format (None: of an unknown one); None where it may well be.

    header: whether its first line names the columns, so that it can be no row that begins like a page.
    """
    content = recognise(path)
    if content is not None:
        return None if (content.format == kind and kind) or (content is PAGE and not header) else content
    if kind in (None, "lines") or (form := text_format(path)) in (None, kind):
        return None
    wrong = form == "jsonl" if kind in ("csv", "tsv", "conll") else kind != "jsonl" or not _opens(path)
    return _table("JSON" if form == "jsonl" else str(form).upper(), form) if wrong and form else None


def refuse_other(path: Path, name: str, kind: str | None, *, header: bool) -> None:
    """Raise DataError where a file holds another format than this, with what reads it."""
    content = other_content(path, kind, header=header)
    if content is not None:
        raise DataError(f"{name}: {f'not {CALLED.get(kind, kind.upper())}, ' if kind else ''}it holds {content}")
