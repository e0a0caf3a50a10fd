"""Recipes that are run by hand: a name is one file's, since one MLflow experiment holds all trainings of a name."""

import sys
from pathlib import Path

from configs.load import RecipeError, load_recipe
from configs.settings import settings
from tasks.data.escape import terminal


def say_shared_name(path: Path, name: str) -> None:
    """Report where the recipe first run under this name on this home is another file that still has it."""
    record, here = settings().mlruns / "recipes" / f"{name}.path", path.absolute()
    first = Path(record.read_text(encoding="utf-8")) if record.exists() else None
    if first == here:
        return
    if first is not None and _has(first, name):
        note = f"note: {first} has the name {name} too, so the trainings of both stand in one MLflow experiment"
        print(terminal(f"{note}; give {path} another `name`"), file=sys.stderr, flush=True)
        return
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(str(here), encoding="utf-8")


def _has(file: Path, name: str) -> bool:
    try:
        return file.exists() and load_recipe(file).name == name
    except (RecipeError, OSError):
        return False
