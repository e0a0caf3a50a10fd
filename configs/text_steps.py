"""The steps of `clean` that are for texts."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT, Positive

UNSPACED = ("zh", "ja", "th", "lo", "km", "my")
"""Languages written without spaces between words."""
UNSPACED_LETTERS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Their letters, as ranges of a regular expression."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Unicode:
    """Unicode normalisation."""

    kind: Literal["unicode"]
    """This step."""
    form: Literal["NFC", "NFKC"] = "NFC"
    """Canonical (NFC) or compatible (NFKC: full-width letters, ligatures and the like become plain)."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Ftfy:
    """Fixes text that was decoded with the wrong encoding (ftfy); first of all steps, since others hide the traces."""

    kind: Literal["ftfy"]
    """This step."""
    needs: ClassVar[tuple[str, ...]] = ("ftfy",)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Html:
    """Removes HTML's tags and resolves entities such as &amp; once; breaks and blocks become line breaks."""

    kind: Literal["html"]
    """This step."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Control:
    """Removes control characters (NUL too), soft hyphens, zero-width spaces and byte-order marks; every kind of
    line end becomes a line feed."""

    kind: Literal["control"]
    """This step."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Urls:
    """Replaces web addresses that begin with http, https, ftp or www."""

    kind: Literal["urls"]
    """This step."""
    by: str = ""
    """What stands in their place."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Mentions:
    """Replaces @names; mail addresses stay."""

    kind: Literal["mentions"]
    """This step."""
    by: str = ""
    """What stands in their place."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Replace:
    """Replaces what a regular expression finds (Python's syntax)."""

    kind: Literal["replace"]
    """This step."""
    pattern: Annotated[str, Field(min_length=1)]
    """The regular expression."""
    by: str = ""
    """What stands in its place; \\1 is the first group."""

    @model_validator(mode="after")
    def _compiles(self) -> "Replace":
        try:
            compiled = re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"pattern {self.pattern!r} is no regular expression: {error}") from None
        try:
            compiled.sub(self.by, "")
        except (re.error, IndexError) as error:
            raise ValueError(f"by {self.by!r} does not fit pattern {self.pattern!r}: {error}") from None
        return self


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
    """Removes whole words, whatever their case, and the spaces behind them."""

    kind: Literal["stop_words"]
    """This step."""
    language: Annotated[str, Field(pattern="^[a-z]{2}$")] | None = None
    """ISO 639-1 code of a list that the package stopwordsiso brings, such as en; its phrases are left out."""
    words: tuple[str, ...] = ()
    """Further words."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Packages beyond the plain installation."""
        return () if self.language is None else ("stopwordsiso",)

    @model_validator(mode="after")
    def _words_with_bounds(self) -> "StopWords":
        if self.language is None and not self.words:
            raise ValueError("stop_words needs `language` or `words`")
        if self.language in UNSPACED:
            raise ValueError(f"{self.language} puts no spaces between words, so stop words cannot be recognised")
        for word in self.words:
            if re.search(rf"[{UNSPACED_LETTERS}]", word):
                raise ValueError(f"the script of {word!r} puts no spaces between words; use the step `replace`")
            if not re.fullmatch(r"\w[\w'’\u0300-\u036f]*", word):
                raise ValueError(f"{word!r} is not one word of letters, digits and apostrophes; use the step `replace`")
        return self


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
    """What is counted; words are what white space divides."""

    @model_validator(mode="after")
    def _ordered(self) -> "Length":
        if self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Language:
    """Drops texts of other languages, as py3langid identifies them."""

    kind: Literal["language"]
    """This step."""
    keep: Annotated[tuple[Annotated[str, Field(pattern="^[a-z]{2,3}$")], ...], Field(min_length=1)]
    """ISO 639-1 codes of the languages kept, such as [en]."""
    min_chars: Annotated[int, Field(ge=0)] = 20
    """Texts with fewer letters are kept unasked: too little to judge by."""
    needs: ClassVar[tuple[str, ...]] = ("py3langid",)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class NearDuplicates:
    """Drops all but the first of nearly equal texts (MinHash, then the exact Jaccard index of their shingles)."""

    kind: Literal["near_duplicates"]
    """This step."""
    similarity: Annotated[float, Field(ge=0.5, le=1)] = 0.8
    """Smallest Jaccard index of two texts that count as nearly equal."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LabelErrors:
    """Texts whose label is probably wrong, by confident learning (cleanlab) over cross-validated TF-IDF scores; after
    duplicates, since a copy in another fold would vouch for a wrong label."""

    kind: Literal["label_errors"]
    """This step."""
    action: Literal["report", "drop"] = "report"
    """Only list them, or drop those of the highest confidence."""
    below: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Dropped is a listed row whose given label has a smaller probability, predicted by a model that did not see it."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Folds of the cross-validation."""
    seed: int = 0
    """Seeds the folds."""
    needs: ClassVar[tuple[str, ...]] = ("cleanlab",)
