"""How rows are divided into train, validation and test: `split` in a recipe."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT, Positive, Share, refuse_unread

Similarity = Annotated[float, Field(ge=0.5, le=1)]
NearCopies = Literal["drop", "report", "keep"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HashSplit:
    """Rows are split by a hash of their text, or of their group: a row never moves when rows are added."""

    kind: Literal["hash"] = "hash"
    """This kind of split."""
    by: Literal["row", "group"] = "row"
    """`group` keeps rows with the same value of `columns.group` together."""
    seed: int = 0
    """Enters the hash: another seed, another split."""
    train: Share = 0.8
    """Share of training rows."""
    validation: Share = 0.1
    """Share of validation rows; 0 for none."""
    test: Share = 0.1
    """Share of test rows."""
    exact: bool = False
    """Exact shares per label (gives up stability when rows are added)."""
    near_copies: NearCopies = "drop"
    """Near-copies of test rows in train and validation, and of validation rows in train: drop them there, only
    report them, or do not look."""
    similarity: Similarity = 0.8
    """Smallest Jaccard index (of character shingles) of two texts that count as near-copies."""
    train_rows: Positive | None = None
    """Most training rows, whole groups where the split keeps groups together: those with the smallest hashes, so that
    fewer rows are always part of more; the others are dropped and counted. For learning curves. When absent all."""

    @model_validator(mode="after")
    def _sum(self) -> "HashSplit":
        if abs(self.train + self.validation + self.test - 1) > 1e-9 or not (self.train and self.test):
            raise ValueError("train + validation + test must be 1, with train and test above 0")
        if self.exact and self.by == "group":
            raise ValueError("exact shares cannot be had with by: group; set exact: false")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TimeSplit:
    """Training rows are older than validation rows, these older than test rows (by `columns.time`)."""

    kind: Literal["time"]
    """This kind of split."""
    test_from: datetime
    """Rows from this moment on are test rows; with a fixed moment no row moves when rows are added."""
    validation_from: datetime | None = None
    """Rows from this moment on, and before `test_from`, are validation rows; none for no validation rows."""
    near_copies: NearCopies = "drop"
    """As in kind hash."""
    similarity: Similarity = 0.8
    """As in kind hash."""
    train_rows: Positive | None = None
    """As in kind hash."""

    @property
    def validation(self) -> Literal["given", "none"]:
        """Whether there is a validation part."""
        return "none" if self.validation_from is None else "given"

    @model_validator(mode="after")
    def _ordered(self) -> "TimeSplit":
        moments = [moment for moment in (self.validation_from, self.test_from) if moment is not None]
        if len({moment.tzinfo is None for moment in moments}) > 1:
            raise ValueError("give both moments a time zone, or neither")
        if self.validation_from is not None and self.validation_from >= self.test_from:
            raise ValueError("validation_from must be before test_from")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class GivenSplit:
    """The source's own split."""

    kind: Literal["given"]
    """This kind of split."""
    validation: Literal["given", "none"] | Annotated[float, Field(gt=0, lt=1)] = "given"
    """Whether the source has a validation part; a share where it has none and one is to be cut out of its training
    rows by hash, of rows or, where the source has groups, of groups."""
    near_copies: NearCopies = "report"
    """As in kind hash: what leaks between the given parts is measured and reported; `drop` fixes it."""
    similarity: Similarity = 0.8
    """As in kind hash."""
    train_rows: Positive | None = None
    """As in kind hash."""


Split = HashSplit | TimeSplit | GivenSplit


def require_fit(split: Split, content: str) -> None:
    """Raise ValueError where a split reads what images do not have."""
    if split.near_copies == "keep":
        refuse_unread(split, ("similarity",), "with near_copies: keep", "split.")
    pictures = content == "image"
    if pictures and split.kind == "time":
        raise ValueError("split.kind time goes by a column of a table, which images do not have; use hash or given")
    if pictures and split.similarity != type(split).similarity:
        raise ValueError("split.similarity is read only for texts: copies of images are those of equal bytes")
