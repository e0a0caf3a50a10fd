"""Text files of one label each, a text a line, or folders of them, a text a file -> rows (text, label, split)."""

from pathlib import Path, PurePosixPath

import pandas as pd

from configs.settings import settings
from configs.sources import ClassFilesSource

from ..errors import DataError
from ..files import check_encoding, check_file, describe_encoding, detect_encoding, text_encoding
from .folders import is_system
from .part_names import part_named
from .provenance import Intake

TEXT = ".txt"


def read_class_files(source: ClassFilesSource, intake: Intake) -> pd.DataFrame:
    """Per label the lines of its file, or the files of its folder; an empty one is a row without text.

    Raises DataError for a file that is absent, empty or in another encoding, and for a folder without text files.
    """
    parts = []
    intake.where = ", ".join(name for _, name in source.places)
    for label, name in source.places:
        place = settings().source(name)
        texts = (
            [_read(path, source, intake) for path in list_texts(place)]
            if place.is_dir()
            else _lines(_read(place, source, intake))
        )
        column = pd.Series(texts, dtype="str")
        parts.append(
            pd.DataFrame(
                {
                    "text": column.where(column != ""),
                    "label": label,
                    "split": _part(name) if source.split_files else None,
                }
            )
        )
    return pd.concat(parts, ignore_index=True).astype({"text": "str", "label": "str", "split": "str"})


def _part(name: str) -> str:
    """The part that a place names. Raises DataError where it names none."""
    path = PurePosixPath(name)
    part = part_named(path.parent.name) or part_named(path.stem)
    if part is None:
        raise DataError(
            f"{name}: `split_files` is set, but neither {path.parent.name!r} nor {path.stem!r} names a part; call one "
            "of them train, validation or test"
        )
    return part


def list_texts(folder: Path) -> list[Path]:
    """The text files right in a folder, by name. Raises DataError where there is none."""
    texts = [path for path in sorted(folder.iterdir()) if path.suffix.lower() == TEXT and not is_system(path.name)]
    if not texts:
        raise DataError(f"{folder}: no file in this folder ends in {TEXT}; name a folder of texts, one in each file")
    return texts


def _lines(text: str) -> list[str]:
    end = "\n" if "\n" in text else "\r"  # old Macs
    return [line.removesuffix("\r") for line in text.removesuffix(end).split(end)]


def _read(path: Path, source: ClassFilesSource, intake: Intake) -> str:
    check_file(path)
    encoding = source.encoding
    if encoding == "detect":
        encoding = detect_encoding(path)
        if encoding != "utf-8":
            intake.note(f"{path.name}: {describe_encoding(path, encoding)}")
    check_encoding(path, encoding)
    intake.used(path)
    with path.open(encoding=text_encoding(encoding), newline="") as handle:  # a carriage return ends no line
        return handle.read()
