"""Planting a fault: in a copy of an artifact, or in a function of the program itself (of this process alone)."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.artifact import Artifact


def planted(artifact: "Artifact", edit: Callable[[Path], None]) -> "Artifact":
    """Another artifact of the same stage, whole and sealed, whose data were edited."""
    from configs.settings import settings
    from tasks.artifact import digest_text
    from tasks.documents import About
    from tasks.store import disk

    key = digest_text(f"{artifact.key} with a fault")[: len(artifact.key)]
    partial = disk.begin(settings().store, artifact.stage, key)
    for part in ("data", "records"):
        shutil.copytree(artifact.path / part, partial / part, dirs_exist_ok=True)
    edit(partial / "data")
    manifest: Any = artifact.manifest()
    about: Any = {name: manifest[name] for name in About.__annotations__ if name in manifest}
    return disk.commit(settings().store, artifact.stage, key, about)


def spoil(module: ModuleType, name: str, make: Callable[[Any], Any]) -> None:
    """Put another function in the place of a module's, wherever it was imported by its name; for good, so that this is
    for a process that ends behind the fault."""
    original = getattr(module, name)
    replacement = make(original)
    for known in list(sys.modules.values()):
        if getattr(known, "__dict__", {}).get(name) is original:
            setattr(known, name, replacement)


def flip_bit(path: Path) -> None:
    """Change one bit in the middle of a file, keeping its size and times."""
    import os

    seen, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o666)
    path.write_bytes(bytes(data))
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
