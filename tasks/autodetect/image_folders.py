"""A folder or an archive of images -> the source that reads their labels off folders or names."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pandas as pd

from configs.image_sources import ImagesSource

from ..data.errors import DataError
from ..data.label_variants import label_key
from ..data.sources.image_files import UNREAD, label_files, read_images
from ..data.sources.provenance import Intake
from ..data.sources.trees import folder_parts, read_tree
from ..data.splitting import require_common_labels
from .located import Hints, Located

SHOWN = 4
"""Names of a kind that are shown."""
BY_NAME = r"(?:^|/)(?P<label>[^\W\d_]++)[^/]*+$"
"""The letters with which a file's name begins."""
ANY = "(?P<label>)"
"""Reads every file, whatever its path says."""


def _by_names(files: "pd.Series[str]") -> str:
    """What to do where no folders name the classes: a pattern where the names of files seem to, else other places."""
    labels = files.str.extract(BY_NAME)["label"].dropna()
    counts = labels.value_counts()
    if 2 <= len(counts) <= len(files) / 2 and len(labels) > len(files) / 2:
        shown = ", ".join(f"{label} ({count:,})" for label, count in counts.head(SHOWN).items())
        return f"the names seem to hold them: --pattern '{BY_NAME}' reads {shown}"
    return (
        f"their names ({', '.join(files.head(SHOWN))}) hold none either: put the images of each class into a folder "
        "that is called like it, or write a table with the columns path and label next to them and give its name; "
        "where a part of the name is the class, say which with --pattern '(?P<label>…)'"
    )


def locate_images(source: ImagesSource, place: Path, called: str, intake: Intake, hints: Hints) -> Located:
    """By the pattern, else by folders, of which those that name a part give the split. Raises DataError where the
    folders can be read in several ways, and where parts share no label."""
    given = replace(source, pattern=hints.pattern)
    rows = read_images(replace(source, pattern=hints.pattern or ANY), place, intake)
    if hints.pattern is None:
        if not rows["file"].str.contains("/").any():
            none = f"none of {len(rows):,} files lies in a folder that names its class"
            raise DataError(f"{called}: {none}; {_by_names(rows['file'])}")
        rows = label_files(rows[["image", "file"]], given, called, intake)
    if hints.pattern is None and rows["file"].str.contains("/").any():
        tree = read_tree(rows.loc[rows["label"].notna(), "file"].tolist(), called)
        given = replace(source, pattern=tree.pattern)
        for number, level in enumerate(tree.levels):
            intake.note(f"folders of level {number + 1}: {tree.role(number)}: {level}")
    parts = set(folder_parts(rows["file"], above=given.pattern is None).dropna())
    if {"train", "test"} <= parts and "(?P<split>" not in (given.pattern or ""):
        given = replace(given, split_folders=True)
    intake.notes[:] = [note for note in intake.notes if UNREAD not in note]
    rows = label_files(rows[["image", "file"]], given, called, intake)
    if rows["label"].nunique() < 2:
        raise DataError(f"{called}: the images have fewer than two labels by their folders; {_by_names(rows['file'])}")
    require_common_labels(rows["label"].map(label_key, na_action="ignore"), rows["split"])
    return Located(given, PurePosixPath(called).name, rows=rows, images=intake.images, notes=intake.notes)
