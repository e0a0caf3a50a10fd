"""Steps of `clean` for dialogues."""

from typing import Literal

from pydantic.dataclasses import dataclass

from .fields import STRICT


@dataclass(frozen=True, kw_only=True, config=STRICT)
class MergeTurns:
    """Joins consecutive turns of the user, or replies, into one; turns of other weights or names stay apart."""

    kind: Literal["merge_turns"]
    """This step."""
    separator: str = "\n\n"
    """Stands between the joined texts."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CutTrailingTurns:
    """Cuts what stands behind the assistant's last turn: a question that nobody answers, a result that nobody reads."""

    kind: Literal["cut_trailing_turns"]
    """This step."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DropEmptyTurns:
    """Drops turns of the user and replies that are white space alone; calls and results stay."""

    kind: Literal["drop_empty_turns"]
    """This step."""


DialogueStep = MergeTurns | CutTrailingTurns | DropEmptyTurns
