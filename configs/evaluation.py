"""How a model is judged and what becomes of it: `evaluate` and `register` in a recipe."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from .encodings import Traits
from .fields import STRICT, Positive, refuse_unread
from .names import ModelName
from .scores import Score, refuse_both_names


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Evaluate:
    """How the test rows are scored, once per model."""

    batch_size: Positive = 32
    """Rows in one forward pass."""
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    """Resamples behind each interval."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Coverage of the intervals."""
    baselines: (
        tuple[Literal["majority", "tfidf", "centroid", "nearest", "mean", "dictionary", "reference", "longer"], ...]
        | None
    ) = None
    """What the model is compared with: the commonest label or token; TF-IDF with logistic or ridge regression (texts);
    the nearest class mean (images); the answer to the most similar history or text (dialogues, seq2seq); the mean
    (regression); the entities of training rows wherever they stand (token_classification); which reply the reference
    model finds likelier, or which is longer (preference). When absent, what fits."""
    max_new_tokens: Positive = 256
    """Longest turn or target that the model generates, in tokens (dialogues, seq2seq)."""
    written: Positive | None = None
    """Test rows for which the model generates, drawn by the seed; when absent all (dialogues, seq2seq)."""
    slices: tuple[str, ...] = ()
    """Columns (`group`, or one that the rows keep) for each value of which calls are compared with the baselines by a
    paired test (dialogues)."""
    worst: Annotated[int, Field(ge=0)] = 10
    """How many of the most confident mistakes are shown."""
    order_symmetry: bool = False
    """Whether each test pair is scored in the other order too, and what changes is reported (pairs of texts)."""
    seed: int = 0
    """Seeds the bootstrap."""

    def require_fit(self, kind: str, traits: Traits, sliced: Sequence[str]) -> None:
        """Raise ValueError where an option is not read, a baseline is none, or a column is not kept, with this kind."""
        if kind != "dialogue":
            refuse_unread(self, ("slices",), f"with encode.kind: {kind}", "evaluate.")
        if odd := [name for name in self.slices if name not in sliced]:
            raise ValueError(
                f"evaluate.slices has {odd[0]!r}, but the rows keep {', '.join(sliced)}; "
                "name it in download.columns.keep"
            )
        if not traits.generates:
            refuse_unread(self, ("max_new_tokens", "written"), f"with encode.kind: {kind}", "evaluate.")
        for baseline in self.baselines or ():
            if baseline not in traits.baselines:
                raise ValueError(
                    f"evaluate.baselines: {baseline} is none for encode.kind {kind}; take of "
                    f"{', '.join(traits.baselines)}"
                )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Register:
    """Where the model goes and what it must reach to become champion."""

    model: ModelName
    """Name in the MLflow registry."""
    metric: Score = "accuracy"
    """The test score on which champion and challenger meet."""
    thresholds: Annotated[dict[Score, float], BeforeValidator(refuse_both_names)] = Field(default_factory=dict)
    """Test scores that a champion must reach; of those that are better when lower, must not exceed."""
    rule: Literal["better", "not_worse"] = "better"
    """What a paired test on the same test rows must state about it against the champion."""
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    """How much worse than the champion is still not worse (rule not_worse), in the unit of `metric`."""
    slices: dict[str, Positive] = Field(default_factory=dict)
    """Columns (`label`, `group`, or one that download keeps) in no value of which the model may be worse than the
    champion by more than chance, each with the smallest number of test rows at which a value is judged."""

    @model_validator(mode="after")
    def _coherent(self) -> "Register":
        if (self.rule == "not_worse") != (self.tolerance > 0):
            problem = "needs a tolerance above 0" if self.rule == "not_worse" else "reads no tolerance"
            raise ValueError(f"rule {self.rule} {problem}; say `rule: not_worse` with a tolerance, or leave both out")
        return self

    def require_fit(self, kind: str, traits: Traits, sliced: Sequence[str]) -> None:
        """Raise ValueError for a score that models of this kind of encoding have not, and a column that is not kept."""
        if odd := [name for name in self.slices if name not in sliced]:
            raise ValueError(
                f"register.slices has {odd[0]!r}, but the rows keep {', '.join(sliced)}; "
                "name it in download.columns.keep"
            )
        for name in (self.metric, *self.thresholds):
            if name not in traits.scores:
                raise ValueError(
                    f"register has {name}, but models of encode.kind {kind} are judged by {', '.join(traits.scores)}"
                )
