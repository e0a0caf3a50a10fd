"""Tables inside an archive: which of its members are such, and copies of them, also of those compressed once more."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ..errors import DataError
from . import archives
from .columns import part_of
from .tables import ENDINGS


def tables_among(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Of the names in an archive those that are not hidden, or a Mac's, and of these the tables by their ending."""
    known = [name for name in names if not re.search(r"(^|/)(\.|__MACOSX/)", name)]
    return known, [name for name in known if PurePosixPath(plain_name(name)).suffix.lower() in ENDINGS]


def plain_name(name: str) -> str:
    """A member's name without the ending that says only how it is compressed."""
    return name.rpartition(".")[0] if archives.is_single(name) else name


def unpack_tables(path: Path, wanted: Sequence[str], folder: Path, called: str | None = None) -> dict[str, Path]:
    """Copies of members by their names, in the order of `wanted`; a compressed one is unpacked too, and called without
    that ending. Raises DataError as `archives.unpack` does, and where two are called alike then."""
    unpacked = archives.unpack(path, wanted.__contains__, folder, called)
    copies: dict[str, Path] = {}
    for number, name in enumerate(wanted):
        copy, plain = unpacked[name], plain_name(name)
        if plain != name:
            (copy,) = _inside(copy, name, folder / f"compressed{number}", called or str(path)).values()
        if plain in copies:
            raise DataError(f"{called or path}: holds {plain} and the same compressed; choose one with `member`")
        copies[plain] = copy
    return copies


def _inside(copy: Path, name: str, folder: Path, called: str) -> dict[str, Path]:
    """What a compressed member holds; a complaint names the member and not its copy."""
    try:
        return archives.unpack(copy, lambda _: True, folder, PurePosixPath(name).name)
    except DataError as error:
        raise DataError(str(error).replace(str(copy), f"{called}/{name}")) from None


def parts_by_name(names: Sequence[str]) -> list[str] | None:
    """The part that each file's name gives, where all give one and `train` and `test` are among them; else None."""
    try:
        parts = [part_of(name, {}) for name in names]
    except DataError:
        return None
    return parts if {"train", "test"} <= {*parts} else None
