"""A tar archive -> its entries, one by one, each header verified; any version of Python reads the same.

Python's tarfile takes a damaged header for the end of the archive, in some versions without a word. The format is that
of POSIX.1-2017 (pax and ustar) and of GNU tar, https://www.gnu.org/software/tar/manual/html_node/Standard.html.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .decompressed import BLOCK, Readable

HEADER = 512
"""Bytes of a header; data are padded to as many."""
LONGEST_HEADER = 2**20
"""Bytes of a long name or attribute record, which is read into memory as a whole."""
FILES = (b"0", b"\0", b"7")
FOLDER, LONG_NAME, LONG_LINK = b"5", b"L", b"K"
ATTRIBUTES, OLD_ATTRIBUTES, GLOBAL = b"x", b"X", b"g"
LINKS = (b"1", b"2")
SPECIAL = (b"3", b"4", b"6", b"S")
"""Devices, pipes and sparse files."""
KNOWN = (*FILES, FOLDER, LONG_NAME, LONG_LINK, ATTRIBUTES, OLD_ATTRIBUTES, GLOBAL, *LINKS, *SPECIAL)
DIGITS = 20
"""Digits of the length of an attribute record."""


class TarError(Exception):
    """An archive that is damaged, or is none."""


@dataclass(frozen=True)
class Header:
    """What a header states about a file: path, bytes, type."""

    name: str
    size: int
    kind: bytes

    @property
    def is_file(self) -> bool:
        """A plain file."""
        return self.kind in FILES and not self.is_folder

    @property
    def is_folder(self) -> bool:
        """A folder; before POSIX one was a file whose name ends in a slash."""
        return self.kind == FOLDER or (self.kind == b"\0" and self.name.endswith("/"))

    @property
    def is_link(self) -> bool:
        """A hard or symbolic link."""
        return self.kind in LINKS


class Tar:
    """Entries in the archive's order; the bytes of one are read before the next is asked for."""

    def __init__(self, stream: Readable) -> None:
        self.stream, self.left, self.padding = stream, 0, 0

    def headers(self) -> Iterator[Header]:
        """Headers of files, folders and what else there is. Raises TarError unless the archive is whole."""
        everywhere: dict[str, str] = {}
        here: dict[str, str] = {}
        while (block := self._block()) is not None:
            header = _parse(block)
            if header.kind in (LONG_NAME, LONG_LINK, ATTRIBUTES, OLD_ATTRIBUTES, GLOBAL):
                record = self._record(header)
                if header.kind == LONG_NAME:
                    here["path"] = _text(record.partition(b"\0")[0])
                elif header.kind == GLOBAL:
                    everywhere |= _attributes(record)
                elif header.kind != LONG_LINK:
                    here |= _attributes(record)
                continue
            header, here = _completed(header, everywhere | here), {}
            self.left = header.size if header.is_file else 0
            self.padding = -self.left % HEADER
            yield header
            self._skip()
        if here:
            raise TarError("it ends behind a long name or attributes, before the member that they are of")
        self._check_end()

    def blocks(self) -> Iterator[bytes]:
        """The bytes of the current entry."""
        while self.left:
            data = self._exactly(min(self.left, BLOCK))
            self.left -= len(data)
            yield data

    def _skip(self) -> None:
        for _ in self.blocks():
            pass
        self._exactly(self.padding)

    def _block(self) -> bytes | None:
        """The next header; None for a block of zeros, which closes the archive."""
        block = self._exactly(HEADER)
        return block if any(block) else None

    def _record(self, header: Header) -> bytes:
        if header.size > LONGEST_HEADER:
            raise TarError(f"a header of {header.size:,} bytes")
        record = self._exactly(header.size)
        self._exactly(-header.size % HEADER)
        return record

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            if not (data := self.stream.read(size)):
                raise TarError("cut off")
            parts.append(data)
            size -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _check_end(self) -> None:
        """Behind the closing blocks there are only zeros: else archives were joined, or a header was overwritten."""
        while data := self.stream.read(BLOCK):
            if any(data):
                raise TarError("more stands behind its closing blocks")


def _parse(block: bytes) -> Header:
    """One header. Raises TarError unless its checksum is right and its type known."""
    blank = block[:148] + b" " * 8 + block[156:]
    signed = sum(blank) - 256 * sum(byte > 127 for byte in blank)  # as some old programs count
    if _number(block[148:156]) not in (sum(blank), signed):
        raise TarError("cut off or overwritten: a header's checksum is wrong")
    kind = block[156:157]
    if kind not in KNOWN:
        raise TarError(f"a member of unknown type {kind!r}")
    name, prefix = (part.partition(b"\0")[0] for part in (block[:100], block[345:500]))
    if prefix and block[257:263] == b"ustar\0":
        name = prefix + b"/" + name
    return Header(_text(name), _number(block[124:136]), kind)


def _number(field: bytes) -> int:
    """A number in octal digits, or in binary behind a byte 0x80. Raises TarError."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip()
    if digits.strip(b"01234567") or field[0] == 0xFF:
        raise TarError("cut off or overwritten: a header holds no number where there must be one")
    return int(digits or b"0", 8)


def _attributes(record: bytes) -> dict[str, str]:
    """Keys and values of pax: each is its own length, a space, key=value and a line feed. Raises TarError."""
    attributes, place = {}, 0
    while place < len(record) and record[place] != 0:
        space = record.find(b" ", place, place + DIGITS)
        digits = record[place:space] if space > 0 else b""
        length = int(digits) if digits.isdigit() else 0
        whole = record[place : place + length]
        key, equals, value = whole[space - place + 1 : -1].partition(b"=")
        if len(whole) != length or not whole.endswith(b"\n") or not equals:
            raise TarError("cut off or overwritten: an attribute record is no key and value")
        attributes[_text(key)] = _text(value)
        place += length
    return attributes


def _completed(header: Header, attributes: dict[str, str]) -> Header:
    """A header with what the records before it say. Raises TarError."""
    if any(key.startswith("GNU.sparse.") for key in attributes):
        return Header(header.name, 0, b"S")
    size = attributes.get("size", str(header.size))
    if not (size.isascii() and size.isdigit() and len(size) <= DIGITS):
        raise TarError(f"a member of {size[:40]!r} bytes")
    return Header(attributes.get("path", header.name), int(size), header.kind)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
