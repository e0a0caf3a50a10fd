"""Addresses, checksums and names of secrets in a recipe: their forms, and that no secret itself stands there."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern=r"^https?://")]
Name = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")]
SECRETS = re.compile(r"(hf_|gh[pousr]_|github_pat_|glpat-|sk-|xox[abp]-|eyJ|AKIA)\w{12}")
"""Beginnings of well-known tokens: written into a recipe by mistake, they are refused and not repeated."""


def refuse_secrets(url: str, token: str | None) -> None:
    """Raise ValueError, without repeating it, where a recipe holds a password or token."""
    if "@" in urlsplit(url).netloc:
        raise ValueError("url holds a name or password; put a token into the environment and its name into `token`")
    if token is not None and SECRETS.match(token):
        raise ValueError("token looks like a secret itself; give the name of the environment variable that holds it")
