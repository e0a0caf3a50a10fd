"""zip and tar archives -> their members, one by one, checked; nothing is ever written where a member's name points to.

What would leave the folder, is no plain file, is encrypted or grows out of measure makes the whole archive refused:
an archive that holds such a thing was not made for data.
"""

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from configs.settings import settings

from ..errors import DataError
from .decompressed import BLOCK, Readable, unpacked
from .member_names import safe_name
from .tar_members import Tar, TarError
from .zip_check import check_zip
from .zip_names import describe_names, namer

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
SINGLE = (".gz", ".xz", ".bz2")
"""Endings of a compressed file: an archive of that one file, unless `.tar` stands before."""
MOST_MEMBERS = 2_000_000
STEEPEST = 200
"""So many times its own size an archive may unpack to; text reaches 20, zeros 1,000."""
SMALL = 64 * 2**20
"""Bytes up to which the ratio does not matter."""
DAMAGE = (
    zipfile.BadZipFile,
    TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    NotImplementedError,
    OverflowError,
    UnicodeError,
)


@dataclass(frozen=True)
class Member:
    """A file in an archive: its path inside, its size in bytes, and its bytes, to be read before the next member."""

    name: str
    size: int
    blocks: Callable[[], Iterator[bytes]]


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: not a zip or tar archive, or damaged ({reason}); fetch it or pack it again") from None


def is_archive(name: str) -> bool:
    """Whether a name ends like an archive's."""
    return name.lower().endswith((*ENDINGS, *SINGLE))


def is_single(name: str) -> bool:
    """Whether a name is that of one compressed file."""
    return name.lower().endswith(SINGLE) and not name.lower().endswith(ENDINGS)


def read_members(path: Path, name: str | None = None) -> Iterator[Member]:
    """The files of an archive in its own order; folders are passed over. `name` is its own where `path` is a copy.

    Raises DataError for what is no archive, is damaged, or holds what must not be unpacked.
    """
    largest = settings().largest_source
    names: set[str] = set()
    total = 0
    with _naming(path):
        for member in _opened(path, name or path.name, largest):
            if member.name in names:
                raise DataError(f"{path}: {member.name!r} is in the archive twice; pack it again")
            names.add(member.name)
            total += member.size
            _check_growth(path, total, largest)
            if len(names) > MOST_MEMBERS:
                raise DataError(f"{path}: more than {MOST_MEMBERS:,} files; unpack it and name the folder")
            yield member


def _opened(path: Path, name: str, largest: int) -> Iterator[Member]:
    with path.open("rb") as handle:
        if handle.read(4) in (b"PK\x03\x04", b"PK\x05\x06"):
            return _zipped(path)
    return _squeezed(path, name) if is_single(name) else _tarred(path, largest)


def unpack(path: Path, wanted: Callable[[str], bool], folder: Path, name: str | None = None) -> dict[str, Path]:
    """Copy the files whose names are wanted into `folder`, under numbers; returns name to copy.

    A member's name is never part of a path that is written. Raises DataError as `read_members` does.
    """
    folder.mkdir(parents=True)
    copies: dict[str, Path] = {}
    for member in read_members(path, name):
        if wanted(member.name):
            target = folder / str(len(copies))
            with target.open("xb") as copy:
                for block in member.blocks():
                    copy.write(block)
            copies[member.name] = target
    return copies


def _check_growth(path: Path, total: int, largest: int) -> None:
    packed = max(path.stat().st_size, 1)
    if total > largest:
        raise DataError(
            f"{path}: unpacks to more than {largest:,} bytes, the limit that TEMPER_LARGEST_SOURCE sets; raise it"
        )
    if total > SMALL and total > STEEPEST * packed:
        raise DataError(
            f"{path}: unpacks to more than {STEEPEST} times its own {packed:,} bytes, as one made to fill a disk does; "
            "if it is sound, unpack it and name the folder or file"
        )


def note_names(path: Path) -> str | None:
    """What is to be stated of the encoding of an archive's names. Raises DataError where it is damaged."""
    with _naming(path):
        if not zipfile.is_zipfile(path):
            return None
        with zipfile.ZipFile(path) as archive:
            return describe_names(archive.infolist())


def _refused(path: Path, name: str, what: str) -> DataError:
    return DataError(f"{path}: {name[:200]!r} in the archive is {what}; pack plain files and folders only")


def _zipped(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        check_zip(path, archive)
        called = namer(archive.infolist())
        for entry in archive.infolist():
            name = safe_name(path, called(entry))
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if entry.is_dir() or kind == stat.S_IFDIR:
                continue
            if kind not in (0, stat.S_IFREG) or not name:
                raise _refused(path, name, "a link" if kind == stat.S_IFLNK else "no plain file")
            if entry.flag_bits & 1:
                raise DataError(f"{path}: {name!r} is encrypted; pack it without a password")
            yield Member(name, entry.file_size, partial(_zip_blocks, path, archive, entry))


def _tarred(path: Path, largest: int) -> Iterator[Member]:
    with path.open("rb") as raw:
        tar = Tar(_Counted(unpacked(raw), lambda total: _check_growth(path, total, largest)))
        for header in tar.headers():
            name = safe_name(path, header.name)
            if header.is_folder:
                continue
            if not header.is_file or not name:
                raise _refused(path, name, "a link" if header.is_link else "no plain file")
            yield Member(name, header.size, partial(_tar_blocks, path, tar))


def _squeezed(path: Path, name: str) -> Iterator[Member]:
    def blocks() -> Iterator[bytes]:
        largest = settings().largest_source
        with _naming(path), path.open("rb") as raw:
            plain = _Counted(unpacked(raw), lambda total: _check_growth(path, total, largest))
            yield from iter(lambda: plain.read(BLOCK), b"")

    yield Member(PurePosixPath(name).stem, 0, blocks)


def _zip_blocks(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    left = entry.file_size
    with _naming(path), archive.open(entry) as source:
        while block := source.read(BLOCK):
            left -= len(block)
            yield block
        if left:
            raise EOFError(f"{entry.filename[:200]!r} lacks {left:,} of its bytes")


def _tar_blocks(path: Path, tar: Tar) -> Iterator[bytes]:
    with _naming(path):
        yield from tar.blocks()


class _Counted:
    """A decompressed stream that says after each read how much it gave."""

    def __init__(self, stream: Readable, check: Callable[[int], None]) -> None:
        self.stream, self.check, self.given = stream, check, 0

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes. Raises DataError beyond the limit."""
        data = self.stream.read(size)
        self.given += len(data)
        self.check(self.given)
        return data
