"""What a person names -> a table or images, and the source of a recipe that reads them.

A file, a folder, an archive, an address, `hub:owner/name[:subset]` or `torchvision:NAME`.
"""

import shlex
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from configs.image_sources import ImagesSource, TorchvisionSource
from configs.sources import Columns, FileSource, HubSource, UrlSource

from ..data.errors import DataError
from ..data.label_variants import label_key
from ..data.sources import archives, hub
from ..data.sources.archived_tables import parts_by_name, tables_among, unpack_tables
from ..data.sources.class_files import TEXT
from ..data.sources.folders import IMAGE_ENDINGS, list_images
from ..data.sources.hub_rows import load_hub, take_rows
from ..data.sources.image_files import read_images
from ..data.sources.image_sets import IDX_FILES, read_image_set
from ..data.sources.image_tables import holds_images, identify_images, likely_folder, names_images
from ..data.sources.member_names import pick_members
from ..data.sources.pixel_arrays import NAMES, is_arrays
from ..data.sources.provenance import Intake, recipe_path
from ..data.sources.read import download, read_source
from ..data.sources.tables import ENDINGS as TABLES
from ..data.sources.written import as_written, join_frames
from ..data.splitting import require_common_labels
from .image_folders import locate_images
from .located import Hints, Located
from .table import choose_image_columns
from .text_folders import read_text_folder, read_together
from .unknown_files import read_unknown


def find(what: str, place: Path, intake: Intake, hints: Hints) -> Located:
    """Inspect what is named; `place` is where it lies, if it is a file or folder. Raises DataError, ValueError."""
    kind, _, name = what.partition(":")
    if kind == "hub" and name:
        return _of_hub(name, intake, hints)
    if kind == "torchvision" and name:
        return _of_torchvision(TorchvisionSource(kind="torchvision", name=name), intake)  # type: ignore[arg-type]
    if kind in ("https", "http"):
        return _of_address(what, intake, hints)
    if not place.exists():
        raise DataError(f"{what}: no such file, here or below TEMPER_DATA")
    path = str(place)
    if place.is_dir() and _is_idx(place):
        return _of_torchvision(TorchvisionSource(kind="torchvision", name="MNIST", path=path), intake)
    if is_arrays(place):
        source = ImagesSource(kind="images", path=path)
        rows = read_images(source, place, intake)
        require_common_labels(rows["label"].map(label_key, na_action="ignore"), rows["split"])
        return Located(source, place.name, rows=rows, images=intake.images, notes=intake.notes)
    if place.suffix.lower() == ".npy" and place.is_file():
        raise DataError(f"{what}: one array; name the folder that holds an array of pixels and one of labels ({NAMES})")
    if place.is_dir():
        return _of_folder(place, what, intake, hints)
    if archives.is_archive(place.name):
        return _of_archive(FileSource(kind="file", path=path), place, what, intake, hints)
    return _of_table(place, what, intake, hints)


def _of_table(place: Path, called: str, intake: Intake, hints: Hints) -> Located:
    """A table, or the images that one of its columns names or holds."""
    table, source, notes = read_unknown(place)
    if image_column(table, place) is None:
        return Located(source, place.name, table=table, notes=notes)
    return _of_index(table, Located(source, called, notes=notes), place, intake, hints)


def _of_index(table: pd.DataFrame, read: Located, place: Path, intake: Intake, hints: Hints) -> Located:
    """The images that a table lists; `place`: the table, or the first of several that were read together."""
    image = str(image_column(table, place))
    folder = place.parent
    named = not holds_images(table[image])
    if named:
        likely = likely_folder(table[image], place)
        first = table[image].dropna().iloc[0]
        if likely is None:
            raise DataError(
                f"{read.called}: the column {image!r} names image files, such as {first}, and "
                f"none is there: relative paths start at {place.parent}; put the table where they "
                "start, or set `images` in a recipe"
            )
        folder = likely
    images = None if folder == place.parent else recipe_path(folder)
    source = replace(read.source, columns=choose_image_columns(table, image, read.called, hints.label), images=images)
    intake.note(f"the column {image!r} {'names' if named else 'holds'} image files")
    rows = read_source(source, intake)
    require_common_labels(rows["label"].map(label_key, na_action="ignore"), rows["split"])
    name = PurePosixPath(read.called).name
    return Located(source, name, rows=rows, images=intake.images, notes=[*read.notes, *intake.notes])


