"""What a remote store holds: its files with sizes and times, and manifests, read twice where one is damaged."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from ..artifact import StageError
from ..documents import Manifest
from .deadline import each, within
from .remote import ASK, Remote
from .remote_manifest import Damaged, check_manifest
from .sweep import Key

PATIENCE = 300.0
"""Seconds in which a folder's listing must be there; object stores list a thousand files a request."""
TIMES = ("mtime", "LastModified", "updated", "last_modified", "created")
"""What kinds of remotes call the time at which a file was written."""


@dataclass(frozen=True)
class Seen:
    """A file of a remote: bytes, and when it was written, in seconds since 1970 by the remote's clock."""

    size: int
    written: float


def listing(remote: Remote, folder: str) -> dict[str, Seen]:
    """Every file below a folder by its name there. What states no time counts as written just now, so that it stays."""

    def ask() -> dict[str, Seen]:
        try:
            files = remote.fs.find(f"{remote.root}/{folder}", detail=True)
        except FileNotFoundError:
            return {}
        return {path.removeprefix(f"{remote.root}/"): _seen(info) for path, info in files.items()}

    return within(PATIENCE, ask)


def seen(remote: Remote, name: str) -> Seen | None:
    """A file as it is now; None where there is none."""

    def ask() -> Seen | None:
        try:
            return _seen(remote.fs.info(f"{remote.root}/{name}"))
        except FileNotFoundError:
            return None

    return within(ASK, ask)


def _seen(info: Mapping[str, Any]) -> Seen:
    value = next((info[name] for name in TIMES if info.get(name) is not None), None)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        value = value.timestamp()
    return Seen(int(info["size"] or 0), time.time() if value is None else float(value))


def clock(remote: Remote) -> float:
    """The remote's time, in seconds since 1970: that of a file that is written now. Ages are counted by it alone."""
    name = f"probes/{uuid.uuid4().hex}"
    remote.write(name, b"now")
    try:
        now = seen(remote, name)
    finally:
        remote.delete(name)
    if now is None:
        raise StageError("the remote store does not have what was written just now; nothing is deleted")
    return now.written


def key_in(name: str) -> Key | None:
    """Stage and key of artifacts/STAGE/KEY.json; None for another file, such as one that is being written."""
    parts = PurePosixPath(name).parts
    known = len(parts) == 3 and parts[2].endswith(".json")
    return (parts[1], parts[2].removesuffix(".json")) if known else None


def read_manifests(remote: Remote, keys: Sequence[Key]) -> Iterator[tuple[Key, Manifest | None]]:
    """The manifests of artifacts, None for one that is damaged where it lies; what vanished meanwhile is left out."""
    texts = each([partial(remote.read, f"artifacts/{stage}/{key}.json") for stage, key in keys], PATIENCE)
    for (stage, key), text in zip(keys, texts, strict=True):
        if text is not None:
            yield (stage, key), _checked(remote, stage, key, text)


def _checked(remote: Remote, stage: str, key: str, text: bytes) -> Manifest | None:
    """None for a manifest that is damaged at two readings alike: it is on the disk there, and not on the way. Raises
    StageError where the readings differ: by what such a remote answers nothing may be deleted."""
    try:
        return check_manifest(text, stage, key)
    except Damaged:
        if remote.read(f"artifacts/{stage}/{key}.json") != text:
            raise StageError(
                f"two readings of artifacts/{stage}/{key}.json differ, so the remote store cannot be relied on; "
                "nothing is deleted"
            ) from None
        return None
