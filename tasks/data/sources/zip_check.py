"""Is a zip archive whole? zipfile reads the last directory that it finds, whatever stands around its members."""

import struct
import zipfile
from pathlib import Path
from typing import IO

LOCAL, END = b"PK\x03\x04", b"PK\x05\x06"
LOCAL_SIZE, END_SIZE = 30, 22
DESCRIPTORS = (0, 12, 16, 20, 24)
"""Bytes that a member's checksum and sizes may take behind its data."""
NO_ZIP64 = 0xFFFF


def check_zip(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise zipfile.BadZipFile where bytes stand before the first member or behind the end, where members overlap, and
    for a member that the directory does not list."""
    entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    with path.open("rb") as handle:
        _check_end(handle, path.stat().st_size, archive, len(entries))
        place = 0
        for entry in entries:
            _check_gap(handle, place, entry.header_offset)
            place = _end_of(handle, entry)
        _check_gap(handle, place, archive.start_dir)


def _check_end(handle: IO[bytes], size: int, archive: zipfile.ZipFile, count: int) -> None:
    handle.seek(max(0, size - END_SIZE - len(archive.comment)))
    end = handle.read(END_SIZE)
    if not end.startswith(END) or struct.unpack("<H", end[20:])[0] != len(archive.comment):
        raise zipfile.BadZipFile("more stands behind its end")
    listed = struct.unpack("<H", end[10:12])[0]
    if listed not in (count, NO_ZIP64):
        raise zipfile.BadZipFile(f"its directory lists {count:,} members of {listed:,}")


def _end_of(handle: IO[bytes], entry: zipfile.ZipInfo) -> int:
    """Where a member's data end, by its own header."""
    handle.seek(entry.header_offset)
    header = handle.read(LOCAL_SIZE)
    if not header.startswith(LOCAL) or len(header) < LOCAL_SIZE:
        raise zipfile.BadZipFile("a member is not where the directory says")
    name, extra = struct.unpack("<HH", header[26:])
    return entry.header_offset + LOCAL_SIZE + int(name) + int(extra) + entry.compress_size


def _check_gap(handle: IO[bytes], place: int, next_place: int) -> None:
    if next_place < place:
        raise zipfile.BadZipFile("its members overlap")
    if place == 0 and next_place > 0:
        raise zipfile.BadZipFile("more stands before its first member")
    handle.seek(place)
    gap = handle.read(min(next_place - place, max(DESCRIPTORS) + len(LOCAL)))
    if any(gap[size:].startswith(LOCAL) for size in DESCRIPTORS):
        raise zipfile.BadZipFile("it has a member that its directory does not list")
