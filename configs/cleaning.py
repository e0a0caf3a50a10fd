"""What is done to rows before they are split: `clean` in a recipe, an ordered list of named steps."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema, field_validator
from pydantic.dataclasses import dataclass

from .dialogue_steps import CutTrailingTurns, DialogueStep, DropEmptyTurns, MergeTurns
from .fields import PLURAL, STRICT, Positive, Share
from .literal import words
from .text_steps import (
    Control,
    Ftfy,
    Html,
    LabelErrors,
    Language,
    Length,
    Lowercase,
    Mentions,
    NearDuplicates,
    Replace,
    StopWords,
    Unicode,
    Urls,
    Whitespace,
)

__all__ = [
    "Clean",
    "Contradictions",
    "Control",
    "CutTrailingTurns",
    "DialogueStep",
    "DropEmptyTurns",
    "Duplicates",
    "Ftfy",
    "Html",
    "ImageStep",
    "LabelErrors",
    "Language",
    "Length",
    "Lowercase",
    "Mentions",
    "MergeTurns",
    "Missing",
    "Mode",
    "NearDuplicates",
    "PerceptualDuplicates",
    "Replace",
    "Size",
    "Step",
    "StopWords",
    "TextStep",
    "Unicode",
    "Unreadable",
    "Urls",
    "Whitespace",
]

Action = Literal["drop", "majority", "fail"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Missing:
    """Drops rows without a text (or image) or without a label; white space alone is no text."""

    kind: Literal["missing"]
    """This step."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Contradictions:
    """The same text (or image) under different labels."""

    kind: Literal["contradictions"]
    """This step."""
    action: Action = "drop"
    """Drop all such rows; keep those of the label that most rows have (none at a tie); or stop the run."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Duplicates:
    """Drops all but one of equal rows; a given test row wins over a validation row, that over a training row."""

    kind: Literal["duplicates"]
    """This step."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Unreadable:
    """Drops images that cannot be decoded to their last byte."""

    kind: Literal["unreadable"]
    """This step."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Mode:
    """Drops images of other pixel modes."""

    kind: Literal["mode"]
    """This step."""
    keep: Annotated[tuple[str, ...], Field(min_length=1)] = ("RGB", "L")
    """Pillow's names of the modes kept."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Size:
    """Drops images that are too small."""

    kind: Literal["size"]
    """This step."""
    min_side: Positive = 16
    """Shortest side kept, in pixels."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PerceptualDuplicates:
    """Drops all but the first of photographs that look alike (difference hash, imagehash); not for images of letters
    or digits: at distance 2 it takes half of the handwritten Chinese numerals for one another, and no ant for a bee."""

    kind: Literal["perceptual_duplicates"]
    """This step."""
    distance: Annotated[int, Field(ge=0, le=8)] = 2
    """Largest number of differing bits, of 64, between two images that look alike."""
    needs: ClassVar[tuple[str, ...]] = ("imagehash",)


TextStep = (
    Unicode
    | Ftfy
    | Html
    | Control
    | Urls
    | Mentions
    | Replace
    | Whitespace
    | Lowercase
    | StopWords
    | Length
    | Language
    | NearDuplicates
    | LabelErrors
)
ChangingStep = Unicode | Ftfy | Html | Control | Urls | Mentions | Replace | Whitespace | Lowercase | StopWords
"""Steps that change texts, so that what is tagged in them would stand elsewhere."""
ImageStep = Unreadable | Mode | Size | PerceptualDuplicates
Step = Annotated[
    TextStep | ImageStep | DialogueStep | Missing | Contradictions | Duplicates, Field(discriminator="kind")
]

Word = Annotated[str, WithJsonSchema({"enum": words(Step)})]
"""A step without keys."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Clean:
    """What is done to rows, in order; each step is counted."""

    steps: tuple[Step, ...] | None = None
    """The steps; a step without keys may be one word. When absent, texts: unicode, whitespace, missing,
    contradictions, duplicates; images: unreadable, missing, duplicates."""
    max_dropped: Share = 0.5
    """Largest share of the rows that all steps together may drop before the run stops."""

    @field_validator("steps", mode="before", json_schema_input_type=tuple[Step | Word, ...] | None)
    @classmethod
    def _words(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{"kind": step} if isinstance(step, str) else step for step in value]

    def require_fit(self, content: str, aim: str | None) -> None:
        """Raise ValueError where a step is for other rows than of texts, dialogues (`messages`) or images, and where
        one changes texts in which places are tagged, or compares labels that they have not, or not one each."""
        kinds = {step.kind: wanted(step) for step in self.steps or ()}
        odd = {kind: wants for kind, wants in kinds.items() if wants not in (None, content)}
        if odd:
            raise ValueError(
                f"clean.steps has {', '.join(odd)}, for {PLURAL[min(odd.values())]}, but the recipe is "
                f"about {PLURAL[content]}; take it out"
            )
        shorter = [step.kind for step in self.steps or () if isinstance(step, DialogueStep)]
        if aim == "rejected" and shorter:
            raise ValueError(
                f"clean.steps has {', '.join(shorter)}, but of a prompt with two replies only one dialogue would "
                "change; change the turns in the source, and take it out"
            )
        if aim == "labels" and "label_errors" in kinds:
            raise ValueError("clean.steps has label_errors, which needs one label per row (columns.label); take it out")
        odd_tags = [step.kind for step in self.steps or () if isinstance(step, ChangingStep | LabelErrors)]
        if aim == "tags" and odd_tags:
            raise ValueError(
                f"clean.steps has {', '.join(odd_tags)}, but tags name places of the texts as they are: a "
                "step may drop such texts and not change them; take it out"
            )

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages of the extra `clean` that the steps need."""
        return tuple(sorted({name for step in self.steps or () for name in getattr(step, "needs", ())}))


def wanted(step: Any) -> str | None:
    """The content that a step is for; None where any will do."""
    if isinstance(step, DialogueStep):
        return "messages"
    return "text" if isinstance(step, TextStep) else "image" if isinstance(step, ImageStep) else None
