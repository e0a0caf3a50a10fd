"""Field types that several sections share."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import ConfigDict, Field

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Unknown keys are errors; no number is infinite."""
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Repo = Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")]
Paths = str | Annotated[tuple[str, ...], Field(min_length=1)]
PLURAL = {"text": "texts", "messages": "dialogues", "image": "images"}
"""What rows of each content are called."""


def refuse_unread(section: Any, names: Iterable[str], when: str, at: str = "") -> None:
    """Raise ValueError for the first of these fields that is not as it is by default, since nothing reads it `when`;
    `at`: where the section stands, for what is found from above it."""
    for name in names:
        if getattr(section, name) != getattr(type(section), name, None):
            raise ValueError(f"{at}{name} is not read {when}; leave it out")
