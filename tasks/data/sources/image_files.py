"""A folder or archive of image files -> rows (image, file, label, split, group), and the bytes of every image once.

Nothing is decoded here: a file that is no image is a row like any other, and the cleaning says why it goes.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from configs.image_sources import ImagesSource
from configs.settings import settings

from ..drops import first_of
from ..errors import DataError
from ..label_variants import map_labels
from ..ledger import PARTS
from .archives import is_archive, note_names, read_members
from .columns import split_names
from .folders import is_left_out, list_images
from .image_sets import store_pictures
from .image_store import ImageStore
from .part_names import parts_named
from .pixel_arrays import array_files, is_arrays, read_pixel_arrays
from .provenance import Intake, recipe_name
from .trees import folder_parts, part_folders

UNREAD = "that the recipe does not read"
SHOWN = 3
"""Folders that a note names."""
LARGEST = 512 * 2**20
"""Bytes of one file; beyond, it is a film or an archive and no image."""
TELL_EVERY = 256
"""Files between two signs of progress."""
Files = Iterable[tuple[str, int, Callable[[], Iterator[bytes]]]]
"""Path inside the source, size in bytes, and a way to read the bytes in blocks."""


def read_images(source: ImagesSource, place: Path, intake: Intake) -> pd.DataFrame:
    """Store every image file of a folder or archive and describe it in a row, in the order of their paths.

    Columns image (sha256 of the bytes), file, label, split, and group where the pattern has one. Raises DataError
    where there is none, where a pattern fits none, and for an unknown label or split.
    """
    if is_arrays(place):
        return _read_arrays(source, place, intake)
    stored: list[tuple[str, str]] = []
    sizes: dict[str, int] = {}
    files, total, left_out = _listed(place, intake)
    with ImageStore(intake) as store:
        for number, (name, size, blocks) in enumerate(files, 1):
            if is_left_out(name):
                intake.licensed(name, blocks())
                left_out += 1
                continue
            if size > LARGEST:
                raise DataError(f"{place}: {name} has {size:,} bytes; take it out, an image has at most {LARGEST:,}")
            stored.append((store.add(b"".join(blocks())), name))
            sizes[name] = size
            if number % TELL_EVERY == 0 or number == total:
                intake.progress(number, total, "reading images")
        if not stored:
            raise DataError(f"{place}: no image files in it")
        rows = pd.DataFrame(stored, columns=["image", "file"], dtype="str").sort_values("file", ignore_index=True)
        rows = label_files(rows, source, str(place), intake)
        store.write(set(rows["image"]))
    if left_out:
        intake.note(f"{left_out:,} files are no images by their names (texts, tables, hidden files) and were left out")
    if place.is_dir():
        _record_folder(rows, place, sum(map(sizes.__getitem__, rows["file"])), intake)
    return rows


def _read_arrays(source: ImagesSource, place: Path, intake: Intake) -> pd.DataFrame:
    """Rows of arrays of pixels; their names give the parts."""
    if source.pattern is not None or source.split_folders:
        raise DataError(f"{place}: pattern and split_folders are read of paths, which arrays have not; leave them out")
    parts = read_pixel_arrays(place)
    rows = store_pictures({part or "images": arrays for part, arrays in parts.items()}, intake)
    labels = pd.Series(np.concatenate([labels for _, labels in parts.values()]), dtype="str")
    splits = np.repeat([part or None for part in parts], [len(labels) for _, labels in parts.values()])
    named = _named(labels, rows["file"], source, str(place), intake)
    if place.is_dir():
        for path in array_files(place):
            intake.used(path)
    return rows.assign(label=named, split=pd.Series(splits, dtype="str")).astype({"label": "str"})


def _record_folder(rows: pd.DataFrame, folder: Path, size: int, intake: Intake) -> None:
    """A folder in one line: the sha256 is that of the list which `sha256sum` prints for its images, by path."""
    listed = "".join((rows["image"] + "  " + rows["file"] + "\n").tolist())
    sha256 = hashlib.sha256(listed.encode()).hexdigest()
    intake.files.append({"name": f"{recipe_name(folder)}/ ({len(rows):,} files)", "bytes": size, "sha256": sha256})


def label_files(rows: pd.DataFrame, source: ImagesSource, where: str, intake: Intake) -> pd.DataFrame:
    """Rows with label, split and group taken from their paths; without a pattern, those that lie in no folder of a
    class but in one of a part (an unlabelled `test/`) are left out. Raises DataError as `read_images` does."""
    if source.pattern is None:
        rows = _in_classes(rows, where, intake)
    files = rows["file"]
    if source.pattern is None:
        parts = pd.DataFrame({"label": files.str.extract(r"(?s)^(?:.*/)?([^/]+)/[^/]+$", expand=False)})
    else:
        parts = files.str.extract(re.compile(source.pattern))
        parts = parts[list(re.compile(source.pattern).groupindex)]
    unlabelled = files[parts["label"].isna()]
    if len(unlabelled) == len(files):
        how = "fits `pattern`" if source.pattern else "lies in a folder that names its class (else give a `pattern`)"
        raise DataError(f"{where}: none of {len(files):,} files {how}; the first is {files.iloc[0]}")
    if len(unlabelled):
        intake.note(f"{len(unlabelled):,} files have no label, such as {first_of(unlabelled)}")
    parts["label"] = _named(parts["label"], files, source, where, intake)
    parts["split"] = _splits(files, parts.get("split"), source, where, intake)
    return rows.join(parts).astype(dict.fromkeys(parts, "str"))


def _named(labels: pd.Series, files: pd.Series, source: ImagesSource, where: str, intake: Intake) -> pd.Series:
    """Labels as the recipe calls them."""
    if not source.label_names:
        return map_labels(labels.astype("str"), source.label_map, intake.notes)
    odd = labels.dropna()[~labels.dropna().isin(list(source.label_names))]
    if len(odd):
        file, known = files[odd.index[0]], ", ".join(source.label_names)
        raise DataError(f"{where}: {file} has the label {odd.iloc[0]!r}, not one in `label_names` ({known})")
    return labels.map(source.label_names)


def _in_classes(rows: pd.DataFrame, where: str, intake: Intake) -> pd.DataFrame:
    folders = rows["file"].str.rpartition("/")[0]
    flat = folders.isin(list(part_folders(rows["file"])))
    if flat.all() and len(rows):
        raise DataError(
            f"{where}: all {len(rows):,} files lie in folders that name a part of a split, such as "
            f"{rows['file'].iloc[0]}; where the class is the folder above, set `pattern`: "
            "'(?P<label>[^/]+)/(?P<split>[^/]+)/[^/]+$'"
        )
    if flat.any():
        counts = ", ".join(f"{name}/ {count:,}" for name, count in folders[flat].value_counts().head(SHOWN).items())
        intake.note(
            f"{int(flat.sum()):,} files have no class, since they lie in the folder of a part of a split, and "
            f"are left out ({counts}); where it names a class, set `pattern`"
        )
    return rows[~flat].reset_index(drop=True)


def _splits(
    files: pd.Series, named: pd.Series | None, source: ImagesSource, where: str, intake: Intake
) -> pd.Series | None:
    """The part of each file, by the pattern, by the folders, or none; folders of parts that are not read are noted."""
    if named is not None:
        spelt = parts_named(list(named.dropna().unique()))
        return split_names(named.map(spelt).astype("str").fillna(named))
    parts = folder_parts(files, above=source.pattern is None)
    if source.split_folders:
        if parts.isna().all():
            raise DataError(f"{where}: no folder is called train, val or test; leave out `split_folders`")
        return parts
    if parts.nunique() > 1:
        counts = ", ".join(f"{part} {(parts == part).sum():,}" for part in PARTS if (parts == part).any())
        keeps = "; `split_folders: true` keeps them" if {"train", "test"} <= set(parts) else ", as it is no whole one"
        intake.note(f"folders name parts of a split ({counts} files) {UNREAD}: all are split again{keeps}")
    return None


def _listed(place: Path, intake: Intake) -> tuple[Files, int, int]:
    """The files of a folder or archive, how many there are (0: not known yet), and how many were passed over."""
    if not place.is_dir():
        if note := note_names(place):
            intake.note(note)
        return ((member.name, member.size, member.blocks) for member in read_members(place)), 0, 0
    listing = list_images(place)
    if odd := listing.escaped:
        intake.note(
            f"{len(odd):,} names of files are not UTF-8 or hold control characters; the files are read, and "
            f"called by escaped names such as {odd[0]}"
        )
    for name, path in listing.left_out:
        intake.licensed(name, _reader(path)())
    files = [(name, path.stat().st_size, _reader(path)) for name, path in listing.read]
    return files, len(files), len(listing.left_out)


def _reader(path: Path) -> Callable[[], Iterator[bytes]]:
    def blocks() -> Iterator[bytes]:
        try:
            with path.open("rb") as handle:
                while block := handle.read(2**20):
                    yield block
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from None

    return blocks


def image_place(source: ImagesSource) -> Path:
    """The local folder or archive. Raises DataError where it is neither."""
    place = settings().source(source.path or "")
    if place.is_dir() or (place.is_file() and (is_archive(place.name) or is_arrays(place))):
        return place
    what = "is no folder, zip or tar archive, or .npz file" if place.exists() else "no such folder or archive"
    raise DataError(f"{place}: {what}; relative paths start at the setting TEMPER_DATA")
