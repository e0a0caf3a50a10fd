"""Field types that several sections share."""

from typing import Annotated

from pydantic import ConfigDict, Field

STRICT = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
"""Unknown keys are errors; a field's docstring is its description; no number is infinite."""
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Repo = Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")]
