"""Images of a zip or tar archive, unpacked for as long as they are asked about."""

import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..artifact import digest_file
from ..data.errors import check_file
from ..data.sources import archives
from ..data.sources.archived_tables import tables_among
from ..data.sources.folders import IMAGE_ENDINGS, is_left_out
from .inputs import Images


@dataclass(frozen=True)
class ArchivedImages(Images):
    """Files of an archive, `folder`; the copies in `paths` go with this object."""

    notes: tuple[str, ...] = ()

    def identity(self) -> dict[str, Any]:
        """The archive's checksum, since the copies are new at each call."""
        return {"input": digest_file(self.folder), "batch": self.batch}


def holds_images(path: Path) -> bool:
    """Whether a path is an archive of more images than tables. Raises DataError where it is damaged."""
    if not path.is_file() or not archives.is_archive(path.name) or archives.is_single(path.name):
        return False
    check_file(path)
    known, tables = tables_among([member.name for member in archives.read_members(path)])
    return sum(name.lower().endswith(IMAGE_ENDINGS) for name in known) > len(tables)


def open_archive(path: Path) -> ArchivedImages:
    """The images of an archive by their names in it: the files that a recipe's `download` reads."""
    note = archives.note_names(path)
    scratch = Path(tempfile.mkdtemp(prefix="temper-"))
    try:
        copies = archives.unpack(path, lambda name: not is_left_out(name), scratch / "unpacked")
        ignored = sum(is_left_out(member.name) for member in archives.read_members(path))
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    names = sorted(copies)
    files = pd.DataFrame({"file": names}, dtype="str")
    copied = tuple(copies[name] for name in names)
    images = ArchivedImages(path, files, copied, ignored, notes=() if note is None else (note,))
    weakref.finalize(images, shutil.rmtree, scratch, ignore_errors=True)
    return images
