"""Faults of the machine: damaged files, processes that are killed, a disk that is full."""

import errno
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.artifact import Artifact

from .children import Ended, in_child
from .fault import Copy, Fault, NotApplicable, Uncaught
from .planting import flip_bit, spoil


def damage_files(copy: Copy) -> str:
    """One bit of a file of every artifact, one artifact after the other."""
    from configs.settings import settings
    from tasks.store.verification import serve

    served: list[str] = []
    reports: list[str] = []
    for name, artifact in copy.artifacts.items():
        files = sorted(path for path in (artifact.path / "data").rglob("*") if path.is_file() and path.stat().st_size)
        flip_bit(files[0])
        if serve(settings().store, name, artifact.key, reports.append) is not None:
            served.append(f"{name}/{files[0].name}")
    if served:
        raise Uncaught(f"served with a flipped bit: {', '.join(served)}")
    return f"{len(reports)} of {len(copy.artifacts)} artifacts quarantined: {reports[0]}"


def _again(copy: Copy, name: str, log: Path) -> list[str]:
    """Run the stage in a process of its own; the digest of what it made, and what it reported."""

    def work() -> list[str]:
        from tasks.store.events import listeners

        heard: list[str] = []
        with listeners(lambda event: heard.append(event.text)):
            outcome = copy.run(name)
        return [outcome.result.digest, outcome.status, *heard]

    ended = in_child(work, log=log)
    if ended.error:
        raise Uncaught(f"the next run of {name} fails: {ended.error[1]}")
    result: list[str] = ended.result
    return result


def _fail(copy: Copy, name: str, log: Path, plant: Callable[[], None]) -> Ended:
    """Run the stage again with a fault, in a process of its own."""

    def work() -> None:
        plant()
        copy.run(name)

    copy.forget(name)
    return in_child(work, log=log)


def _require_same(copy: Copy, name: str, log: Path) -> list[str]:
    """Raise Uncaught where something of a stage that did not end is there, or its next run makes something else."""
    if copy.artifacts[name].path.exists():
        raise Uncaught(f"{name}: an artifact is there though its process ended before it was whole")
    digest, *heard = _again(copy, name, log)
    if digest != copy.artifacts[name].digest:
        raise Uncaught(f"{name}: the next run makes {digest[:12]} in place of {copy.artifacts[name].digest[:12]}")
    return heard


def kill(name: str) -> Callable[[Copy], str]:
    """kill -9 when all files of the stage are written, and its artifact is not yet sealed."""

    def plant() -> None:
        from tasks.store import disk

        spoil(disk, "commit", lambda original: lambda *args: os.kill(os.getpid(), signal.SIGKILL))

    def work(copy: Copy) -> str:
        log = _log()
        if name == "download":
            copy = _downloaded(copy, log)
        if not _fail(copy, name, log, plant).killed:
            raise Uncaught(f"{name} was not killed: it wrote nothing")
        status, *_ = _require_same(copy, name, log)
        return f"nothing of it was served; the next run ({status}) makes the same bytes"

    return work


def _downloaded(copy: Copy, log: Path) -> Copy:
    """The copy with the whole data as its download, where they lie on this machine: the sample is none of a source."""
    source = copy.recipe.download
    if source.kind != "embedded" and getattr(source, "path", None) is None:
        raise NotApplicable("the data come over the network, and a drill asks for them once")

    def work() -> list[str]:
        raw = copy.run("download").result
        return [raw.stage, raw.key, raw.digest]

    ended = in_child(work, log=log)
    if ended.error:
        raise Uncaught(f"the data cannot be read again: {ended.error[1]}")
    return replace(copy, artifacts={**copy.artifacts, "download": Artifact(*ended.result)})


def fill_disk(name: str) -> Callable[[Copy], str]:
    """The disk is full when the stage's files are to reach it."""

    def plant() -> None:
        from tasks.store import disk

        def full(*_: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        spoil(disk, "_sync", lambda original: full)

    def work(copy: Copy) -> str:
        log = _log()
        kind, message = _fail(copy, name, log, plant).error or ("", "")
        if kind != "DiskFull":
            raise Uncaught(f"{name} does not stop for a full disk: {kind or 'it goes on'} {message}".strip())
        _require_same(copy, name, log)
        return f"{message.partition(':')[0]}; the next run makes the same bytes"

    return work


def damage_checkpoint(copy: Copy) -> str:
    """A training that is killed behind its second checkpoint, whose newest checkpoint then has another bit."""
    from configs.settings import settings
    from tasks.learn import checkpoints
    from tasks.store import disk

    def plant() -> None:
        from tasks.learn import trainer  # noqa: F401 (it is to be loaded before what it imports is replaced)

        count = [0]

        def make(original: Callable[..., None]) -> Callable[..., None]:
            def publish(*args: Any) -> None:
                original(*args)
                count[0] += 1
                if count[0] == 2:
                    os.kill(os.getpid(), signal.SIGKILL)

            return publish

        spoil(checkpoints, "publish", make)

    log, model = _log(), copy.artifacts["train"]
    if not _fail(copy, "train", log, plant).killed:
        raise NotApplicable("the small training writes fewer than two checkpoints")
    partial = disk.partial_path(settings().store, "train", model.key)
    newest = max(
        (step for root in partial.rglob("checkpoint-*") for step in checkpoints.checkpoints(root.parent)), default=None
    )
    if newest is None:
        raise Uncaught("no checkpoint is left of a training that wrote two")
    flip_bit(max((path for path in newest[1].rglob("*") if path.is_file()), key=lambda path: path.stat().st_size))
    heard = _require_same(copy, "train", log)
    named = next((text for text in heard if "is damaged" in text), None)
    if named is None:
        raise Uncaught("training goes on from a damaged checkpoint, and reports nothing")
    return named


def _log() -> Path:
    from configs.settings import settings

    return settings().home / "drill.log"


def faults() -> list[Fault]:
    """In the order of the pipeline."""
    from configs.stages import CACHED

    gate = "store: an artifact is whole or not there"
    return [
        Fault("a flipped bit in a cached file of each stage", "store: checksums at every hit", damage_files),
        *(Fault(f"kill -9 in {name}", gate, kill(name)) for name in CACHED),
        Fault("a full disk in encode", "store: DiskFull, nothing half written", fill_disk("encode")),
        Fault("a full disk in train", "store: DiskFull, nothing half written", fill_disk("train")),
        Fault("a damaged checkpoint", "train: certified checkpoints", damage_checkpoint),
    ]
