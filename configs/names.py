"""Names that a recipe gives: fit for MLflow, Prefect and every file system, and refused before any work where not."""

import re
from typing import Annotated

from pydantic import AfterValidator

LONGEST = 100
"""Letters of a name: MLflow takes 250 and file systems 255, of which endings and run numbers need some."""
DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Names of devices on Windows, with any ending; a folder on such a share cannot be called so."""


def require_portable(name: str) -> str:
    """The name itself. Raises ValueError where a file system or a server refuses it, or reads it as something else."""
    if len(name) > LONGEST:
        raise ValueError(f"{name[:20]!r}… has {len(name)} letters; a name has {LONGEST} at most")
    if name[0] in ".-":
        raise ValueError(f"{name!r} begins with {name[0]!r}; begin with a letter or a digit")
    if name[-1] == ".":
        raise ValueError(f"{name!r} ends with a dot, which some file systems drop; end with a letter or a digit")
    if DEVICES.fullmatch(name):
        raise ValueError(f"{name!r} is the name of a device on some systems; choose another")
    return name


def _require_form(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise ValueError(f"{name[:LONGEST]!r} is no name: letters of ASCII, digits, '_', '-' and '.' make one")
    return require_portable(name)


def _require_lower(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise ValueError(
            f"{name[:LONGEST]!r} is no name: small letters of ASCII, digits, '_' and '-' make one, "
            "a letter or a digit first"
        )
    return require_portable(name)


ModelName = Annotated[str, AfterValidator(_require_form)]
"""Of a model in the registry."""
RecipeName = Annotated[str, AfterValidator(_require_lower)]
"""Of a recipe, its MLflow experiment and its deployment."""
