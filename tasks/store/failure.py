"""Messages for failures that libraries word in their own way (a full disk), and for those that follow a first one."""

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from configs.settings import settings

from ..artifact import StageError
from .free_space import existing, free_at
from .sizes import in_bytes

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A full file system, a user's quota, the largest file that is allowed."""
WORDS = re.compile(
    r"no space left on device|disk quota exceeded|database or disk is full|(os error|errno) (28|122)\b", re.IGNORECASE
)
"""How safetensors, pyarrow, sqlite and others word what the operating system states about a full disk."""
VAGUE = re.compile(r"iostream error|inline_container|disk I/O error|500 Internal Server Error", re.IGNORECASE)
"""How torch, sqlite and Prefect's server word any failure to write, a full disk among them."""
LITTLE = 64 * 2**10
"""Bytes that are free where a disk is as good as full."""


class DiskFull(StageError):
    """A disk is full; the message says which, and how much is free."""


def is_full(error: BaseException, size: int = 0) -> bool:
    """Whether an error, or one that led to it, is that of a full disk.

    size: bytes that were to be written, where they are known; another process may have made some room since.
    """
    chain = list(_chain(error))
    if any((isinstance(cause, OSError) and cause.errno in FULL) or WORDS.search(str(cause)) for cause in chain):
        return True
    return _is_vague(error) and (bool(full_disks()) or free_at(settings().store) < size)


def _is_vague(error: BaseException) -> bool:
    return any(VAGUE.search(str(cause)) for cause in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is not None and not any(cause is known for known in seen):
            seen.append(cause)
            waiting += [cause.__cause__, cause.__context__]
            yield cause


def no_space(error: BaseException, needed: str = "", size: int = 0) -> str | None:
    """Which disk is full, what is `needed` there (`2.0 MiB needed for x.npy`; `size` in bytes) and how much is free.

    None where the error is another. Libraries rarely name the file, so that of the disks that Temper writes to the
    fullest is named.
    """
    if not is_full(error, size):
        return None
    names = [
        cause.filename for cause in _chain(error) if isinstance(cause, OSError) and isinstance(cause.filename, str)
    ]
    places = [Path(name).absolute() for name in names if Path(name).is_absolute()] or list(_places())
    return _lack(min(places, key=free_at), needed)


def _lack(place: Path, needed: str = "") -> str:
    moved = next((fix for folder, fix in _places().items() if place.is_relative_to(folder)), "")
    return f"{_state(place, needed)}; make room there (`temper gc` shows what nothing needs){moved}"


def _state(place: Path, needed: str = "") -> str:
    free = f"{in_bytes(free_at(place))} free in {existing(place)}"
    return f"no space left on {_mount(place)}: {needed or 'more is needed'}, {free}"


def server_is_gone(error: BaseException) -> bool:
    """Whether a request that no server took led to an error: another would be tried as long, in vain."""
    lost = ("ConnectError", "ConnectTimeout", "ReadError", "RemoteProtocolError")
    return any(type(cause).__module__.startswith("httpx") and type(cause).__name__ in lost for cause in _chain(error))


def full_disks() -> list[str]:
    """A line for each disk that Temper writes to and that has next to nothing free, whatever failed."""
    fullest = {_mount(place): place for place in _places() if free_at(place) < LITTLE}
    return [_state(place) for place in fullest.values()]


@contextmanager
def full_disk_named(needed: str = "", size: int = 0) -> Iterator[None]:
    """Raise DiskFull for every error inside that a full disk led to: at once, before what was written is removed.

    An error by which a library may mean it, though `size` bytes are free now, has a note of what is.
    """
    try:
        yield
    except DiskFull:
        raise
    except Exception as error:
        if (message := no_space(error, needed, size)) is not None:
            raise DiskFull(message) from error
        if size and _is_vague(error):
            free = f"{in_bytes(free_at(settings().store))} are free in {settings().store}"
            error.add_note(f"{needed}, and {free}: another process may have filled that disk for a while")
        raise


@contextmanager
def because_of(first: BaseException, what: str) -> Iterator[None]:
    """For what is done because something failed: an error of its own becomes a note of the first, which goes on."""
    try:
        yield
    except Exception as second:
        first.add_note(f"{what}: {type(second).__name__}: {second}")


def _places() -> dict[Path, str]:
    """The folders that Temper writes to, with what moves them elsewhere."""
    now = settings()
    return {
        now.store: ", or move the store by TEMPER_ARTIFACTS",
        now.mlruns: ", or move MLflow's folder by TEMPER_HOME",
        Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser(): ", or move Prefect's database by PREFECT_HOME",
        Path(tempfile.gettempdir()): ", or take another folder by TMPDIR",
    }


def _mount(place: Path) -> Path:
    return next((path for path in (existing(place), *existing(place).parents) if path.is_mount()), Path("/"))
