"""What a person names -> a table or images, and the source of a recipe that reads them.

A file, a folder, an archive, an address, `hub:owner/name[:subset]` or `torchvision:NAME`.
"""

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from configs.image_sources import ImagesSource, TorchvisionSource
from configs.sources import Columns, FileSource, HubSource, UrlSource

from ..data.errors import DataError
from ..data.label_variants import label_key
from ..data.sources import archives, hub
from ..data.sources.folders import IMAGE_ENDINGS, list_images
from ..data.sources.hub_rows import load_hub, take_rows
from ..data.sources.image_files import UNREAD, label_files, read_images
from ..data.sources.image_sets import IDX_FILES, read_image_set
from ..data.sources.image_tables import holds_images, likely_folder, names_images
from ..data.sources.pixel_arrays import NAMES, is_arrays
from ..data.sources.provenance import Intake, recipe_path
from ..data.sources.read import download, read_source, tables_among
from ..data.sources.tables import ENDINGS as TABLES
from ..data.sources.trees import folder_parts, read_tree
from ..data.sources.written import as_written, join_frames
from ..data.splitting import require_common_labels
from .table import choose_image_columns
from .text_folders import read_text_folder
from .unknown_files import read_unknown

SHOWN = 4
"""Names of a kind that are shown."""


@dataclass(frozen=True)
class Wish:
    """How a person helps: the pattern on the paths of images, the table in an archive, the name of a token, the column
    of the labels."""

    pattern: str | None = None
    member: str | None = None
    token: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Found:
    """A table, or the rows of images whose bytes lie in `images`; `source` reads it, `called` is how it is called."""

    source: Any
    called: str
    table: pd.DataFrame | None = None
    rows: pd.DataFrame | None = None
    images: Path | None = None
    notes: list[str] = field(default_factory=list)


def find(what: str, place: Path, intake: Intake, wish: Wish) -> Found:
    """Look at what is named; `place` is where it lies, if it is a file or folder. Raises DataError, ValueError."""
    kind, _, name = what.partition(":")
    if kind == "hub" and name:
        return _of_hub(name, intake, wish)
    if kind == "torchvision" and name:
        return _of_torchvision(TorchvisionSource(kind="torchvision", name=name), intake)  # type: ignore[arg-type]
    if kind in ("https", "http"):
        return _of_address(what, intake, wish)
    if not place.exists():
        raise DataError(f"{what}: no such file, here or below TEMPER_DATA")
    path = str(place)
    if place.is_dir() and _is_idx(place):
        return _of_torchvision(TorchvisionSource(kind="torchvision", name="MNIST", path=path), intake)
    if is_arrays(place):
        source = ImagesSource(kind="images", path=path)
        rows = read_images(source, place, intake)
        require_common_labels(rows["label"].map(label_key, na_action="ignore"), rows["split"])
        return Found(source, place.name, rows=rows, images=intake.images, notes=intake.notes)
    if place.suffix.lower() == ".npy" and place.is_file():
        raise DataError(f"{what}: one array; name the folder that holds an array of pixels and one of labels ({NAMES})")
    if place.is_dir():
        return _of_folder(place, what, intake, wish)
    if archives.is_archive(place.name):
        return _of_archive(FileSource(kind="file", path=path), place, what, intake, wish)
    return _of_table(place, what, intake, wish)


def _of_table(place: Path, called: str, intake: Intake, wish: Wish) -> Found:
    """A table, or the images that one of its columns names or holds."""
    table, source, notes = read_unknown(place)
    image = image_column(table)
    if image is None:
        return Found(source, place.name, table=table, notes=notes)
    folder = place.parent
    if names_images(table[image]):
        likely = likely_folder(table[image], place)
        first = table[image].dropna().iloc[0]
        if likely is None:
            raise DataError(f"{called}: the column {image!r} names image files, such as {first}, and "
                            f"none is there: relative paths start at {place.parent}; put the table where they "
                            "start, or set `images` in a recipe")  # fmt: skip
        folder = likely
    images = None if folder == place.parent else recipe_path(folder)
    source = replace(source, columns=choose_image_columns(table, image, called, wish.label), images=images)
    intake.note(f"the column {image!r} {'names' if names_images(table[image]) else 'holds'} image files")
    rows = read_source(source, intake)
    require_common_labels(rows["label"].map(label_key, na_action="ignore"), rows["split"])
    return Found(source, place.name, rows=rows, images=intake.images, notes=[*notes, *intake.notes])


