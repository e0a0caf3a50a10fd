"""Published sets of dialogues with calls of tools: `download` in a recipe, in the form in which they are published."""

from typing import ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from .fields import STRICT, Paths, Positive

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CrosswozSource:
    """Dialogues about hotels, cut out of CrossWOZ's files, with the searches that the assistant made."""

    kind: Literal["crosswoz"]
    """This kind of source."""
    train: Paths
    """CrossWOZ's file or files (.json, or .json.zip) whose dialogues are for training; relative paths start at
    TEMPER_DATA."""
    test: Paths
    """The file or files whose dialogues are test rows."""
    hotels: str
    """CrossWOZ's hotel_db.json, on which searches are run."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SgdSource:
    """Dialogues of the Schema-Guided Dialogue data set: runs of one service, with its intents as tools."""

    kind: Literal["sgd"]
    """This kind of source."""
    kept: ClassVar[tuple[str, ...]] = ("service",)
    """The service of a row's dialogue is a column that slices are made by."""
    train: Paths
    """The file or files whose dialogues are for training: JSON, or JSON lines, plain or gzip; relative paths start at
    TEMPER_DATA."""
    validation: Paths | None = None
    """The file or files whose dialogues are validation rows."""
    test: Paths
    """The file or files whose dialogues are test rows."""
    schemas: Paths
    """The schema files; runs of services that none of them describes are dropped."""
    records: Positive = 3
    """Most records of a result that a dialogue keeps, the first ones."""
    pairs: bool = False
    """Whether each of the assistant's turns is a row: what precedes it as the prompt, the turn itself as the chosen
    reply, and the turn behind the most similar history in another dialogue of its part as the rejected one."""
    sample: dict[Part, Positive] = Field(default_factory=dict)
    """Dialogues of a part that are kept, drawn by a hash of their ids; a part that is not named keeps all."""
