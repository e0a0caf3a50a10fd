"""What a stage's output depends on, and the key that follows from it."""

import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

from ..artifact import FORMAT, Artifact, canonical, digest_text
from ..documents import Identity
from .code import differences, versions
from .code_table import reached_code
from .disk import newest_manifests

MOVED = 5
"""So many modules that are no longer among a stage's code are a change of the project's layout."""
COMPARED = 50
"""So many of a stage's latest artifacts are inspected for the nearest one."""


def identity(
    modules: Sequence[str], values: object, inputs: Mapping[str, Artifact], libraries: tuple[str, ...]
) -> Identity:
    """Section values, digests of the upstream files that are opened, reachable code, library versions.

    modules: the stage's own, and those of its recipe's kind that it opens by name, which no import shows.
    """
    code, libraries_used = reached_code(*modules)
    return {
        "format": FORMAT,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "section": values,
        "inputs": {name: opened_digests(artifact) for name, artifact in inputs.items()},
        "code": code,
        "libraries": {**libraries_used, **versions(set(libraries))},
    }


def opened_digests(artifact: Artifact) -> dict[str, str]:
    """sha256 of each upstream data file that the stage declares to open."""
    files = artifact.manifest()["files"]
    names = {name.removeprefix("data/"): entry["sha256"] for name, entry in files.items() if name.startswith("data/")}
    return {
        name: sha256 for name, sha256 in names.items() if any(fnmatchcase(name, pattern) for pattern in artifact.opened)
    }


def key_of(identity: Identity) -> str:
    """The key: 32 hex digits of the identity's sha256."""
    return digest_text(canonical(identity))[:32]


def what_changed(root: Path, stage: str, identity: Identity) -> list[str]:
    """How an identity differs from the nearest one that was computed here, the latest among equals.

    A stage without inputs reads a source; one of another kind is another recipe's, not an earlier form of it.
    """
    known = [manifest["identity"] for manifest in islice(newest_manifests(root, stage), COMPARED)]
    if not identity["inputs"]:
        known = [before for before in known if _kind(before) == _kind(identity)]
    if not known:
        return ["never computed here"]
    return min((_differences(before, identity) for before in known), key=len)


def _kind(identity: Identity) -> object:
    """The kind that a section names, if it names one."""
    section = identity["section"]
    return section.get("kind") if isinstance(section, Mapping) else None


def _differences(before: Identity, now: Identity) -> list[str]:
    """Differences of two identities; where modules have other places, that alone stands for all of the code."""
    changes = differences(before, now)
    if len(before["code"].keys() - now["code"].keys()) < MOVED:
        return changes
    return [*(change for change in changes if not change.startswith("code.")), "layout"]
