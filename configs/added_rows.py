"""Rows that Temper wrote, which are added to a source's own for training alone: `download.extra` in a recipe."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from .fields import STRICT

MADE_BY = "made_by"
"""Column that names what wrote an added row; a source's own rows have none, or a missing value in it."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PseudoLabelled:
    """Texts that had no label and that registered models labelled: what `temper label` wrote."""

    kind: Literal["pseudo_labels"]
    """This kind of added rows."""
    artifact: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of the artifact that holds them, as `temper label` prints it."""


Extra = tuple[PseudoLabelled, ...]
