"""What must hold of the raw rows: `validate` in a recipe."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT, Positive, Share

Severity = Literal["fail", "quarantine", "warn"]
Rule = Literal["labels", "chars", "missing", "duplicates"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Expectation:
    """One expectation of Great Expectations, by its own name and arguments."""

    expect: Annotated[str, Field(pattern=r"^expect_[a-z_]+$")]
    """Its name, such as expect_column_values_to_match_regex."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Its arguments, such as {column: text, regex: "^[^<]*$", mostly: 0.99}."""
    severity: Severity = "fail"
    """What happens where it does not hold: the run stops, the rows that break it leave, or it is said."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Validate:
    """What must hold of the raw rows; a row set that breaks one of these stops the run."""

    labels: tuple[str, ...] | None = None
    """The label set, in the order of class ids; when absent, the labels found, sorted."""
    min_rows: Positive = 10
    """Fewest rows."""
    min_chars: Annotated[int, Field(ge=0)] = 1
    """Shortest text, in characters."""
    max_chars: Positive = 20_000
    """Longest text, in characters."""
    max_missing: Share = 0.05
    """Largest share of rows without a text or without a label."""
    max_duplicates: Share = 0.1
    """Largest share of rows whose text stands in an earlier row."""

    @model_validator(mode="after")
    def _consistent(self) -> "Validate":
        if self.labels is not None and (len(set(self.labels)) != len(self.labels) or len(self.labels) < 2):
            raise ValueError(f"labels must be two or more different names, got {list(self.labels)}")
        if self.min_chars > self.max_chars:
            raise ValueError(f"min_chars {self.min_chars} is above max_chars {self.max_chars}")
        return self
