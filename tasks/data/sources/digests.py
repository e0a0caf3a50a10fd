"""Files -> their sha256, taken once as long as size and times stay; the table of pins holds what was taken."""

from collections.abc import Mapping
from pathlib import Path

from configs.settings import settings

from ...artifact import canonical, digest_file, digest_text, marks
from ...store.pin_table import PinTable


def digest_tree(folder: Path, files: list[tuple[str, Path]], table: PinTable) -> str:
    """Digest of files below a folder; the pins keep one line for the folder, not one for each of a million."""
    now = digest_text(canonical([[name, marks(path)] for name, path in files]))
    known = table.files.get(f"{folder}/", {})
    if known.get("marks") != now:
        digests = [[name, digest_file(path)] for name, path in files]
        table.files[f"{folder}/"] = known = {"marks": now, "sha256": digest_text(canonical(digests))}
    return str(known["sha256"])


def digest_once(path: Path, table: PinTable) -> str:
    """The sha256 of a file. Raises DataError where it is absent or empty."""
    from ..files import check_file

    check_file(path)
    return digest_marked(path, table)


def digest_marked(path: Path, table: PinTable) -> str:
    """The sha256 of a file, which may be empty."""
    now, known = marks(path), table.files.get(str(path), {})
    if any(known.get(mark) != value for mark, value in now.items()):
        table.files[str(path)] = known = {**now, "sha256": digest_file(path)}
    return str(known["sha256"])


def digest_expected(expect: Mapping[str, int], table: PinTable) -> dict[str, object]:
    """What a recipe expects of images (`train.model.expect`): digests of files and folders, names of labels; empty
    where it expects nothing."""
    from .folders import list_images

    digests: list[list[str | int]] = []
    for what, index in expect.items():
        place = settings().source(what)
        if place.is_dir():
            digests.append([digest_tree(place, list_images(place).read, table), index])
        else:
            digests.append([digest_once(place, table) if place.is_file() else what, index])
    return {"expect": digests} if digests else {}
