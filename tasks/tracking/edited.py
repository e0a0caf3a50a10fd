"""What people can change in MLflow by hand, read as what Temper wrote there: tags with numbers, JSON in a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mlflow.entities.model_registry import ModelVersion

from configs.kinds import kinds, present_kind

from ..artifact import StageError
from ..documents import SampleRow
from ..kinds.spec import open_kind

T = TypeVar("T")


def number_tag(version: ModelVersion, tag: str, convert: Callable[[str], T]) -> T:
    """A version's tag as the number that it holds. Raises StageError where it holds none."""
    text = str(version.tags[tag])
    try:
        return convert(text)
    except ValueError:
        raise StageError(
            f"{version.name} version {version.version}: its tag {tag} is {text!r}, not a number; correct or delete it "
            "in MLflow"
        ) from None


def json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a run. Raises OSError, and ValueError for a file that holds something else."""
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} is no JSON object")
    return value


def kind_and_scores(path: Path) -> tuple[str, dict[str, float]]:
    """What a report states of its model. Raises OSError, and ValueError where one is missing or of another type."""
    facts = json_object(path)
    kind, scores = facts.get("kind"), facts.get("scores")
    if not isinstance(kind, str) or present_kind(kind) not in kinds():
        raise ValueError(f"{path.name} names the kind {kind!r}, which there is not")
    if not isinstance(scores, dict) or not all(isinstance(score, int | float) for score in scores.values()):
        raise ValueError(f"the scores of {path.name} are not all numbers")
    return kind, scores


def sample_rows(path: Path, kind: str) -> list[SampleRow]:
    """The report's sample rows: what a model of this kind is given, and its prediction. Raises OSError, and ValueError
    for other rows."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    wanted = {open_kind(kind).traits.content, "answer"}
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) and wanted <= set(row) for row in rows):
        raise ValueError(f"{path.name} is no list of rows with {' and '.join(sorted(wanted))}")
    return rows
