"""A manifest as a remote store returns it: taken only where it is sealed, of the artifact asked for, and writes into
that artifact's own folder alone."""

import json
from pathlib import PurePosixPath
from typing import Any, cast

from ..artifact import FORMAT, content_digest, digest_text, seal
from ..documents import Manifest

PARTS = ("data", "records")


class Damaged(ValueError):
    """What the remote returned is not what was stored there; the message says what."""


def check_manifest(text: bytes, stage: str, key: str) -> Manifest:
    """The manifest in `text`. Raises Damaged."""
    try:
        manifest: dict[str, Any] = json.loads(text)
        manifest.pop("sha256")
        files = manifest["files"]
        intact = seal(cast(Manifest, manifest)) == text.decode() and (manifest["stage"], manifest["key"]) == (
            stage,
            key,
        )
        intact = intact and manifest["format"] == FORMAT and content_digest(files) == manifest["digest"]
        intact = intact and all(_is_inside(name) and _is_digest(entry["sha256"]) for name, entry in files.items())
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        intact = False
    if not intact:
        raise Damaged("its manifest")
    return cast(Manifest, manifest)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return path.parts[0] in PARTS and ".." not in path.parts and not path.is_absolute() and "\\" not in name


def _is_digest(text: Any) -> bool:
    return isinstance(text, str) and len(text) == len(digest_text("")) and set(text) <= set("0123456789abcdef")