def image_column(table: pd.DataFrame, place: Path) -> str | None:
    """The first column that names image files, with their endings or without, or holds their bytes; `place`: the table
    itself, near which names without endings must be those of files."""
    names = [name for name in table.columns if isinstance(name, str) and list(table.columns).count(name) == 1]
    stated = (name for name in names if names_images(table[name]) or holds_images(table[name]))
    return next(stated, None) or next((name for name in names if identify_images(table[name], place)), None)


def _of_folder(place: Path, called: str, intake: Intake, hints: Hints) -> Located:
    """Images by their folders; where these name no class, by the table among them that lists images."""
    has_images = any(name.lower().endswith(IMAGE_ENDINGS) for name, _ in list_images(place).read)
    if not has_images and not any(map(_lists_images, place.iterdir())):
        table, source, notes = read_text_folder(place, called, intake)
        return Located(source, place.name, table=table, notes=notes)
    try:
        if not has_images:
            raise DataError(f"{called}: a folder without images; name one table in it")
        return locate_images(ImagesSource(kind="images", path=str(place)), place, called, intake, hints)
    except DataError as error:
        tables = [] if hints.pattern else [path for path in sorted(place.iterdir()) if _lists_images(path)]
        if not tables:
            raise
        if len(tables) > 1 and (parts := _parts_of(tables, called)):
            intake.notes.clear()
            return _of_index(*parts, tables[0], intake, hints)
        if len(tables) > 1:
            commands = "".join(f"\n  temper init {shlex.quote(str(Path(called, path.name)))}" for path in tables)
            raise DataError(f"{called}: {len(tables)} tables in it list images; choose one:{commands}") from error
    intake.notes.clear()
    return _of_table(tables[0], f"{called}/{tables[0].name}", intake, hints)


def _parts_of(tables: list[Path], called: str) -> tuple[pd.DataFrame, Located] | None:
    """Tables as one, and the source of all, where their names give the split; else none."""
    together = read_together({path.name: path for path in tables})
    if together is None or not together[1].split_files:
        return None
    table, read, notes = together
    source = replace(read, path=tuple(map(recipe_path, tables)))
    return table.iloc[:, :-1], Located(source, called, notes=notes)  # without the parts' own column


def _lists_images(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() not in (*TABLES, TEXT):
        return False
    try:
        return image_column(read_unknown(path)[0], path) is not None
    except DataError:
        return False


def _is_idx(folder: Path) -> bool:
    names = [name for pair in IDX_FILES.values() for name in pair]
    return all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in names)


def _of_hub(name: str, intake: Intake, hints: Hints) -> Located:
    """The commit that `main` stands for; every part in one table, which the column `split` names."""
    repo, _, subset = name.partition(":")
    source = HubSource(kind="hub", repo=repo, subset=subset or None, token=hints.token)
    token = None if hints.token is None else intake.secret(hints.token)
    source = replace(source, revision=hub.resolve(repo, source.revision, "dataset", token))
    parts = []
    folder, loaded = load_hub(replace(source, columns=Columns(image="image")), intake)  # with pictures, if it has some
    features, table = next(iter(loaded.values()))
    if pictures := [str(name) for name in table if _holds_pictures(table[name])]:
        label = next((name for name in (*features, "label") if name in table), None)
        if label is None:
            raise DataError(f"{repo}: images without a column of labels; the columns are {list(table.columns)}")
        source = replace(source, columns=Columns(image=pictures[0], label=label))
        return Located(
            source, repo.rpartition("/")[2], rows=take_rows(source, folder, loaded, intake), images=intake.images
        )
    for split, (features, table) in loaded.items():
        for column, feature in features.items():
            if names := getattr(feature, "names", None):
                spelt = {spelling: name for at, name in enumerate(names) for spelling in (str(at), name)}
                table[column] = as_written(table[column], repo, "download.columns.label").map(spelt)
        parts.append(table.assign(split=split))
    return Located(source, repo.rpartition("/")[2], table=join_frames(parts))


