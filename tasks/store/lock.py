"""One process computes a key, the others wait: a lock of the operating system, which dies with its holder."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
"""What a file system states about a file that must not be made or changed."""


@contextmanager
def locked(path: Path, *, waiting: Callable[[], None] = lambda: None, readable: bool = False) -> Iterator[None]:
    """Hold an exclusive flock on `path`; `waiting` is called once when somebody else holds it.

    The file stays (removing it would let two holders lock two files of one name); its content means nothing. With
    `readable`, for work that only reads where it cannot write, a folder that is read-only is no error: the file that
    is there is locked, and where there is none nobody can be at work. Raises OSError.
    """
    handle = _open(path, readable)
    if handle is None:
        yield
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def unlocked(path: Path) -> Iterator[bool]:
    """Hold the lock inside where nobody else holds it; False, at once, where somebody does. Raises OSError."""
    handle = _open(path, readable=False)
    assert handle is not None
    with alone(handle) as free:
        yield free


@contextmanager
def alone(handle: int) -> Iterator[bool]:
    """Lock an open file exclusively inside, and close it; False, at once, where another holds a lock on it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(handle)


def _open(path: Path, readable: bool) -> int | None:
    """The file, made where it is missing; never one that makes its opener wait, such as a named pipe."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if not readable or error.errno not in READ_ONLY:
            raise
        try:
            return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "this lock is not a plain file; delete it", str(path))
    return handle
