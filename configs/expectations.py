"""What must hold of the raw rows: `validate` in a recipe."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .fields import PLURAL, STRICT, Positive, Share, refuse_unread

Severity = Literal["fail", "quarantine", "warn"]
Rule = Literal[
    "labels", "label_variants", "chars", "nuls", "missing", "turns", "duplicates", "imbalance", "splits", "secrets"
]

USUAL: dict[Rule, Severity] = {"imbalance": "warn", "splits": "warn", "secrets": "warn"}
"""Severities of the rules that do not stop a run unless the recipe states it."""
OF_ROWS: tuple[Rule, ...] = ("labels", "chars", "nuls", "missing", "turns", "secrets")
"""Rules that single rows break; the others concern all rows together."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Expectation:
    """One expectation of Great Expectations, by its own name and arguments."""

    expect: Annotated[str, Field(pattern=r"^expect_[a-z_]+$")]
    """Its name, such as expect_column_values_to_match_regex."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Its arguments, such as {column: text, regex: "^[^<]*$", mostly: 0.99}."""
    severity: Severity = "fail"
    """What happens where it does not hold: the run stops, the rows that break it leave, or it is reported.

    `mostly` decides whether it holds; under `quarantine` every row that breaks it leaves, whether or not it holds.
    """
    name: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    """What tables and the ledger call it; when absent what it expects, in words."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Validate:
    """What must hold of the raw rows: what fails stops the run, what is in quarantine leaves, the rest is reported."""

    labels: tuple[str, ...] | None = None
    """The label set, in the order of class ids; when absent, the labels found, sorted."""
    distinct_labels: tuple[Annotated[tuple[str, ...], Field(min_length=2)], ...] = ()
    """Groups of labels that are meant to differ though they look like spellings of one: `[[A, a], [B, b]]`. Others
    that are equal but for Unicode form, case, white space, invisible characters or the form of a number or truth value
    stop the run (rule `label_variants`)."""
    min_rows: Positive = 10
    """Fewest rows."""
    min_chars: Annotated[int, Field(ge=0)] = 1
    """Shortest text, in characters."""
    max_chars: Positive = 20_000
    """Longest text, in characters."""
    max_missing: Share = 0.05
    """Largest share of rows without a text (or image) or without a label."""
    max_duplicates: Share = 0.1
    """Largest share of rows whose text (or image) stands in an earlier row."""
    max_imbalance: Annotated[float, Field(ge=1)] = 20.0
    """Most rows of the commonest label for one row of the rarest."""
    max_split_shift: Share = 0.1
    """Largest difference of a label's share between two given splits, beyond what chance explains."""
    tools: dict[str, tuple[str, ...]] | None = None
    """Tools that dialogues may call, with the arguments each takes; when absent any will do."""
    severity: dict[Rule, Severity] = Field(default_factory=dict)
    """What breaking a rule means; when absent `fail`, for imbalance, splits and secrets `warn`.

    `turns` is what a dialogue must be: roles in turn, results behind calls, known arguments, no empty turn, one that
    the model learns from. With `quarantine` (labels, chars, nuls, missing, turns) every row that breaks the rule
    leaves; a class without rows still stops the run. With `labels: warn` it does not, and further labels join the
    label set, behind the named ones.
    """
    expectations: tuple[Expectation, ...] = ()
    """Further expectations of Great Expectations. A text of white space alone counts as missing."""
    max_quarantined: Share = 0.1
    """Largest share of rows that may leave under quarantine; more stop the run."""

    @model_validator(mode="after")
    def _consistent(self) -> "Validate":
        if self.labels is not None and (len(set(self.labels)) != len(self.labels) or len(self.labels) < 2):
            raise ValueError(f"labels must be two or more different names, got {list(self.labels)}")
        if self.min_chars > self.max_chars:
            raise ValueError(f"min_chars {self.min_chars} is above max_chars {self.max_chars}")
        for rule, severity in self.severity.items():
            if severity == "quarantine" and rule not in OF_ROWS:
                raise ValueError(
                    f"severity.{rule}: quarantine needs a rule that single rows break ({', '.join(OF_ROWS)}); "
                    f"{rule} concerns all rows together" + _FIXES.get(rule, "; use fail or warn")
                )
        if self.labels is None and self.severity.get("labels") == "quarantine":
            raise ValueError("severity.labels: quarantine needs `labels`, else every label found belongs to the set")
        return self

    def require_fit(self, content: str, aim: str | None, words: Mapping[str, str] | None) -> None:
        """Raise ValueError for rules that rows of this content (text, messages, image) and aim (label, labels, target
        or none) have not, and for a label set that is not the one which the encoding has words for."""
        for wants, names, rules in _OF_ROWS_WITH:
            if not {*wants} & {content, aim}:
                without = " of several labels" if aim == "labels" else " without labels"
                when = f"with {PLURAL[content]}" + (without if "label" in wants else "")
                refuse_unread(self, names, when, "validate.")
                for rule in rules:
                    if rule in self.severity:
                        raise ValueError(f"validate.severity.{rule} is not read {when}; leave it out")
        if words is not None and self.labels is not None and set(words) != set(self.labels):
            raise ValueError(f"encode.label_words names {sorted(words)}, validate.labels {sorted(self.labels)}")

    def severity_of(self, rule: Rule) -> Severity:
        """What breaking a rule means."""
        return self.severity.get(rule, USUAL.get(rule, "fail"))


_OF_ROWS_WITH: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[Rule, ...]], ...] = (
    (("text",), ("min_chars", "max_chars"), ("chars", "nuls")),
    (("text", "messages"), (), ("secrets",)),
    (("messages",), ("tools",), ("turns",)),
    (("label", "labels"), ("labels",), ("labels",)),
    (("label", "labels", "tags"), ("distinct_labels",), ("label_variants",)),
    (("label",), ("max_imbalance", "max_split_shift"), ("imbalance", "splits")),
)
"""Contents and aims with the fields and the rules that are read for them alone."""
_FIXES: dict[Rule, str] = {"duplicates": "; use warn, and let `clean` drop the copies"}
