"""Certified checkpoints: written aside, hashed, renamed; only an intact one is ever resumed from."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NotRequired, TypedDict

from ..artifact import canonical, digest_file, digest_text, read_plain
from ..store.disk import remove, write_synced

CERTIFICATE = "certificate.json"
ASIDE = "aside"
NAME = re.compile(r"^checkpoint-(\d+)$")
KEPT = 2
"""Newest checkpoints kept apart from the best one."""


class CheckpointFacts(TypedDict):
    """What certifies a checkpoint: sha256 by file, threads of torch, and where training is; of the end of a phase also
    its history and number of steps, of another checkpoint the step of the best one and whether training stopped.
    frozen: sha256 of the weights that training holds still, which are in no checkpoint; empty where there are none."""

    files: dict[str, str]
    frozen: str
    step: int
    threads: NotRequired[int]
    best: NotRequired[int | None]
    stopped: NotRequired[bool]
    history: NotRequired[list[dict[str, float]]]
    steps: NotRequired[int]


def certify(folder: Path, about: Mapping[str, object]) -> None:
    """Write sizes and hashes of every file, flushed to the disk, as the folder's last file."""
    for path in sorted(folder.rglob("*")):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    body = {"files": {name: digest_file(path) for name, path in _files(folder)}, **about}
    write_synced(folder / CERTIFICATE, canonical({**body, "sha256": digest_text(canonical(body))}))


def check(folder: Path, frozen: str) -> CheckpointFacts:
    """The certificate of an intact checkpoint that goes with the frozen weights of this digest.

    Raises ValueError naming what is wrong.
    """
    try:
        body = json.loads(read_plain(folder / CERTIFICATE))
        digests = body.pop("sha256")
    except (OSError, ValueError, KeyError, AttributeError, RecursionError):
        raise ValueError("no readable certificate") from None
    if digest_text(canonical(body)) != digests:
        raise ValueError("the certificate was altered")
    facts: CheckpointFacts = body
    present = dict(_files(folder))
    for name, sha256 in body["files"].items():
        if name not in present:
            raise ValueError(f"{name} is missing")
        if digest_file(present[name]) != sha256:
            raise ValueError(f"{name} has other bytes than were written")
    if extra := sorted(set(present) - set(body["files"])):
        raise ValueError(f"{extra[0]} does not belong there")
    if facts.get("frozen") != frozen:
        raise ValueError("it goes with other frozen weights")
    return facts


def publish(aside: Path, folder: Path) -> None:
    """Make a certified checkpoint visible under its name."""
    remove(folder)
    aside.rename(folder)
    handle = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def newest_intact(root: Path, frozen: str, say: Callable[[str], None]) -> tuple[Path, CheckpointFacts] | None:
    """The newest checkpoint that passes `check`, and its certificate; damaged ones are removed and named.

    One whose best checkpoint is damaged is of no use either: training may have to end with those weights.
    """
    for step, folder in sorted(checkpoints(root), reverse=True):
        try:
            body = check(folder, frozen)
            if body["best"] not in (None, step):
                check_best(root, body["best"], frozen)
            return folder, body
        except ValueError as damage:
            say(f"checkpoint {step} is damaged ({damage}); falling back to an earlier one")
            remove(folder)
    return None


def check_best(root: Path, step: int, frozen: str) -> Path:
    """The folder of the best checkpoint, intact. Raises ValueError naming what is wrong."""
    folder = root / f"checkpoint-{step}"
    try:
        check(folder, frozen)
    except ValueError as damage:
        raise ValueError(f"the best checkpoint, of step {step}: {damage}") from None
    return folder


def checkpoints(root: Path) -> list[tuple[int, Path]]:
    """Steps and folders of the checkpoints that lie under their final names."""
    named = [(NAME.match(path.name), path) for path in root.glob("checkpoint-*")]
    return [(int(match[1]), path) for match, path in named if match]


def rotate(root: Path, best: int | None) -> None:
    """Remove all but the newest KEPT checkpoints and the best one."""
    steps = sorted(checkpoints(root), reverse=True)
    for step, folder in steps[KEPT:]:
        if step != best:
            remove(folder)


def _files(folder: Path) -> list[tuple[str, Path]]:
    return [
        (path.relative_to(folder).as_posix(), path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != CERTIFICATE
    ]