def image_column(table: pd.DataFrame) -> str | None:
    """The first column that names image files or holds their bytes."""
    names = [name for name in table.columns if isinstance(name, str) and list(table.columns).count(name) == 1]
    return next((name for name in names if names_images(table[name]) or holds_images(table[name])), None)


def _of_folder(place: Path, called: str, intake: Intake, wish: Wish) -> Found:
    """Images by their folders; where these name no class, by the table among them that lists images."""
    has_images = any(name.lower().endswith(IMAGE_ENDINGS) for name, _ in list_images(place).read)
    if not has_images and not any(map(_lists_images, place.iterdir())):
        table, source, notes = read_text_folder(place, called, intake)
        return Found(source, place.name, table=table, notes=notes)
    try:
        if not has_images:
            raise DataError(f"{called}: a folder without images; name one table in it")
        return _of_images(ImagesSource(kind="images", path=str(place)), place, called, intake, wish)
    except DataError as error:
        tables = [] if wish.pattern else [path for path in sorted(place.iterdir()) if _lists_images(path)]
        if not tables:
            raise
        if len(tables) > 1:
            commands = "".join(f"\n  temper init {shlex.quote(str(Path(called, path.name)))}" for path in tables)
            raise DataError(f"{called}: {len(tables)} tables in it list images; choose one:{commands}") from error
    intake.notes.clear()
    return _of_table(tables[0], f"{called}/{tables[0].name}", intake, wish)


def _lists_images(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() not in TABLES:
        return False
    try:
        return image_column(read_unknown(path)[0]) is not None
    except DataError:
        return False


def _is_idx(folder: Path) -> bool:
    names = [name for pair in IDX_FILES.values() for name in pair]
    return all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in names)


def _of_hub(name: str, intake: Intake, wish: Wish) -> Found:
    """The commit that `main` stands for; every part in one table, which the column `split` names."""
    repo, _, subset = name.partition(":")
    source = HubSource(kind="hub", repo=repo, subset=subset or None, token=wish.token)
    token = None if wish.token is None else intake.secret(wish.token)
    source = replace(source, revision=hub.resolve(repo, source.revision, "dataset", token))
    parts = []
    folder, loaded = load_hub(replace(source, columns=Columns(image="image")), intake)  # with pictures, if it has some
    features, table = next(iter(loaded.values()))
    if pictures := [str(name) for name in table if _holds_pictures(table[name])]:
        label = next((name for name in (*features, "label") if name in table), None)
        if label is None:
            raise DataError(f"{repo}: images without a column of labels; the columns are {list(table.columns)}")
        source = replace(source, columns=Columns(image=pictures[0], label=label))
        return Found(
            source, repo.rpartition("/")[2], rows=take_rows(source, folder, loaded, intake), images=intake.images
        )
    for split, (features, table) in loaded.items():
        for column, feature in features.items():
            if names := getattr(feature, "names", None):
                spelt = {one: name for at, name in enumerate(names) for one in (str(at), name)}
                table[column] = as_written(table[column], repo, "download.columns.label").map(spelt)
        parts.append(table.assign(split=split))
    return Found(source, repo.rpartition("/")[2], table=join_frames(parts))


def _holds_pictures(column: pd.Series) -> bool:
    first = next(iter(column.dropna()), None)
    return isinstance(first, dict) and first.keys() == {"bytes", "path"}


