"""What advice recommends -> a recipe's file of its own, with the evidence as remarks."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from configs.literal import complete
from configs.load import RecipeError

from .recipe_edits import save, with_values
from .searched_recipe import Subject

if TYPE_CHECKING:
    from tasks.advice.advice_document import Advice

LONGEST = 118
"""Characters of a line of remarks."""


def require_new(path: Path) -> None:
    """Raise RecipeError where the file that is to be written is there, or its folder is not."""
    if path.exists():
        raise RecipeError(f"{path} exists, and is not written over; name another file behind -o")
    if not path.parent.is_dir():
        raise RecipeError(f"{path}: there is no folder {path.parent}")


def write_recommended(subject: Subject, advice: "Advice", path: Path) -> None:
    """Write the recipe with the recommended phases, and what speaks for them above. Raises RecipeError."""
    from tasks.advice.advice_page import remarks

    require_new(path)
    changes = [*subject.changes, *advice["changes"]]
    try:
        shutil.copyfile(subject.path, path)
        with_values(path, changes, "temper advise")
        text = path.read_bytes().decode()
        lines = text.splitlines(keepends=True)
        end = "\r\n" if "\r\n" in text else "\n"
        at = next(number for number, line in enumerate(lines) if not line.startswith("#"))
        above = [*(["#"] if at else []), *(f"# {_plain(line)}" for line in remarks(advice))]
        written = "".join([*lines[:at], *(f"{line}{end}" for line in above), *lines[at:]])
        save(path, written, complete(subject.with_values(advice["changes"])), "the evidence as remarks")
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _plain(line: str) -> str:
    """A remark that ends with its line: labels may hold anything."""
    from tasks.data.escape import visible

    text = visible(line)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
