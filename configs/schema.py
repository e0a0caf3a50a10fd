"""The recipe's types: one frozen dataclass per section, unknown keys rejected, kinds distinguished by `kind`."""

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from .cleaning import Clean
from .evaluation import Evaluate, Register
from .expectations import Validate
from .fields import PLURAL, STRICT, refuse_unread
from .kinds import Encode, kinds, traits_of
from .names import RecipeName
from .schedule import Timetable
from .search import Search
from .sources import Source, added_rows, holds, kept_columns
from .splitting import HashSplit, Split, require_fit
from .training import Train

__all__ = ["Evaluate", "Recipe", "Register", "Train"]
PAIRS_ALONE = "without download.columns.text_pair"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Recipe:
    """One recipe: eight sections in the order of the pipeline, a name, and perhaps a schedule and a search."""

    name: RecipeName
    """Names the flow run and the MLflow experiment."""
    download: Source
    """Where the rows come from."""
    validate: Validate = Validate()
    """What has to hold of the raw rows; each expectation is checked and reported."""
    clean: Clean = Clean()
    """What is done to the rows, step by step."""
    split: Annotated[Split, Field(discriminator="kind")] = HashSplit()
    """How the rows are divided into train, validation and test."""
    encode: Encode
    """The kind of task, and how its rows become tensors."""
    train: Train
    """The model, and how it is trained."""
    evaluate: Evaluate = Evaluate()
    """How the test rows are scored."""
    register: Register
    """Under which name the model is registered, and when it becomes champion."""
    schedule: Timetable | None = None
    """When it runs by itself, once `temper up` serves it."""
    search: Search | None = None
    """Which settings `temper search` tries, and how."""

    @field_validator("split", mode="before")
    @classmethod
    def _split_kind(cls, value: Any) -> Any:
        return {"kind": "hash", **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _coherent(self) -> "Recipe":
        """What sections ask of one another; what one of them must be by itself is stated where it stands."""
        kind, traits = self.encode.kind, self.encode.traits
        content, truth = traits.content, traits.truth
        has, aim = holds(self.download)
        if has != content or (truth is not None and aim != truth):
            raise ValueError(
                f"encode.kind {kind} reads {_named(content, truth)}, but download gives {_named(has, aim)}"
            )
        self._check_pairs()
        self._check_added(aim)
        self.validate.require_fit(content, aim, getattr(self.encode, "label_words", None))
        self.clean.require_fit(content, aim)
        require_fit(self.split, content)
        self.train.require_fit(self.encode, self.split)
        kept = kept_columns(self.download)
        self.evaluate.require_fit(kind, traits, ("group", *kept))
        self.register.require_fit(kind, traits, ("label", "group", *kept))
        return self

    def _check_added(self, aim: str | None) -> None:
        """Raise ValueError where added rows would lack what the source's own have."""
        if not added_rows(self.download):
            return
        if (self.encode.traits.content, aim) != ("text", "label"):
            raise ValueError(
                f"download.extra adds texts with one label each, which encode.kind {self.encode.kind} does not read "
                "here; leave it out"
            )
        if kept := kept_columns(self.download):
            raise ValueError(f"download.extra: added rows have no column {kept[0]!r}; leave out download.columns.keep")

    def _check_pairs(self) -> None:
        """Raise ValueError for pairs of texts with a kind that reads one text, and for what only pairs read."""
        columns, kind = getattr(self.download, "columns", None), self.encode.kind
        if getattr(columns, "text_pair", None) is None:
            refuse_unread(self.evaluate, ("order_symmetry",), PAIRS_ALONE, "evaluate.")
            if self.encode.traits.pairs:
                refuse_unread(self.encode, ("truncation",), PAIRS_ALONE, "encode.")
        elif not self.encode.traits.pairs:
            fits = ", ".join(name for name in kinds() if traits_of(name).pairs)
            raise ValueError(
                f"encode.kind {kind} reads one text, but download.columns.text_pair names a second; leave "
                f"it out, or take encode.kind {fits}"
            )


def _named(content: str, aim: str | None) -> str:
    named = PLURAL[content]
    with_aim = f"{named} with {aim if aim in ('tags', 'labels') else f'a {aim}'} (download.columns)"
    if aim == "rejected":
        return f"{named} with a better and a worse reply (download.columns.chosen and rejected)"
    return named if aim is None or content == "messages" else with_aim