def _of_torchvision(source: TorchvisionSource, intake: Intake) -> Found:
    rows = read_image_set(source, intake)
    return Found(source, source.name, rows=rows, images=intake.images, notes=intake.notes)


def _of_address(url: str, intake: Intake, wish: Wish) -> Found:
    """What is behind an address, with the checksum that it has now."""
    UrlSource(kind="url", url=url, sha256="0" * 64, token=wish.token)  # refused before it is asked
    path = download(url, "", wish.token, intake)
    sha256, name = str(intake.files[-1]["sha256"]), PurePosixPath(urlsplit(url).path).name or "file"
    source = UrlSource(kind="url", url=url, sha256=sha256, token=wish.token)
    path = path.rename(path.with_name(name))
    if archives.is_archive(name):
        return _of_archive(source, path, name, intake, wish)
    table, read, notes = read_unknown(path)
    return Found(_read_like(source, read), name, table=table, notes=notes)


def _of_archive(source: FileSource | UrlSource, path: Path, called: str, intake: Intake, wish: Wish) -> Found:
    """An archive of images where it holds more images than tables, else its table."""
    names = [member.name for member in archives.read_members(path)]
    known, tables = tables_among(names)
    if sum(name.lower().endswith(IMAGE_ENDINGS) for name in known) > len(tables) and wish.member is None:
        place = {"url": source.url, "sha256": source.sha256} if isinstance(source, UrlSource) else {"path": str(path)}
        images = ImagesSource(kind="images", token=wish.token, **place)
        return _of_images(images, path, called, intake, wish)
    if wish.member is None and len(tables) > 1:
        raise DataError(f"{called}: {len(tables)} tables in it: {', '.join(tables[:10])}; choose one with --member")
    wanted = archives.pick_members(path, known, wish.member, tables if tables else known)
    copies = archives.unpack(path, set(wanted[:1]).__contains__, intake.scratch / "unpacked")
    name = PurePosixPath(wanted[0]).name
    copy = copies[wanted[0]].rename(intake.scratch / "unpacked" / f"0{PurePosixPath(name).suffix}")
    table, read, notes = read_unknown(copy)
    member = wanted[0] if wish.member is not None else None
    return Found(replace(_read_like(source, read), member=member), called, table=table, notes=notes)


def _read_like(source: Any, read: FileSource) -> Any:
    """The source of the whole, which reads as was found of a copy."""
    how = {
        name: getattr(read, name)
        for name in ("format", "encoding", "header", "separator", "quoting", "escape", "pattern")
    }
    return replace(source, **how)


BY_NAME = r"(?:^|/)(?P<label>[^\W\d_]++)[^/]*+$"
"""The letters with which a file's name begins."""


def _by_names(files: "pd.Series[str]") -> str:
    """What to do where no folders name the classes: a pattern where the names of files seem to, else other places."""
    labels = files.str.extract(BY_NAME)["label"].dropna()
    counts = labels.value_counts()
    if 2 <= len(counts) <= len(files) / 2 and len(labels) > len(files) / 2:
        shown = ", ".join(f"{label} ({count:,})" for label, count in counts.head(SHOWN).items())
        return f"the names seem to hold them: --pattern '{BY_NAME}' reads {shown}"
    return (
        f"their names ({', '.join(files.head(SHOWN))}) hold none either: put the images of each class into a folder "
        "that is called like it, or write a table with the columns path and label beside them and give its name; where "
        "a part of the name is the class, say which with --pattern '(?P<label>…)'"
    )


def _of_images(source: ImagesSource, place: Path, called: str, intake: Intake, wish: Wish) -> Found:
    """By the pattern, else by folders, of which those that name a part give the split. Raises DataError where the
    folders can be read in several ways, and where parts share no label."""
    given = replace(source, pattern=wish.pattern)
    rows = read_images(given, place, intake)
    if wish.pattern is None and rows["file"].str.contains("/").any():
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
    return Found(given, PurePosixPath(called).name, rows=rows, images=intake.images, notes=intake.notes)
