"""Names of an archive's members -> names that lead nowhere else, and those that a source's `member` means."""

import glob
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ..errors import DataError
from .folders import IMAGE_ENDINGS, escape_name

LONGEST_NAME = 4096
"""Characters of a path in an archive; no system's paths are longer."""


def pick_members(
    path: Path, names: Sequence[str], member: str | Sequence[str] | None, tables: Sequence[str]
) -> list[str]:
    """The names that a source's `member` means, or the only table where it is absent.

    A path or pattern may leave out the folders above. Raises DataError where it fits none, or where several would.
    """
    shown = ", ".join(sorted(tables or names)[:10]) + (" …" if len(tables or names) > 10 else "")
    if member is None:
        if not tables and any(name.lower().endswith(IMAGE_ENDINGS) for name in names):
            raise DataError(
                f"{path}: the archive holds images and no table; a recipe's source takes it as `kind: "
                "images`, and a prediction takes the folder that it unpacks to"
            )
        if len(tables) != 1:
            raise DataError(f"{path}: {len(tables)} tables in the archive; name them with `member`: {shown}")
        return list(tables)
    picked: list[str] = []
    for pattern in [member] if isinstance(member, str) else member:
        matching = sorted(name for name in names if PurePosixPath(name).match(pattern))
        fitting = [pattern] if pattern in names else matching
        if not fitting or (len(fitting) > 1 and not glob.has_magic(pattern)):
            fits = f"{len(fitting)} files" if fitting else "no file"
            raise DataError(f"{path}: `member` {pattern!r} fits {fits} in the archive, which holds {shown}")
        picked += [name for name in fitting if name not in picked]
    return picked


def safe_name(path: Path, name: str) -> str:
    """A member's name with forward slashes, escaped where it is not UTF-8 or holds control characters.

    Raises DataError where it leads, or may lead, out of a folder.
    """
    if len(name) > LONGEST_NAME:
        raise DataError(
            f"{path}: {name[:60]!r}… in the archive has {len(name):,} characters, a path at most "
            f"{LONGEST_NAME:,}; nothing of it is unpacked"
        )
    plain = name.replace("\\", "/")
    parts = PurePosixPath(plain).parts
    reason = (
        "an absolute path"
        if plain.startswith("/") or plain[1:2] == ":"
        else "a path that leads upwards"
        if ".." in parts
        else "no name of a file"
        if "\0" in plain
        else ""
    )
    if reason:
        raise DataError(f"{path}: {name[:200]!r} in the archive is {reason}; nothing of it is unpacked")
    return escape_name("/".join(parts))
