"""The servers that `temper up` keeps for this home: where they are, given to every run that starts elsewhere."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Servers:
    """Addresses of Prefect's API and of MLflow, the process that keeps them, and MLflow's database where it does."""

    prefect: str
    mlflow: str
    pid: int
    database: str | None = None


def _lock(folder: Path) -> Path:
    return folder / "up.lock"


def _record(folder: Path) -> Path:
    return folder / "up.json"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Be the one that keeps servers for the home whose mlruns/ this is. Raises BlockingIOError where another does.

    A lock of the operating system, so that the claim ends with its process, however that ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder).open("a") as handle:
        for tries in range(20):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:  # perhaps one that only looks, see `known`
                if tries == 19:
                    raise
                time.sleep(0.05)
        _record(folder).unlink(missing_ok=True)  # of one that was killed
        try:
            yield
        finally:
            _record(folder).unlink(missing_ok=True)


def announce(folder: Path, servers: Servers) -> None:
    """Let others find the servers; for the holder of the claim."""
    aside = _record(folder).with_suffix(".new")
    aside.write_text(json.dumps(asdict(servers)), encoding="utf-8")
    os.replace(aside, _record(folder))


def known(folder: Path) -> Servers | None:
    """The servers that are kept now; None where nobody holds the claim, whatever lies in the file."""
    if not _record(folder).exists():
        return None
    try:
        with _lock(folder).open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
    except BlockingIOError:
        pass
    except OSError:  # a folder of another's that can only be read
        return None
    try:
        return Servers(**json.loads(_record(folder).read_text(encoding="utf-8")))
    except FileNotFoundError:  # it ended between the two looks
        return None