def _holds_pictures(column: pd.Series) -> bool:
    first = next(iter(column.dropna()), None)
    return isinstance(first, dict) and first.keys() == {"bytes", "path"}


def _of_torchvision(source: TorchvisionSource, intake: Intake) -> Located:
    rows = read_image_set(source, intake)
    return Located(source, source.name, rows=rows, images=intake.images, notes=intake.notes)


def _of_address(url: str, intake: Intake, hints: Hints) -> Located:
    """What is behind an address, with the checksum that it has now."""
    UrlSource(kind="url", url=url, sha256="0" * 64, token=hints.token)  # refused before it is asked
    path = download(url, "", hints.token, intake)
    sha256, name = str(intake.files[-1]["sha256"]), PurePosixPath(urlsplit(url).path).name or "file"
    source = UrlSource(kind="url", url=url, sha256=sha256, token=hints.token)
    path = path.rename(path.with_name(name))
    if archives.is_archive(name):
        return _of_archive(source, path, name, intake, hints)
    table, read, notes = read_unknown(path)
    return Located(_read_like(source, read), name, table=table, notes=notes)


def _of_archive(source: FileSource | UrlSource, path: Path, called: str, intake: Intake, hints: Hints) -> Located:
    """An archive of images where it holds more images than tables, else its table."""
    names = [member.name for member in archives.read_members(path)]
    known, tables = tables_among(names)
    if sum(name.lower().endswith(IMAGE_ENDINGS) for name in known) > len(tables) and hints.member is None:
        place = {"url": source.url, "sha256": source.sha256} if isinstance(source, UrlSource) else {"path": str(path)}
        images = ImagesSource(kind="images", token=hints.token, **place)
        return locate_images(images, path, called, intake, hints)
    if hints.member is None and not tables and any(name.lower().endswith(TEXT) for name in known[1:]):
        raise DataError(f"{called}: {len(known):,} files, no table; unpack it and give the folder of the texts")
    parts = parts_by_name(tables)
    if hints.member is None and len(tables) > 1 and parts is None:
        raise DataError(f"{called}: {len(tables)} tables in it: {', '.join(tables[:10])}; choose one with --member")
    wanted = tables if hints.member is None and parts else pick_members(path, known, hints.member, tables or known)
    copies = unpack_tables(path, wanted, intake.scratch / "unpacked")
    named = {
        name: copy.rename(copy.with_name(f"{number}.table{PurePosixPath(name).suffix}"))
        for number, (name, copy) in enumerate(copies.items())
    }
    together = read_together(named)
    if together is None:
        raise DataError(
            f"{called}: {len(named)} tables in it differ in columns or form: {', '.join(list(named)[:10])}; "
            "choose one with --member"
        )
    table, read, notes = together
    for name, copy in named.items():
        notes = [note.replace(copy.name, name) for note in notes]
    member = hints.member if hints.member is not None else tuple(wanted) if len(wanted) > 1 else None
    source = replace(_read_like(source, read), member=member, split_files=read.split_files)
    return Located(source, called, table=table, notes=notes)


def _read_like(source: Any, read: FileSource) -> Any:
    """The source of the whole, which reads as was found of a copy."""
    how = {
        name: getattr(read, name)
        for name in ("format", "encoding", "header", "separator", "quoting", "escape", "pattern")
    }
    return replace(source, **how)
