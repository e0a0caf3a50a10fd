"""What each computed stage took, as lines of a file in the store that no gc deletes: the basis of estimates.

A line has no content of any row. It is appended in one write; a line that a kill or a full disk cut is left out when
the file is read.
"""

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from configs.threads import expected_threads

from ..artifact import canonical, digest_text

FILE, OLDER = "measurements.jsonl", "measurements.older.jsonl"
LARGEST = 4 * 2**20
"""Bytes of the file at which it becomes the older one, which is replaced: both together hold some 20,000 stages."""


@dataclass(frozen=True)
class Measurement:
    """One computed stage. kind: what decides its cost apart from its settings (see workload.py); alike: digest of the
    settings that do; work: rows, or passes of rows, that it took; seconds, bytes of memory at most, bytes written;
    load: of the machine when it began, see `slowdown`."""

    stage: str
    recipe: str
    kind: str
    alike: str
    work: float
    seconds: float
    memory: int
    disk: int
    load: float
    machine: str
    at: int
    key: str


@cache
def machine() -> str:
    """Digest of what makes times comparable: processor, threads, accelerators; no name of a host or a person."""
    chip = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        chip = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), chip)
    except OSError:  # no Linux
        pass
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    accelerators = sorted(path.name for path in Path("/dev").glob("nvidia[0-9]*")) if shown != "" else []
    return digest_text(canonical([platform.system(), chip, expected_threads(), accelerators, shown]))[:16]


def load() -> float:
    """Processes that want a core, over the last minute."""
    return round(os.getloadavg()[0], 2)


def slowdown(waiting: float) -> float:
    """How many times longer work takes with so many processes on this machine's cores, at least once as long."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1.0, waiting / cores)


def record(root: Path, measurement: Measurement) -> None:
    """Append a line. Raises OSError."""
    path = root / FILE
    root.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LARGEST:
        path.replace(root / OLDER)
    line = json.dumps(asdict(measurement), separators=(",", ":")) + "\n"
    with path.open("ab", buffering=0) as handle:
        if handle.tell() and not _ends(path):
            line = "\n" + line  # behind a line that was cut
        handle.write(line.encode())


def _ends(path: Path) -> bool:
    with path.open("rb") as handle:
        handle.seek(-1, os.SEEK_END)
        return handle.read(1) == b"\n"


def measurements(root: Path) -> list[Measurement]:
    """Every line of this machine, the oldest first."""
    here = machine()
    return [line for name in (OLDER, FILE) for line in _read(root / name) if line.machine == here]


def _read(path: Path) -> Iterator[Measurement]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    names = {field.name for field in fields(Measurement)}
    for line in lines:
        try:
            values: Any = json.loads(line)
            if isinstance(values, dict) and values.keys() >= names and _plain(values):
                yield Measurement(**{name: values[name] for name in names})
        except ValueError:  # cut, or of another tool
            continue


def _plain(values: Any) -> bool:
    numbers = all(
        isinstance(values[name], int | float) and values[name] >= 0
        for name in ("work", "seconds", "memory", "disk", "load")
    )
    return numbers and all(isinstance(values[name], str) for name in ("stage", "recipe", "kind", "alike", "machine"))


def written(folder: Path) -> int:
    """Bytes of the files of a folder that lie nowhere else: what a hard link forwards takes no space again."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            stat = os.lstat(os.path.join(place, name))
            total += stat.st_size if stat.st_nlink == 1 else 0
    return total
