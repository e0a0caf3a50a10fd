"""Mutable sources are pinned before they enter a key: branches to commits, local files to their sha256."""

from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from configs import (
    backbones,
    encodings,
    image_sources,
    models,
    preference_encodings,
    sources,
    teacher,
    timm_weights,
    tools,
    weights,
)
from configs.literal import literal
from configs.precision import settled
from configs.settings import settings

from .data.errors import DataError
from .data.sources.digests import digest_expected, digest_marked, digest_once, digest_tree
from .data.sources.folders import is_system, list_images, walk_files
from .data.sources.pretrained import require_digests
from .data.sources.provenance import Intake
from .data.sources.revisions import Secret, commit_of
from .output import environment_secret
from .store.pin_table import PinTable, pin_table

S = TypeVar("S")


def pin(section: S, *, ask: bool, secret: Secret = environment_secret) -> tuple[S, object]:
    """The section with commits for revisions and the precision of this machine, and its literal values with bytes for
    places.

    With `ask` the Hub is asked what a branch stands for now; without, the last answer counts. Raises Unpinned
    when there is none, DataError when a local file or a revision does not exist. `secret` turns a name into a token.
    """
    with pin_table() as table:
        pinned: tuple[S, object] = _pin(settled(section), table, secret if ask else None)
        return pinned


def _pin(value: Any, table: PinTable, ask: Secret | None) -> tuple[Any, Any]:
    plain = literal(value)
    match value:
        case sources.HubSource() | models.HubTokenizer() | models.HubModel():
            commit = commit_of(value, table, ask)
            return replace(value, revision=commit), {**_without(plain, "revision", "token"), "commit": commit}
        case models.LocalTokenizer() | models.LocalModel():
            files = _folder(settings().source(value.path), table, value.gguf)
            require_digests(files, value.digests, value.path)
            return value, {**_without(plain, "path", "sha256"), "files": files}
        case models.RegisteredTokenizer() | models.RegisteredModel():
            from .tracking.models import model_folder

            folder = model_folder(value.name, value.version)
            kind = models.LocalModel if isinstance(value, models.RegisteredModel) else models.LocalTokenizer
            return kind(kind="files", path=str(folder)), {"kind": "registered", "files": _folder(folder, table)}
        case teacher.Teacher():
            from .tracking.models import version_number

            numbered = [replace(model, version=version_number(model.name, model.version)) for model in value.models]
            held = [_pin(model, table, ask)[1] for model in numbered]
            return replace(value, models=tuple(numbered)), {**plain, "models": held}
        case tools.HotelTable() | tools.TableAnswer() | tools.ToolFile():
            from .data.dialogues.hotels import demo_table

            path = demo_table() if value.path is None else settings().source(value.path)
            return value, {**_without(plain, "path"), "sha256": digest_once(path, table)}
        case encodings.DialogueEncode() | preference_encodings.PreferenceEncode() if (
            value.template not in encodings.TEMPLATES
        ):
            section, plain = _pin_fields(value, plain, table, ask)
            return section, {**plain, "template": digest_once(settings().source(value.template), table)}
        case backbones.Torchvision() | backbones.CifarResnet() | backbones.Timm() if value.file is not None:
            digest = digest_once(settings().source(value.file), table)
            require_digests({value.file: digest}, {value.file: value.sha256 or digest}, value.file)
            return value, {**_without(plain, "file"), "sha256": digest, **digest_expected(value.expect, table)}
        case backbones.Torchvision() if value.weights != "none":
            best = weights.published(value.name, value.weights)
            kept = {**_without(plain), **digest_expected(value.expect, table)}
            return replace(value, weights=best.enum), {**kept, "weights": [best.enum, best.file]}
        case backbones.Timm() if value.weights != "none":
            best, commit = timm_weights.published(value.name, value.weights), commit_of(value, table, ask)
            named = replace(value, weights=best.enum, revision=commit)
            kept = {**_without(plain, "revision"), **digest_expected(value.expect, table)}
            return named, {**kept, "weights": [best.enum, best.file], "commit": commit}
    literal_values = _bytes_of(value, plain, table)
    return _pin_fields(value, plain, table, ask) if literal_values is None else (value, literal_values)


def _bytes_of(value: Any, plain: Any, table: PinTable) -> object:
    """The literal values of a source of files with bytes in the stead of places; None for all else."""
    from .data.files import embedded_files, find_files

    match value:
        case sources.FileSource():
            plain.pop("path")
            plain.pop("images", None)
            return {**plain, **_tables(value, table)}
        case sources.CrosswozSource() | sources.SgdSource():
            parts = {name: getattr(value, name, None) for name in ("train", "validation", "test", "hotels", "schemas")}
            given = {name: find_files(paths) for name, paths in parts.items() if paths is not None}
            return {**plain, **{name: [digest_once(path, table) for path in part] for name, part in given.items()}}
        case sources.ClassFilesSource():
            files = [[name, _texts(settings().source(path), table)] for name, path in value.places]
            return {**plain, "files": files} | _parts(value, (path for _, path in value.places))
        case sources.UrlSource():
            del plain["url"]
            plain.pop("token", None)
            paths = [urlsplit(url).path for url, _ in value.places]
            formats = [value.format or _ending(path) for path in paths]
            return {**plain, **_parts(value, paths), "format": formats[0] if len(paths) == 1 else formats}
        case image_sources.ImagesSource():
            return _images(value, plain, table)
        case image_sources.TorchvisionSource():
            return _image_set(value, plain, table)
        case sources.EmbeddedSource():
            held = [digest_once(path, table) for path in embedded_files(value)]
            return {**plain, "sha256": held[0] if len(held) == 1 else held}
    return None


