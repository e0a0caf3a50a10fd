"""What is done to rows before they are split: `clean` in a recipe, an ordered list of named steps."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT, Positive, Share

Action = Literal["drop", "majority", "fail"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Unicode:
    """Unicode normalisation."""

    kind: Literal["unicode"]
    """This step."""
    form: Literal["NFC", "NFKC"] = "NFC"
    """Canonical (NFC) or compatible (NFKC: full-width letters, ligatures and the like become plain)."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Ftfy:
    """Mends text that was decoded with the wrong encoding (ftfy)."""

    kind: Literal["ftfy"]
    """This step."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Html:
    """Removes tags and resolves entities such as &amp;."""

    kind: Literal["html"]
    """This step."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Control:
    """Removes control characters (NUL too), soft hyphens, zero-width spaces and byte-order marks."""

    kind: Literal["control"]
    """This step."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Urls:
    """Replaces web addresses."""

    kind: Literal["urls"]
    """This step."""
    by: str = ""
    """What stands in their place."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Mentions:
    """Replaces @names."""

    kind: Literal["mentions"]
    """This step."""
    by: str = ""
    """What stands in their place."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Replace:
    """Replaces what a regular expression finds (Python's syntax)."""

    kind: Literal["replace"]
    """This step."""
    pattern: str
    """The regular expression."""
    by: str = ""
    """What stands in its place; \\1 is the first group."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Whitespace:
    """Cuts white space."""

    kind: Literal["whitespace"]
    """This step."""
    how: Literal["strip", "squeeze"] = "strip"
    """`strip` cuts both ends; `squeeze` also turns every run of white space into one space."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Lowercase:
    """Turns letters to lower case."""

    kind: Literal["lowercase"]
    """This step."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class StopWords:
    """Removes whole words, whatever their case."""

    kind: Literal["stop_words"]
    """This step."""
    language: str | None = None
    """ISO 639-1 code of a list that the package stopwordsiso brings, such as en."""
    words: tuple[str, ...] = ()
    """Further words."""

    @model_validator(mode="after")
    def _something(self) -> "StopWords":
        if self.language is None and not self.words:
            raise ValueError("stop_words needs `language` or `words`")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Missing:
    """Drops rows without a text (or image) or without a label; white space alone is no text."""

    kind: Literal["missing"]
    """This step."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Length:
    """Drops texts that are too short or too long."""

    kind: Literal["length"]
    """This step."""
    min: Annotated[int, Field(ge=0)] = 1
    """Shortest text kept."""
    max: Positive | None = None
    """Longest text kept; none for any."""
    unit: Literal["chars", "words"] = "chars"
    """What is counted."""

    @model_validator(mode="after")
    def _ordered(self) -> "Length":
        if self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Language:
    """Drops texts of other languages, as py3langid tells them."""

    kind: Literal["language"]
    """This step."""
    keep: Annotated[tuple[str, ...], Field(min_length=1)]
    """ISO 639-1 codes of the languages kept, such as [en]."""
    min_chars: Annotated[int, Field(ge=0)] = 20
    """Shorter texts are kept unasked: too little to tell."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Contradictions:
    """The same text under different labels."""

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
class NearDuplicates:
    """Drops all but the first of nearly equal texts (MinHash, then the exact Jaccard index of their shingles)."""

    kind: Literal["near_duplicates"]
    """This step."""
    similarity: Annotated[float, Field(ge=0.5, le=1)] = 0.8
    """Smallest Jaccard index of two texts that count as nearly equal."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LabelErrors:
    """Rows whose label is probably wrong, by confident learning (cleanlab) over cross-validated TF-IDF scores."""

    kind: Literal["label_errors"]
    """This step."""
    action: Literal["report", "drop"] = "report"
    """Only list them, or drop them."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Folds of the cross-validation."""
    seed: int = 0
    """Seeds the folds."""


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
    """Drops all but the first of images that look alike (difference hash)."""

    kind: Literal["perceptual_duplicates"]
    """This step."""
    distance: Annotated[int, Field(ge=0, le=16)] = 2
    """Largest number of differing bits, of 64, between two images that look alike."""


TextStep = (
    Unicode | Ftfy | Html | Control | Urls | Mentions | Replace | Whitespace | Lowercase | StopWords | Length | Language
    | Contradictions | NearDuplicates | LabelErrors
)  # fmt: skip
ImageStep = Unreadable | Mode | Size | PerceptualDuplicates
Step = Annotated[TextStep | ImageStep | Missing | Duplicates, Field(discriminator="kind")]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Clean:
    """What is done to rows, in order; each step is counted."""

    steps: tuple[Step, ...] | None = None
    """The steps; a step without keys may be one word. When absent, texts: unicode, whitespace, missing,
    contradictions, duplicates; images: unreadable, missing, duplicates."""
    max_dropped: Share = 0.5
    """Largest share of the rows that all steps together may drop before the run stops."""

    @field_validator("steps", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{"kind": step} if isinstance(step, str) else step for step in value]
