"""A store behind the store: a shared folder or an object store (file://, s3://, gs:// …), reached through fsspec.

objects/SHA256 holds each file once, whatever artifacts it belongs to; artifacts/STAGE/KEY.json, written last, is a
sealed manifest that names them; digests/STAGE/DIGEST holds the key of an artifact of that content. What is read is
checked against its name, so that a remote can lose or damage bytes, but none of them is ever served.
"""

import hashlib
import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from configs.secrets import masked
from configs.settings import without_password

from ..artifact import Artifact, StageError, read_manifest, seal
from ..documents import About, Manifest
from . import disk
from .deadline import each, within
from .remote_manifest import Damaged, check_manifest

BLOCK = 4 * 2**20
"""Bytes that are read at once."""
ASK = 20.0
"""Seconds in which a small question must be answered."""
SLOWEST = 2**20
"""Bytes a second that the transfer of a file must reach at least."""
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "file": {"auto_mkdir": True},
    "s3": {"config_kwargs": {"connect_timeout": 5, "read_timeout": 30, "retries": {"max_attempts": 2}}},
}
"""What a kind of remote is opened with; what is remembered of its folders would hide what others write."""


@dataclass(frozen=True)
class Transfer:
    """What was moved: files in all, those of them whose bytes were moved, and how many bytes these have."""

    files: int
    moved: int
    size: int


