"""The most memory that this process holds while a piece of work lasts."""

import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
"""Linux's account of a process, and the file that resets its peak (proc(5): `5` resets VmHWM to VmRSS)."""


class Meter:
    """bytes: the peak so far."""

    def __init__(self) -> None:
        self.bytes = 0


_OPEN: list[Meter] = []
_TURN = threading.Lock()


@contextmanager
def peak_memory() -> Iterator[Meter]:
    """Measure the peak of resident memory inside, memory-mapped files included, children not; work may be nested.

    Elsewhere than on Linux, and where the kernel refuses the reset, it is the peak of the process so far, which is no
    less. What a GPU holds does not count.
    """
    meter = Meter()
    with _TURN:
        _settle()
        _reset()
        _OPEN.append(meter)
    try:
        yield meter
    finally:
        with _TURN:
            _settle()
            _OPEN.remove(meter)


def _settle() -> None:
    """Give all open meters the peak since the last reset."""
    if _OPEN:
        now = process_peak()
        for meter in _OPEN:
            meter.bytes = max(meter.bytes, now)


def _reset() -> None:
    try:
        CLEAR.write_text("5", encoding="ascii")
    except OSError:  # no Linux, or a sandbox: the peak stays that of the process
        return


def process_peak() -> int:
    """Bytes of the peak since the last reset; of the process's whole life where there was none."""
    try:
        for line in STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
