"""How many rows each stage will take: counted where they are cached, else from earlier runs, else from the source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from configs.image_sources import ImagesSource
from configs.settings import settings
from configs.sources import ClassFilesSource, EmbeddedSource, FileSource
from configs.stages import WITH_ROWS

from .three_numbers import Range, exactly

if TYPE_CHECKING:
    from configs.schema import Recipe
    from tasks.artifact import Artifact
    from tasks.store.measurements import Measurement

EMBEDDED = {"reviews": 670, "all_reviews": 1819, "digits": 1797}
"""Rows of the sets that come with Temper."""
DIALOGUES = 100
"""About so many rows do the embedded sets of dialogues have, and of pairs that are cut out of them."""
UNKNOWN = Range(500, 10_000, 200_000)
"""Rows of a source of which nothing is known before it is downloaded."""
BYTES = (1500.0, 200.0, 40.0)
"""Bytes of a row in local text files: low, expected and high count of rows follow."""
KEPT = (0.7, 0.98, 1.0)
"""Share of rows that a stage keeps."""
SAME = (0.9, 1.0, 1.1)
"""Rows of a stage as in the recipe's last run, which may have grown since."""
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Rows:
    """stages: rows that each stage with a ledger takes; parts: rows of each part as they are encoded. guessed: whether
    the source's size is a guess."""

    stages: Mapping[str, Range]
    parts: Mapping[str, Range]
    guessed: bool = False


def forecast_rows(recipe: "Recipe", cached: "Mapping[str, Artifact]", past: "Sequence[Measurement]") -> Rows:
    """Rows by stage and part. past: measurements of this machine."""
    last = {line.stage: line.work for line in past if line.recipe == recipe.name}
    rows, guessed = _source(recipe, last)
    stages: dict[str, Range] = {}
    for stage in WITH_ROWS:
        known = stage in cached
        if stage in last and not known and not any(name in cached for name in WITH_ROWS[: WITH_ROWS.index(stage)]):
            rows = exactly(last[stage]).times(*SAME)
        stages[stage] = rows
        if known:
            rows = exactly(cached[stage].manifest()["rows"]["out"])
        elif stage != "download":
            rows = rows.times(*KEPT)
    return Rows(stages, _parts(recipe, cached, rows), guessed and "download" not in cached)


def _parts(recipe: "Recipe", cached: "Mapping[str, Artifact]", rows: Range) -> dict[str, Range]:
    """Of encoded parts their rows; else shares of the rows that are expected."""
    if "encode" in cached:
        from tasks.measured import part_rows

        return {part: exactly(part_rows(cached["encode"], part)) for part in PARTS}
    given: Any = recipe.split
    usual = {"train": 0.8, "validation": 0.1, "test": 0.1}
    parts = {}
    for part in PARTS:
        share = getattr(given, part, usual[part])
        parts[part] = rows.scaled(share) if isinstance(share, float) else rows.scaled(usual[part]).times(0.3, 1, 3)
    most = getattr(given, "train_rows", None)
    if most is not None:
        parts["train"] = Range(*(min(count, most) for count in _three(parts["train"])))
    return parts


def _three(item: Range) -> tuple[float, float, float]:
    return item.low, item.expected, item.high


def _source(recipe: "Recipe", last: Mapping[str, float]) -> tuple[Range, bool]:
    """Rows of the source, and whether that is a guess."""
    source: Any = recipe.download
    if "download" in last:
        return exactly(last["download"]).times(*SAME), False
    match source:
        case EmbeddedSource():
            return exactly(EMBEDDED.get(source.name, DIALOGUES)), False
        case FileSource() if source.columns.image is None:
            size = sum(_bytes(path) for path in ([source.path] if isinstance(source.path, str) else source.path))
        case ClassFilesSource():
            size = sum(_bytes(path) for _, path in source.places)
        case ImagesSource() if isinstance(source.path, str):
            return _images(source.path)
        case _:
            return UNKNOWN, True
    return (Range(*(size / each for each in BYTES)), False) if size else (UNKNOWN, True)


def _bytes(path: str) -> int:
    """Bytes of a file, of a folder's files, or of the files that fit a pattern; 0 where there are none."""
    place = settings().source(path)
    files = [place] if place.is_file() else place.rglob("*") if place.is_dir() else place.parent.glob(place.name)
    return sum(file.stat().st_size for file in files if file.is_file())


def _images(path: str) -> tuple[Range, bool]:
    folder = settings().source(path)
    count = sum(1 for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
    return (Range(count * 0.5, count, count), False) if count else (UNKNOWN, True)
