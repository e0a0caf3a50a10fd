"""A folder -> the files in it that a reader of images reads, under names that can be written, and those passed over."""

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..errors import DataError
from .provenance import LICENCE

IMAGE_ENDINGS = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".webp",
    ".avif",
    ".heic",
    ".heif",
    ".jp2",
    ".ico",
    ".ppm",
    ".pgm",
)
"""Endings of image files' names."""
MAGIC = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"BM",
    b"RIFF",
    b"II*\0",
    b"MM\0*",
    b"\0\0\0",
    b"P5",
    b"P6",
    b"\0\0\1\0",
    b"\xff\x4f\xff\x51",
)
"""First bytes of image files."""
NO_IMAGES = (
    ".txt",
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".md",
    ".xml",
    ".yaml",
    ".yml",
    ".ini",
    ".html",
    ".parquet",
    ".arrow",
    ".xlsx",
    ".xls",
    ".pdf",
    ".py",
    ".ipynb",
    ".zip",
    ".tar",
    ".gz",
    ".npy",
    ".npz",
)
"""Endings of what lies next to images without being one."""
SYSTEM = ("thumbs.db", "ehthumbs.db", "icon\r", "icon\\x0d", "desktop.ini")
"""Files that Windows and macOS put into folders by themselves; a Mac's `Icon` ends in a carriage return."""
SYSTEM_FOLDERS = ("__macosx", "@eadir", "$recycle.bin", "system volume information")
ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Listing:
    """Files by name (the path inside, which can be written) and place; those that are read, and those that are not."""

    read: list[tuple[str, Path]] = field(default_factory=list)
    left_out: list[tuple[str, Path]] = field(default_factory=list)

    @property
    def escaped(self) -> list[str]:
        """Names that differ from those on the disk."""
        return [name for name, path in self.read if not path.as_posix().endswith(name)]


def escape_name(name: str) -> str:
    r"""A file's name as text that can be shown and written: bytes that are not UTF-8 and control characters as \xNN."""
    return ODD.sub(lambda odd: _escaped(ord(odd[0])), name)


def _escaped(code: int) -> str:
    """Python keeps the byte 0xNN of a name that is not UTF-8 as U+DCNN (PEP 383)."""
    return f"\\x{code & 0xFF:02x}" if code < 0x20 or code == 0x7F or 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def is_system(name: str) -> bool:
    """Whether a path is a hidden file or folder, or one that an operating system puts there by itself."""
    parts = PurePosixPath(name.lower()).parts
    return any(part.startswith(".") or part in SYSTEM_FOLDERS for part in parts) or parts[-1:] in [(s,) for s in SYSTEM]


def is_left_out(name: str) -> bool:
    """Whether a path is obviously no image: a hidden or system file, a table, a text, an archive, a licence."""
    last = PurePosixPath(name).name.lower()
    return is_system(name) or last.endswith(NO_IMAGES) or bool(LICENCE.fullmatch(last))


def list_images(folder: Path) -> Listing:
    """The files below a folder that are read as images: all but those `is_left_out`, pipes and devices; by name.

    Pins and readers alike go by this list, so that what is not read changes no key. Links are followed, a circle of
    them only once. Raises DataError for a link that leads nowhere, where it would be read, and for a folder that
    cannot be opened.
    """
    listing = Listing()
    for name, path in walk_files(folder):
        if is_left_out(name):
            listing.left_out.append((name, path))
            continue
        try:
            plain = stat.S_ISREG(path.stat().st_mode)
        except OSError:
            raise DataError(
                f"{escape_name(str(path))}: a link that leads nowhere; take it away, or put back what it points to"
            ) from None
        if plain:
            listing.read.append((name, path))
        else:
            listing.left_out.append((name, path))
    return listing


def walk_files(folder: Path) -> list[tuple[str, Path]]:
    """Name and place of all that is no folder below a folder, sorted by name."""
    walked: list[tuple[str, Path]] = []
    seen = set()
    for at, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(at)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        places = (Path(at, name) for name in files)
        walked += [(escape_name(place.relative_to(folder).as_posix()), place) for place in places]
    return sorted(walked)


def _refuse(error: OSError) -> None:
    raise DataError(f"{escape_name(str(error.filename))}: cannot be opened ({error.strerror})") from None
