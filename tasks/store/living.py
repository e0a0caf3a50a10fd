"""A file for each open run, locked by its process as long as that lives: where nobody holds it the process is gone.

Prefect and MLflow keep a killed run as running for ever; a lock of the operating system ends with its process.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from configs.settings import settings

Kind = Literal["flow", "mlflow"]
"""Whose run: Prefect's or MLflow's."""
KEPT = 30 * 24 * 3600.0
"""Seconds after which the file of a run that no server knows is removed."""
RUN_ID = re.compile("[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")
"""What Prefect and MLflow call runs; another name in the folder is somebody else's file."""
_HELD: dict[Path, IO[str]] = {}


def mark_of(kind: Kind, run_id: str) -> Path:
    """The file of a run."""
    return settings().mlruns / "running" / kind / run_id


def hold(kind: Kind, run_id: str) -> bool:
    """Lock the run's file until `release` or the end of this process; False where this process holds it already."""
    path = mark_of(kind, run_id)
    if path in _HELD:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.parent.with_name(f"{run_id}.{os.getpid()}")  # locked before it can be seen, else it looks left behind
    handle = aside.open("a")
    fcntl.flock(handle, fcntl.LOCK_EX)
    aside.rename(path)
    _HELD[path] = handle
    return True


def release(kind: Kind, run_id: str) -> None:
    """The run has ended; nothing is done to a file that another process holds."""
    path = mark_of(kind, run_id)
    handle = _HELD.pop(path, None)
    if handle is not None:
        path.unlink(missing_ok=True)
        handle.close()
    elif not held(path):
        path.unlink(missing_ok=True)


@contextmanager
def alive(kind: Kind, run_id: str) -> Iterator[None]:
    """Hold the run's file inside; a second use within the first changes nothing."""
    first = hold(kind, run_id)
    try:
        yield
    finally:
        if first:
            release(kind, run_id)


def held(path: Path) -> bool:
    """Whether a process keeps this file locked."""
    if path in _HELD:
        return True
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would keep its opener waiting
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def gone(kind: Kind) -> list[str]:
    """Ids of the runs of this home whose process is gone, and which nobody has marked yet."""
    folder = settings().mlruns / "running" / kind
    runs = [path for path in sorted(folder.glob("*")) if RUN_ID.fullmatch(path.name) and path.is_file()]
    left_behind = [path for path in runs if not held(path)]
    old = [path for path in left_behind if time.time() - path.stat().st_mtime > KEPT]
    for path in old:
        path.unlink(missing_ok=True)
    return [path.name for path in left_behind if path not in old]
