"""Data that nobody has described, and what a kind of task makes of them: a starter recipe and how sure it is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from configs.sources import Columns

from .located import Located
from .targets import number_column

CERTAIN = 1.0
"""How sure a kind is of data that no other is asked about."""


@dataclass(frozen=True)
class Undescribed:
    """What `temper init` knows: the data as the person names them and as they were found; name, output: of the recipe;
    path: of the data in it; kind, text, label: what the person says."""

    data: str
    located: Located
    name: str
    output: Path
    path: str
    kind: str | None = None
    text: str | None = None
    label: str | None = None

    @cached_property
    def number_column(self) -> str | None:
        """The column of a table that seems to hold numbers to predict; None where the person says a kind or a label."""
        if self.located.table is None or self.kind is not None or self.label is not None:
            return None
        return number_column(self.located.table)


class StarterRecipe(Protocol):
    """A recipe with remarks; see configs/starter.py."""

    def text(self) -> str:
        """The recipe."""

    def seen(self) -> dict[str, str]:
        """What was seen of the data, in words."""


@dataclass(frozen=True)
class Draft:
    """A starter recipe, and the columns of the table that it reads, if it reads one."""

    starter: StarterRecipe
    columns: Columns | None = None


@dataclass(frozen=True)
class Proposal:
    """What a kind makes of data.

    sure: from 0 (it is not for them) to CERTAIN. draft: measures the rows, raises DataError where the kind cannot be
    trained on them. notes: what to say where another kind's recipe reads these columns. fix: how the message ends
    where no recipe can be written.
    """

    sure: float
    draft: Callable[[], Draft]
    notes: Callable[[Columns], list[str]] = lambda columns: []
    fix: Callable[[], str] = lambda: ""