def _pin_fields(value: Any, plain: Any, table: PinTable, ask: Secret | None) -> tuple[Any, Any]:
    if not is_dataclass(value):
        return value, plain
    changed = {}
    for field in fields(value):
        part = getattr(value, field.name)
        if is_dataclass(part):
            changed[field.name], plain[field.name] = _pin(part, table, ask)
        elif isinstance(part, tuple) and any(map(is_dataclass, part)):
            plain[field.name] = [_pin(item, table, ask)[1] for item in part]
    return replace(value, **changed) if changed else value, plain  # type: ignore[type-var]


def _without(plain: Any, *names: str) -> dict[str, object]:
    """Literal values without these, and without what a recipe states about a licence."""
    return {name: value for name, value in plain.items() if name not in (*names, "licence")}


def _texts(place: Path, table: PinTable) -> Any:
    """sha256 of a text file, or of each in a folder, by name."""
    from .data.sources.class_files import list_texts

    return [digest_once(path, table) for path in list_texts(place)] if place.is_dir() else digest_once(place, table)


def _folder(folder: Path, table: PinTable, only: str | None = None) -> dict[str, str]:
    """Name -> sha256 of the files in a folder, or of `only` one of them."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; relative paths start at the setting TEMPER_DATA")
    if only is not None:
        return {only: digest_once(folder / only, table)}
    return {path.name: digest_marked(path, table) for path in sorted(folder.iterdir()) if path.is_file()}


def _tables(value: sources.FileSource, table: PinTable) -> dict[str, object]:
    """Format and sha256 of the one file, or of each in order."""
    from .data.files import find_files

    paths = find_files(value.path)
    tables = [[value.format or _ending(path.name), digest_once(path, table)] for path in paths]
    content = {"format": tables[0][0], "sha256": tables[0][1]} if len(tables) == 1 else {"files": tables}
    listed = {} if value.columns.image is None else {"images": _listed(value, paths, table)}
    return content | _parts(value, map(str, paths)) | listed


def _listed(value: sources.FileSource, paths: list[Path], table: PinTable) -> str:
    """Digest of the image files that tables list, by the names in the tables; of none where they hold the bytes."""
    from tempfile import TemporaryDirectory

    from .data.sources.image_tables import image_folders, listed_images
    from .data.sources.read import open_tables

    with TemporaryDirectory() as scratch:
        tables = open_tables({str(path): path for path in paths}, value, Intake(Path(scratch)))
    files = sorted(listed_images(tables, str(value.columns.image), image_folders(tables, value)))
    return digest_tree(Path(f"{paths[0]}: {value.columns.image}"), files, table)


def _parts(
    value: sources.FileSource | sources.UrlSource | sources.ClassFilesSource, paths: Iterable[str]
) -> dict[str, object]:
    """What of the files' names gives the split, where it does: the last folder and the name."""
    return {"names": ["/".join(path.split("/")[-2:]) for path in paths]} if value.split_files else {}


def _ending(name: str) -> str:
    """What of a name gives the format: the ending, and the one before it where that only says how it is packed."""
    from .data.sources.archives import SINGLE

    suffixes = Path(name).suffixes
    return "".join(suffixes[-2:] if name.lower().endswith(SINGLE) else suffixes[-1:]).lower()


def _images(value: image_sources.ImagesSource, plain: dict[str, object], table: PinTable) -> dict[str, object]:
    """Bytes for places; of a folder one digest over the paths inside and the sha256 of each file."""
    from .data.sources.image_files import image_place

    for name in ("path", "url", "token"):
        plain.pop(name, None)
    if value.url is not None:
        return plain
    place = image_place(value)
    from .data.sources.pixel_arrays import array_files, is_arrays

    if not place.is_dir():
        return {**plain, "sha256": digest_once(place, table)}
    files = [(path.name, path) for path in array_files(place)] if is_arrays(place) else list_images(place).read
    return {**plain, "sha256": digest_tree(place, files, table)}


def _image_set(value: image_sources.TorchvisionSource, plain: dict[str, object], table: PinTable) -> dict[str, object]:
    """torchvision's own checksums stand for what it downloads; of a folder the files that are read count."""
    if plain.pop("path", None) is None:
        return plain
    from .data.sources.image_sets import IDX, IDX_FILES, idx_file

    folder = settings().source(str(value.path))
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; relative paths start at the setting TEMPER_DATA")
    if value.name not in IDX:
        files = [(name, path) for name, path in walk_files(folder) if not is_system(name)]
        return {**plain, "sha256": digest_tree(folder, files, table)}
    paths = [idx_file(folder, name) for pair in IDX_FILES.values() for name in pair]
    return {**plain, "files": [digest_once(path, table) for path in paths]}
