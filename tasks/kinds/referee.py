"""What kinds ask of a training that is held to a reference model: module `reference` of such a kind."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from .spec import StageOutput, module_of

if TYPE_CHECKING:
    from configs.reference import Reference


class ScratchOutput(StageOutput, Protocol):
    """Where a stage writes, with a place for what a killed run need not repeat."""

    @property
    def scratch(self) -> Path:
        """A folder that outlives a kill but not the stage."""


class Referee(Protocol):
    """Module `reference` of a kind."""

    def write_reference(self, out: ScratchOutput, section: "Reference", folder: Path) -> None:
        """What the reference model finds of the encoded rows in a folder. Raises DataError."""

    def join(self, parts: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
        """Encoded parts with what was written of them."""


def open_reference(kind: str) -> Referee:
    """What trainings of a kind are held to."""
    return cast(Referee, importlib.import_module(module_of(kind, "reference")))
