"""The JSON documents of `temper trace` and `temper data`: one row's way through the stages, and the rows of each."""

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

if TYPE_CHECKING:
    from tasks.data.cleaning.report import StepCounts


class End(TypedDict):
    """Where a row is now; stage and reason of a dropped one."""

    state: str
    stage: NotRequired[str]
    reason: NotRequired[str]


class Other(TypedDict):
    """Another row, with its raw text (or file)."""

    id: str
    content: str


class Copy(Other):
    """A near-copy of the row: the part that it is in, and how similar it is."""

    part: str | None
    similarity: float


class Checks(TypedDict):
    """The expectations that the row breaks."""

    quarantined: list[str]
    warned: list[str]


Cleaned = TypedDict(
    "Cleaned",
    {
        "text": str | None,
        "text_pair": NotRequired[str],
        "changed": bool,
        "repeats": list[Other],
        "listed by": list[str],
    },
)
"""What cleaning made of the row; `listed by`: the steps that list it."""
Placed = TypedDict("Placed", {"part": str, "because of": str, "near-copy of": list[Copy]})
"""The part that the row is in, and what decided it."""
Encoded = TypedDict(
    "Encoded",
    {
        "pixels": NotRequired[str],
        "tokens": NotRequired[list[str]],
        "ids": NotRequired[list[int]],
        "labels": NotRequired[list[int]],
        "cut": NotRequired[int],
        "by_turn": NotRequired[bool],
        "class": str,
    },
)
"""An image's size, or a text's tokens, and the class of either; empty where there is none."""
Answer = TypedDict(
    "Answer",
    {
        "predicted": NotRequired[str],
        "p": NotRequired[float],
        "told": NotRequired[Mapping[str, object]],
        "written": NotRequired[list[str]],
        "from": NotRequired[str],
    },
)
"""A class and its probability, columns by name, or turns; and from where. Empty where nothing is trained."""


class Way(TypedDict):
    """The stages that the row reached."""

    id: str
    number: int
    end: End
    source: str
    raw: Mapping[str, str | int | float | bool]
    validate: NotRequired[Checks]
    clean: NotRequired[Cleaned]
    split: NotRequired[Placed]
    encode: NotRequired[Encoded]
    answer: NotRequired[Answer]


StageRows = TypedDict("StageRows", {"stage": str, "in": int, "kept": int, "dropped": int})
"""Rows of a stage."""


class RowCounts(TypedDict):
    """Rows over the stages; steps: those of clean; reasons: why rows were dropped; labels: rows of each in every part;
    warnings: expectations that do not hold and do not stop a run."""

    raw: int
    parts: dict[str, int]
    dropped: int
    stages: list[StageRows]
    steps: "list[StepCounts]"
    warnings: list[dict[str, str]]
    reasons: list[dict[Hashable, Any]]
    labels: list[dict[Hashable, Any]]
