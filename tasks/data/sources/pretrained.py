"""Pretrained files that a recipe names: whether they have the digests it states, and whose they are."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs.packages import PREFIX, about
from configs.settings import settings

from ...artifact import digest_file
from ..errors import DataError
from . import hub
from .provenance import recipe_name

RECORD = "pretrained.json"
"""Name, among a stage's records, of what is known of the pretrained files that it read."""
FILES = ("files", "torchvision", "cifar_resnet", "timm")
"""Kinds of source that name files."""
WORDS = {
    "source": "starts from",
    "package": "package",
    "package_licence": "its licence:",
    "licence": "as the recipe states:",
}


def require_digests(present: Mapping[str, str], wanted: Mapping[str, str], where: str) -> None:
    """Raise DataError, naming both digests, unless each wanted file is there with its sha256."""
    for name, digest in wanted.items():
        if name not in present:
            raise DataError(f"{where}: has no {name}, whose sha256 the recipe states")
        if present[name] != digest:
            raise DataError(
                f"{where}: {name} has sha256 {present[name]}, and the recipe states {digest}; nothing of it was loaded"
            )


def check_files(folder: Path, wanted: Mapping[str, str], where: str) -> None:
    """Hash those files of a folder that a recipe states a sha256 of, before they are read. Raises DataError."""
    require_digests({name: digest_file(folder / name) for name in wanted if (folder / name).is_file()}, wanted, where)


def pretrained_folder(source: Any, patterns: tuple[str, ...]) -> Path:
    """The folder of a model or tokenizer of kind files or hub; from the Hub the files that fit `patterns` are fetched.

    Raises DataError, also where a file has not the sha256 that the recipe states.
    """
    if source.kind == "files":
        folder, name = settings().source(source.path), source.path
    else:
        wanted = patterns if source.gguf is None else (source.gguf,)
        folder, name = hub.fetch(hub.Snapshot(source.repo, source.revision, "model"), wanted), source.repo
    check_files(folder, source.digests, name)
    return folder


def provenance(source: Any) -> dict[str, str]:
    """Where a recipe's model or tokenizer comes from, by name; empty where it starts from nothing published.

    source; for an installed package its version and the licence that it states itself; `licence`, as the recipe
    states it. No path of this machine.
    """
    source = getattr(source, "source", source)  # of a CLIP
    where = _where(source)
    if where is None:
        return {}
    known = {"source": where}
    place = getattr(source, "path", None) or getattr(source, "file", None) or ""
    if place.startswith(PREFIX):
        package = about(place)
        known |= {"package": f"{package.name} {package.version}", "package_licence": package.licence}
    if licence := getattr(source, "licence", None):
        known["licence"] = licence
    return known


def _where(source: Any) -> str | None:
    if getattr(source, "weights", "none") != "none":
        return f"{source.kind} {source.name}, weights {source.weights}"
    if source is None:  # images have no tokenizer
        return None
    if source.kind == "hub":
        return f"{source.repo}@{source.revision}"
    place = getattr(source, "path", None) or getattr(source, "file", None)
    if place is None or source.kind not in FILES:
        return None
    named = str(place) if place.startswith(PREFIX) else recipe_name(settings().source(place))
    return "/".join(part for part in (named, getattr(source, "gguf", None)) if part)


def keep_provenance(source: Any, records: Path) -> str:
    """Write what is known of a source's files as RECORD, and give it as a line of markdown; empty for new ones."""
    known = provenance(source)
    if not known:
        return ""
    (records / RECORD).write_text(json.dumps(known, ensure_ascii=False, indent=1), encoding="utf-8")
    return f"- {in_words(known)}"


def in_words(known: Mapping[str, str]) -> str:
    """What a RECORD states, in a line."""
    return "; ".join(f"{WORDS[name]} {value}" for name, value in known.items())
