"""Which artifacts a search needs until it is over: a file per study below the store, a line per artifact.

Only the last runs of a recipe keep their artifacts for good, and each trial is a run: the first trials of a search that
goes on over weeks would be deleted, and the interrupted one with its checkpoints.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.settings import settings

from ..artifact import Artifact
from . import disk

FOLDER = "searches"


@dataclass(frozen=True)
class Begun:
    """A search that is not over: its study, the file of its recipe, and stage and key of each artifact."""

    study: str
    recipe: Path
    artifacts: tuple[tuple[str, str], ...]
    path: Path

    @property
    def abandoned(self) -> bool:
        """Whether nobody can go on with it, since its recipe's file is gone."""
        return not self.recipe.is_file()


def begin(study: str, recipe: Path, artifacts: Sequence[Artifact]) -> None:
    """Note that a search begins, or goes on, and what all its trials share. Raises OSError."""
    path = _path(study)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.write_synced(path, f"{json.dumps(str(recipe.absolute()))}\n")
    for artifact in artifacts:
        record(study, artifact.stage, artifact.key)


def record(study: str, stage: str, key: str) -> None:
    """Note what a search needs from now on, whether it is made yet or not. Raises OSError."""
    with _path(study).open("a", encoding="ascii") as handle:
        handle.write(f"\n{stage} {key}\n")  # behind a line that a kill cut, too


def end(study: str) -> None:
    """The search is over: its artifacts stay as long as those of other runs."""
    _path(study).unlink(missing_ok=True)


def begun(root: Path) -> Iterator[Begun]:
    """Every search that is not over; a file that names no recipe is that of none."""
    for path in sorted((root / FOLDER).glob("*")):
        if path.is_file() and not path.name.endswith(".new"):  # half written
            first, *lines = path.read_text(encoding="ascii", errors="replace").split("\n")
            used = tuple((words[0], words[1]) for words in map(str.split, lines) if len(words) == 2)
            yield Begun(path.name, _recipe(first), tuple(dict.fromkeys(used)), path)


def _recipe(line: str) -> Path:
    try:
        return Path(str(json.loads(line)))
    except ValueError:
        return Path()


def _path(study: str) -> Path:
    return settings().store / FOLDER / study
