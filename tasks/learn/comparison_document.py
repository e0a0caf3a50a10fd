"""The JSON document of a comparison: numbers, as comparison.json has them, and where they were logged."""

from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict

Bounds = Mapping[str, float]
"""`mean`, and the ends of its interval, `low` and `high`; or percentiles by name."""


class TrainingScore(TypedDict):
    """One training of a recipe; the run is there once it is logged."""

    seed: int
    accuracy: float
    mlflow_run_id: NotRequired[str]


class RecipeScore(TypedDict):
    """One recipe over its trainings; spread: the standard deviation over seeds. A model that stands has no trainings.

    bytes: of the model's files; milliseconds: by the rows of a batch p50 and p95, where they were measured.
    """

    name: str
    accuracy: Bounds
    spread: float
    trainings: list[TrainingScore]
    bytes: NotRequired[int]
    milliseconds: NotRequired[Mapping[str, Bounds]]


class PairScore(TypedDict):
    """One recipe against another (see paired.py)."""

    recipe: str
    against: str
    difference: Bounds
    p: float
    p_holm: float
    gained: int
    lost: int
    verdict: Literal["helped", "hurt", "undecided"]


class Comparison(TypedDict):
    """The numbers of comparison.json; groups: how many units the rows are."""

    rows: int
    groups: int
    confidence: float
    recipes: list[RecipeScore]
    pairs: list[PairScore]


class Logged(Comparison):
    """With the run in MLflow, the address of its artifacts, and the tracking store."""

    mlflow_run_id: str
    artifacts: str
    tracking_uri: str


class Compared(Logged):
    """With how many trainings were done, and how many were cached."""

    trained: int
    cached: int
