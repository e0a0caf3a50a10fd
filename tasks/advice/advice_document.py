"""The JSON document of advice: measures, the race, the recommendation, and where they were logged."""

from typing import NotRequired, TypedDict


class Score(TypedDict):
    """A value and the ends of its interval, None where there is none."""

    value: float
    low: float | None
    high: float | None


class Measures(TypedDict):
    """How well frozen features explain labels. rows: training rows measured; width: of the features; each `chance` is
    the mean over shuffled labels. leep is None where the weights came without a head; leep_of_shares: of a head that
    knows nothing; majority: accuracy of the commonest training class."""

    rows: int
    width: int
    logme: float
    logme_chance: float
    h_score: float
    h_score_shrunk: float
    h_score_chance: float
    h_score_most: int
    source_classes: int | None
    leep: float | None
    leep_of_shares: float
    probe: Score
    probe_strength: float
    majority: float


class Result(TypedDict):
    """A candidate in a round. value: of the objective, None where it failed, for `reason`."""

    candidate: str
    value: float | None
    accuracy: float | None
    seconds: float
    key: str
    reason: str


class Round(TypedDict):
    """One round of the race."""

    epochs: int
    results: list[Result]


class Gain(TypedDict):
    """How much better the best scores than `over`, with its interval; decided: whether that lies above 0.
    rows_needed: about how many validation rows would decide it, None where they do or none would."""

    over: str
    mean: float
    low: float | None
    high: float | None
    decided: bool
    rows_needed: int | None


class Advice(TypedDict):
    """All of it. per_class: training rows by label; changes: what the recommendation changes in the recipe, as
    section.key=value; full: all candidates with the recipe's own epochs, where that was asked for."""

    recipe: str
    objective: str
    confidence: float
    seed: int
    training_rows: int
    validation_rows: int
    per_class: dict[str, int]
    measures: Measures
    rounds: list[Round]
    best: str
    gain: Gain | None
    changes: list[str]
    would_change: list[str]
    full: Round | None
    full_best: str | None
    mlflow_run_id: NotRequired[str]
    artifacts: NotRequired[str]
