"""Directories that are whole or not there: begun aside, sealed, renamed; verified whenever they are served."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..artifact import (
    FORMAT,
    MANIFEST,
    Artifact,
    content_digest,
    describe_files,
    digest_file,
    marks,
    read_manifest,
    seal,
)
from ..documents import About, FileEntry, Manifest
from .reading import hold

REHASH_BELOW = 256 * 2**20
"""Artifacts up to so many bytes are hashed again at every hit."""


def find(root: Path, stage: str, key: str, *, verify: bool = False) -> Artifact | None:
    """The artifact of this key, every byte accounted for; None where there is none. It is not deleted while this
    process lives.

    Raises ValueError, naming the file, where one is there but damaged.
    """
    directory = root / stage / key
    if not directory.exists():
        return None
    try:
        manifest = read_manifest(directory)
    except ValueError:
        if directory.exists():
            raise
        return None
    if not hold(directory):  # deleted just now, as above
        return None
    if (manifest["stage"], manifest["key"]) != (stage, key):
        raise ValueError(f"it is {manifest['stage']}/{manifest['key']}")
    files = manifest["files"]
    present = {
        path.relative_to(directory).as_posix()
        for part in ("data", "records")
        for path in (*directory.glob(part), *(directory / part).rglob("*"))
        if not path.is_dir() or path.is_symlink()
    }
    if present != set(files):
        odd = sorted(present ^ set(files))[0]
        raise ValueError(f"{odd} {'is missing' if odd in files else 'does not belong there'}")
    rehash = verify or sum(entry["size"] for entry in files.values()) <= REHASH_BELOW
    for name, entry in files.items():
        _check(directory / name, entry, rehash)
    return Artifact(stage, key, manifest["digest"])


def _check(path: Path, entry: FileEntry, rehash: bool) -> None:
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"{path.name} is not a plain file")
    now = marks(path)
    if now["size"] != entry["size"]:
        raise ValueError(f"{path.name} has {now['size']} bytes instead of {entry['size']}")
    unchanged = {**now, "sha256": entry["sha256"]} == entry
    try:
        intact = (unchanged and not rehash) or digest_file(path) == entry["sha256"]
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read ({error.strerror})") from None
    if not intact:
        raise ValueError(f"{path.name} has other bytes than were written")


def set_aside(root: Path, stage: str, key: str) -> Path:
    """Move a damaged artifact out of the way, keeping the latest one for a look."""
    directory, aside = root / stage / key, root / stage / f"{key}.damaged"
    remove(aside)
    directory.rename(aside)
    return aside


def begin(root: Path, stage: str, key: str) -> Path:
    """The `.partial` directory to write into; what a killed run left next to data/ is kept, to be gone on from.

    Its data/ and records/ go: a half-written or temporary file there would enter the digest.
    """
    partial = partial_path(root, stage, key)
    if not partial.is_dir():
        remove(partial)
    for part in ("data", "records"):
        remove(partial / part)
        (partial / part).mkdir(parents=True)
    if not (partial / "scratch").is_dir():
        remove(partial / "scratch")
    return partial


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all in it, whatever lies there; nothing is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def partial_path(root: Path, stage: str, key: str) -> Path:
    """Where an unfinished artifact lies."""
    return root / stage / f"{key}.partial"


def give_up(root: Path, stage: str, key: str) -> Path:
    """Clear away what a failing stage wrote; its records stay for a look under `.failed`, its checkpoints to go on.

    Returns the folder of the records. The data goes first: the disk may be full.
    """
    partial, failed = partial_path(root, stage, key), root / stage / f"{key}.failed"
    remove(partial / "data")
    remove(failed)
    failed.mkdir()
    (partial / "records").rename(failed / "records")
    scratch = partial / "scratch"
    if not (scratch.is_dir() and any(path.is_file() for path in scratch.rglob("*"))):
        shutil.rmtree(partial)
    return failed / "records"


def commit(root: Path, stage: str, key: str, about: About) -> Artifact:
    """Make a `.partial` visible: files, directories, manifest, rename and parent reach the disk in that order.

    `about` becomes part of the manifest: identity, inputs, rows, seconds. What lies next to data/ and records/
    (a training's checkpoints) is removed once those are safe on the disk.
    """
    partial, final = partial_path(root, stage, key), root / stage / key
    remove(root / stage / f"{key}.failed")
    files = describe_files(partial)
    for part in ("data", "records"):
        for path in sorted([*partial.glob(part), *(partial / part).rglob("*")], reverse=True):
            _sync(path)
    for extra in partial.iterdir():
        if extra.name not in ("data", "records"):
            remove(extra)
    digest = content_digest(files)
    manifest: Manifest = {"format": FORMAT, "stage": stage, "key": key, "digest": digest, "files": files, **about}
    write_synced(partial / MANIFEST, seal(manifest))
    _sync(partial)
    partial.rename(final)
    _sync(final.parent)
    hold(final)
    return Artifact(stage, key, digest)


def write_synced(path: Path, text: str) -> None:
    """Write a small file so that it is whole on the disk or not there."""
    aside = path.with_name(path.name + ".new")
    with aside.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    aside.rename(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def manifests(root: Path, stage: str) -> list[Manifest]:
    """Readable manifests of a stage, oldest first."""
    return list(newest_manifests(root, stage))[::-1]


def newest_manifests(root: Path, stage: str) -> Iterator[Manifest]:
    """The same, the newest first, each read when it is asked for."""
    dated = []
    for directory in (root / stage).glob("*"):
        with suppress(OSError):  # quarantined by another process just now
            if not directory.suffix:
                dated.append(((directory / MANIFEST).stat().st_mtime_ns, directory))
    for _, directory in sorted(dated, key=lambda pair: pair[0], reverse=True):
        try:
            manifest = read_manifest(directory)
        except (OSError, ValueError):  # damaged, or quarantined by now: dealt with when asked for
            continue
        yield manifest
