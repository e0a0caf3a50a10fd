"""Artifact: a reference to an immutable directory; its manifest says what lies there and what made it."""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from configs.settings import settings

from .documents import Changed, FileEntry, Manifest, Marks, Reference, ReportFacts

FORMAT = 1
"""Changes when the meaning of what artifact.py, cached.py or store/ write changes; part of every key."""
MANIFEST = "manifest.json"


class StageError(Exception):
    """A stage cannot go on; the message says what, where and how to fix it."""


@dataclass(frozen=True)
class Artifact:
    """What tasks exchange: stage, key and content digest; the directory follows from the settings."""

    stage: str
    key: str
    digest: str
    opened: tuple[str, ...] = ("*",)

    @property
    def path(self) -> Path:
        """The artifact's directory."""
        return settings().store / self.stage / self.key

    @property
    def records(self) -> Path:
        """Reports, pictures, curves and timings: checksummed, not part of the digest."""
        return self.path / "records"

    def file(self, name: str) -> Path:
        """A file under data/. Raises PermissionError where the stage did not declare that it opens it."""
        if not any(fnmatchcase(name, pattern) for pattern in self.opened):
            raise PermissionError(f"{self.stage}/{name} is opened but not declared in opens={self.opened}")
        return self.path / "data" / name

    def limited(self, patterns: tuple[str, ...]) -> "Artifact":
        """The same artifact, opened only where a pattern fits."""
        return replace(self, opened=patterns)

    @property
    def reference(self) -> Reference:
        """How the manifest of what is made from it names it."""
        return {"stage": self.stage, "key": self.key, "digest": self.digest}

    def manifest(self) -> Manifest:
        """The manifest as written (see `seal`). Raises ValueError where it is damaged."""
        return read_manifest(self.path)


@dataclass(frozen=True)
class Version:
    """A registered model: where it lies, what was decided, how many models were scored on its test rows so far.

    links: addresses of MLflow's pages of its run and version, where a browser can reach them. changed: rows that it
    predicts better and worse than the champion that it was compared with (see kinds/outcomes.py). example: a test text.
    known: whether it was registered before.
    """

    name: str
    version: str
    aliases: tuple[str, ...]
    verdict: str
    run_id: str
    metrics: dict[str, float]
    report: ReportFacts
    test_evaluations: int
    known: bool = False
    links: dict[str, str] = field(default_factory=dict)
    changed: Changed | None = None
    example: str | None = None

    @property
    def uri(self) -> str:
        """Address for mlflow.pyfunc.load_model."""
        return f"models:/{self.name}/{self.version}"


def canonical(value: object) -> str:
    """JSON with one spelling per value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def digest_text(text: str) -> str:
    """sha256 of a text, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_file(path: Path) -> str:
    """sha256 of a file's bytes, hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def content_digest(files: Mapping[str, FileEntry]) -> str:
    """Digest of data/: every path below it with its sha256."""
    return digest_text(canonical({name: entry["sha256"] for name, entry in files.items() if _is_data(name)}))


def _is_data(name: str) -> bool:
    return name.startswith("data/")


def describe_files(directory: Path) -> dict[str, FileEntry]:
    """Size, sha256 and file-system marks of every file in data/ and records/. Raises StageError on links."""
    return {name: {**marks(path), "sha256": digest_file(path)} for name, path in _files(directory)}


def marks(path: Path) -> Marks:
    """What the file system states about a file; a change of any of these asks for a new hash."""
    stat = path.stat()
    return {
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "ctime_ns": stat.st_ctime_ns,
        "inode": stat.st_ino,
    }


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    for part in ("data", "records"):
        for path in sorted([*directory.glob(part), *(directory / part).rglob("*")]):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise StageError(f"{path}: artifacts hold plain files only")
            if path.is_file():
                yield path.relative_to(directory).as_posix(), path


def seal(manifest: Manifest) -> str:
    """The manifest's text, with a checksum of itself so that damage to it shows."""
    return canonical({**manifest, "sha256": digest_text(canonical(manifest))})


def read_manifest(directory: Path) -> Manifest:
    """Read a sealed manifest. Raises ValueError where it is missing, unreadable or altered."""
    try:
        text = read_plain(directory / MANIFEST)
        sealed = json.loads(text)
        sealed.pop("sha256")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"manifest unreadable ({type(error).__name__})") from None
    manifest: Manifest = sealed
    if seal(manifest) != text:
        raise ValueError("manifest altered")
    return manifest


def read_plain(path: Path) -> str:
    """The text of a plain file. Raises OSError for what is none: a named pipe would keep its reader waiting."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, encoding="utf-8") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a plain file", str(path))
        return file.read()


def lineage(artifact: Artifact) -> dict[str, Artifact]:
    """Every artifact that this one was made from, by stage, itself included; of one stage the nearest.

    Raises ValueError where one of them is damaged, StageError where one is gone and nothing of its content is left.
    """
    references = artifact.manifest()["inputs"].values()
    inputs = [_standing(Artifact(upstream["stage"], upstream["key"], upstream["digest"])) for upstream in references]
    artifacts: dict[str, Artifact] = {}
    for upstream in inputs:
        artifacts |= lineage(upstream)
    return artifacts | {upstream.stage: upstream for upstream in inputs} | {artifact.stage: artifact}


def _standing(upstream: Artifact) -> Artifact:
    """What was deleted may have been made again under another key: of the same content, it is as good."""
    if upstream.path.exists():
        return upstream
    for manifest in sorted(upstream.path.parent.glob(f"*/{MANIFEST}")):
        if "." not in manifest.parent.name and read_manifest(manifest.parent)["digest"] == upstream.digest:
            return replace(upstream, key=manifest.parent.name)
    raise StageError(
        f"{upstream.path} was deleted, and nothing of the same content lies in its stead; "
        "delete what was made from it too, so that it is made again"
    )