@dataclass(frozen=True)
class Remote:
    """A remote store; every call may raise what its library raises, and TimeoutError."""

    fs: Any
    root: str
    local: bool

    def pull(self, root: Path, stage: str, key: str) -> tuple[Artifact, Transfer] | None:
        """Bring an artifact into the store at `root`; None where the remote has none. Raises Damaged."""
        manifest = self.manifest(stage, key)
        if manifest is None:
            return None
        partial_folder = disk.begin(root, stage, key)
        files = manifest["files"]
        fetches = [partial(self._fetch, partial_folder / name, entry) for name, entry in files.items()]
        each(fetches, _longest([entry["size"] for entry in files.values()]))
        about = {name: value for name, value in manifest.items() if name in About.__annotations__}
        artifact = disk.commit(root, stage, key, cast(About, about))
        assert artifact.digest == manifest["digest"], "every file was checked"
        return artifact, Transfer(len(files), len(files), sum(entry["size"] for entry in files.values()))

    def manifest(self, stage: str, key: str) -> Manifest | None:
        """The manifest of an artifact, as sealed; None where there is none. Raises Damaged."""
        text = self.read(_manifest_name(stage, key))
        if text is None:
            return None
        return check_manifest(text, stage, key)

    def has(self, stage: str, key: str) -> bool:
        """Whether the remote has an artifact, by its manifest, which is written last."""
        return within(ASK, partial(self._size, _manifest_name(stage, key))) is not None

    def key_of(self, stage: str, digest: str) -> str | None:
        """The key of an artifact of this content; None where the remote has none."""
        text = self.read(f"digests/{stage}/{digest}")
        return None if text is None else text.decode(errors="replace")

    def push(self, artifact: Artifact) -> Transfer:
        """Store an artifact: the files that are not there yet, then its manifest."""
        manifest = read_manifest(artifact.path)
        sizes = {entry["sha256"]: entry["size"] for entry in manifest["files"].values()}
        paths = {entry["sha256"]: artifact.path / name for name, entry in manifest["files"].items()}
        there = each([partial(self._size, f"objects/{digest}") for digest in sizes], ASK)
        lacking = [digest for digest, size in zip(sizes, there, strict=True) if size != sizes[digest]]
        each([partial(self._store, paths[digest], f"objects/{digest}") for digest in lacking], _longest(sizes.values()))
        self.write(_manifest_name(artifact.stage, artifact.key), seal(manifest).encode())
        self.write(f"digests/{artifact.stage}/{artifact.digest}", artifact.key.encode())
        return Transfer(len(paths), len(lacking), sum(sizes[digest] for digest in lacking))

    def renew(self, stage: str, key: str) -> None:
        """Note that an artifact was used, by the time of its manifest; a remote that may only be read keeps no note."""
        if (text := self.read(_manifest_name(stage, key))) is not None:
            with suppress(PermissionError):
                self.write(_manifest_name(stage, key), text)

    def forget(self, stage: str, key: str) -> None:
        """Delete an artifact's manifest and those of its files that have other bytes than their names say."""
        try:
            manifest = self.manifest(stage, key)
        except Damaged:
            manifest = None
        self.delete(_manifest_name(stage, key))
        for entry in manifest["files"].values() if manifest else ():
            name = f"objects/{entry['sha256']}"
            if within(_longest([entry["size"]]), partial(self._digest, name)) != entry["sha256"]:
                self.delete(name)

    def read(self, name: str) -> bytes | None:
        """A small file; None where there is none."""

        def ask() -> bytes | None:
            try:
                content: bytes = self.fs.cat_file(self._at(name))
                return content
            except FileNotFoundError:
                return None

        return within(ASK, ask)

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, over one that is there."""
        within(ASK, partial(self._put, name, content))

    def create(self, name: str, content: bytes) -> bool:
        """Write a small file where there is none yet; False where there is one.

        An object store without conditional writes lets two creators at the same moment both succeed.
        """

        def ask() -> bool:
            try:
                if self.local:
                    os.makedirs(os.path.dirname(self._at(name)), exist_ok=True)
                    with open(self._at(name), "xb") as handle:
                        handle.write(content)
                else:
                    self.fs.pipe_file(self._at(name), content, mode="create")
            except FileExistsError:
                return False
            return True

        return within(ASK, ask)

    def delete(self, name: str) -> None:
        """Delete a file; none is no error."""

        def ask() -> None:
            try:
                self.fs.rm_file(self._at(name))
            except FileNotFoundError:
                return

        within(ASK, ask)

    def _at(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _size(self, name: str) -> int | None:
        try:
            return int(self.fs.info(self._at(name))["size"])
        except FileNotFoundError:
            return None

    def _digest(self, name: str) -> str | None:
        try:
            with self.fs.open(self._at(name), "rb") as source:
                return hashlib.file_digest(source, "sha256").hexdigest()
        except FileNotFoundError:
            return None

    def _fetch(self, target: Path, entry: Mapping[str, Any]) -> None:
        """Write one file of an artifact, checked as it arrives. Raises Damaged."""
        arrived, size = hashlib.sha256(), 0
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.fs.open(self._at(f"objects/{entry['sha256']}"), "rb") as source, target.open("wb") as into:
                while (block := source.read(BLOCK)) and size <= entry["size"]:
                    size += len(block)
                    arrived.update(block)
                    into.write(block)
        except FileNotFoundError:
            raise Damaged(f"{target.name} is missing") from None
        if arrived.hexdigest() != entry["sha256"]:
            raise Damaged(f"{target.name} has other bytes than were stored")

    def _store(self, path: Path, name: str) -> None:
        self._whole(name, partial(self.fs.put_file, str(path)))

    def _put(self, name: str, content: bytes) -> None:
        self._whole(name, lambda place: self.fs.pipe_file(place, content))

    def _whole(self, name: str, write: Callable[[str], object]) -> None:
        """Write a file; in a folder aside and renamed, since others may read it at once."""
        if not self.local:
            write(self._at(name))
            return
        aside = f"{self._at(name)}.{uuid.uuid4().hex}"
        try:
            write(aside)
            os.replace(aside, self._at(name))
        finally:
            Path(aside).unlink(missing_ok=True)


def open_remote(url: str) -> Remote:
    """The remote at an address. Raises StageError where fsspec or its library cannot reach such addresses."""
    import fsspec

    protocol, colon, _ = url.partition("://")
    if not colon:
        raise StageError(f"TEMPER_REMOTE={url}: write an address, such as file:///srv/temper or s3://bucket/temper")
    if without_password(url) != url:
        raise StageError("TEMPER_REMOTE holds a name, a password or a query; credentials belong into the environment")
    options = {"use_listings_cache": False, "skip_instance_cache": True, **OPTIONS.get(protocol, {})}
    try:
        fs = fsspec.filesystem(protocol, **options)
        root = str(fs._strip_protocol(url)).rstrip("/")
    except (ImportError, ValueError) as error:
        raise StageError(
            f"TEMPER_REMOTE={url}: {error}; install what reads {protocol}:// (s3: pip install s3fs)"
        ) from None
    return Remote(fs, root, protocol == "file")


def why(error: Exception) -> str:
    """The failure of a remote's library, in a line without passwords, tokens and signatures."""
    return masked(f"{type(error).__name__}: {error}".splitlines()[0])


def _manifest_name(stage: str, key: str) -> str:
    return f"artifacts/{stage}/{key}.json"


def _longest(sizes: Any) -> float:
    """Seconds after which a transfer counts as stalled: those of the largest file at the slowest rate."""
    return ASK + max(sizes, default=0) / SLOWEST
