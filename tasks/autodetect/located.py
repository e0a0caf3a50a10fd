"""How a person helps `temper init` to read data, and what it located."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Hints:
    """How a person helps: the pattern on the paths of images, the table in an archive, the name of a token, the columns
    of the labels and of the texts."""

    pattern: str | None = None
    member: str | None = None
    token: str | None = None
    label: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Located:
    """A table, or the rows of images whose bytes lie in `images`; `source` reads it, `called` is how it is called."""

    source: Any
    called: str
    table: pd.DataFrame | None = None
    rows: pd.DataFrame | None = None
    images: Path | None = None
    notes: list[str] = field(default_factory=list)
