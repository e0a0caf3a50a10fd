"""Intake: what the reading of a source needs, and what it leaves behind: notes, and where every byte came from."""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from configs.settings import settings

from ..errors import DataError
from ..escape import code, markdown

LICENCE = re.compile(r"(licen[cs]e|copying)([-_. ].{0,20})?", re.IGNORECASE)
"""Names of files that state a licence."""


def _silent(*_: object) -> None:
    """Speaks to nobody."""


def _no_secrets(name: str) -> str:
    raise DataError(f"the token {name!r} is asked for where none can be had; run the recipe")


class SourceFile(TypedDict):
    """A file that was read, as the recipe or the archive calls it."""

    name: str
    bytes: int
    sha256: str


class Licence(TypedDict):
    """A licence file and its first line."""

    file: str
    says: str


class Provenance(TypedDict):
    """Where rows came from; bytes: of all files."""

    kind: str
    where: str
    when: str
    licence: Licence | None
    rows: int
    bytes: int
    files: list[SourceFile]


@dataclass
class Intake:
    """One reading of a source. `images` is where the bytes of images go; `secret` turns a name into a token."""

    scratch: Path
    images: Path | None = None
    secret: Callable[[str], str] = _no_secrets
    progress: Callable[[int, int, str], None] = _silent
    notes: list[str] = field(default_factory=list)
    """What a person should know, for the summary."""
    where: str = ""
    files: list[SourceFile] = field(default_factory=list)
    licence: Licence | None = None

    def note(self, text: str) -> None:
        """Say something in the summary, once."""
        if text not in self.notes:
            self.notes.append(text)

    def used(self, path: Path, name: str | None = None, sha256: str | None = None) -> None:
        """Record a file that was read: its name (as the recipe or the archive calls it), bytes and sha256."""
        entry: SourceFile = {
            "name": name or recipe_name(path),
            "bytes": path.stat().st_size,
            "sha256": sha256 or _sha256(path),
        }
        self.files.append(entry)

    def licensed(self, name: str, content: Iterable[bytes]) -> None:
        """Record a licence file's name and first line, where a file is one by its name; the first one counts."""
        if self.licence is None and LICENCE.fullmatch(name.rpartition("/")[2]):
            text = next(iter(content), b"")[:4096].decode(errors="replace")
            first = next((line.strip() for line in text.splitlines() if line.strip()), "")
            self.licence = {"file": name, "says": first[:200]}

    def provenance(self, kind: str, rows: int) -> Provenance:
        """Where the rows came from, JSON-ready."""
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return {
            "kind": kind,
            "where": self.where,
            "when": when,
            "licence": self.licence,
            "rows": rows,
            "bytes": sum(file["bytes"] for file in self.files),
            "files": self.files,
        }


def recipe_name(path: Path) -> str:
    """A local file below TEMPER_DATA by its relative path, another by its name alone: no machine's paths."""
    root = settings().source("")
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def recipe_path(path: Path) -> str:
    """What a recipe calls a local file or folder: relative where it lies below TEMPER_DATA, else absolute."""
    place, root = Path(os.path.abspath(path)), Path(os.path.abspath(settings().source("")))
    return place.relative_to(root).as_posix() if place.is_relative_to(root) else str(place)


def describe_provenance(about: Provenance) -> list[str]:
    """Lines of markdown."""
    licence = about["licence"]
    licence_text = f"{licence.get('says') or '?'} ({licence['file']})" if licence else "none stated by the source"
    where = markdown(str(about["where"]))
    lines = [f"- Source: `{about['kind']}` {where}, read {about['when']}", f"- Licence: {markdown(licence_text)}"]
    lines += [f"- {code(f['name'])}: {f['bytes']:,} bytes, sha256 `{f['sha256'][:16]}…`" for f in about["files"][:10]]
    more = len(about["files"]) - 10
    return lines + ([f"- … and {more:,} more files, in provenance.json"] if more > 0 else [])


def write_provenance(about: Provenance, path: Path) -> None:
    """Write it as JSON."""
    path.write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
