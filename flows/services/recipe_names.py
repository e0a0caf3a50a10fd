"""Recipes that are run by hand: a name is one file's, since one MLflow experiment holds all trainings of a name."""

import sys
from pathlib import Path

from configs.load import RecipeError, load_recipe
from configs.settings import settings
from tasks.artifact import read_plain
from tasks.data.escape import terminal
from tasks.store.disk import remove, write_synced


def say_shared_name(path: Path, name: str) -> None:
    """Report where the recipe first run under this name on this home is another file that still has it."""
    record, here = settings().mlruns / "recipes" / f"{name}.path", path.absolute()
    first = noted(record)
    if first == here:
        return
    if first is not None and _has(first, name):
        note = f"note: {first} has the name {name} too, so the trainings of both stand in one MLflow experiment"
        print(terminal(f"{note}; give {path} another `name`"), file=sys.stderr, flush=True)
        return
    record.parent.mkdir(parents=True, exist_ok=True)
    if not record.is_file():
        remove(record)
    write_synced(record, str(here).encode("utf-8", "backslashreplace").decode())


def noted(record: Path) -> Path | None:
    """The recipe that a note names; None where there is no note, or what lies there is none."""
    try:
        text = read_plain(record)
    except (OSError, ValueError):
        return None
    return Path(text) if text.startswith("/") and text.isprintable() else None


def _has(file: Path, name: str) -> bool:
    try:
        return file.exists() and load_recipe(file).name == name
    except (RecipeError, OSError):
        return False
