"""Work in a process of its own, which may be killed: what it returned, or how it ended."""

import json
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ended:
    """result: what the work returned, as JSON. error: name and message of what it raised, else empty. killed: whether a
    signal ended it."""

    result: Any = None
    error: tuple[str, str] | None = None
    killed: bool = False


def in_child(work: Callable[[], Any], *, log: Path, seconds: float = 600.0) -> Ended:
    """Do work in a fork of this process, whose output goes to a log; it is killed after so many seconds.

    The process must not have computed anything with torch before: its threads do not come along.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _work(work, writer, log)
    os.close(writer)
    try:
        received = _read(reader, seconds)
        if received is None:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(reader)
    _, status = os.waitpid(child, 0)
    if received is None:
        return Ended(error=("TimeoutError", f"it took longer than {seconds:g} s"))
    if not received:
        return Ended(killed=os.WIFSIGNALED(status), error=("ChildProcessError", f"it ended with status {status}"))
    document = json.loads(received)
    return Ended(document.get("result"), tuple(document["error"]) if "error" in document else None)


def _work(work: Callable[[], Any], writer: int, log: Path) -> None:
    """The life of the child; it ends here, without what the parent has to do at its end."""
    document: Mapping[str, Any]
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(output, 1)
        os.dup2(output, 2)
        document = {"result": work()}
    except BaseException as error:
        document = {"error": [type(error).__name__, str(error)]}
    with os.fdopen(writer, "w") as pipe:
        json.dump(document, pipe)
    os._exit(0)


def _read(reader: int, seconds: float) -> bytes | None:
    """All that comes through a pipe until its end; None where that takes too long."""
    end = time.monotonic() + seconds
    parts: list[bytes] = []
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return None
        part = os.read(reader, 65536)
        if not part:
            return b"".join(parts)
        parts.append(part)
