"""How much is free at a place that may not be there yet."""

import shutil
from pathlib import Path


def existing(place: Path) -> Path:
    """The place, or the nearest folder above it that is there."""
    return next((path for path in (place, *place.parents) if path.exists()), Path("/"))


def free_at(place: Path) -> int:
    """Bytes that are free there for this user."""
    return shutil.disk_usage(existing(place)).free
