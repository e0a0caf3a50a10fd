"""Addresses, checksums and names of secrets in a recipe: their forms, and that no secret itself stands there."""

import re
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern=r"^https?://")]
Name = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")]
SECRETS = re.compile(r"(hf_|gh[pousr]_|github_pat_|glpat-|sk-|xox[abp]-|eyJ|AKIA)\w{12}")
"""Beginnings of well-known tokens: written into a recipe by mistake, they are refused and not repeated."""
MARKS = (
    "hf_",
    *(f"gh{letter}_" for letter in "pousr"),
    "github_pat_",
    "glpat-",
    "sk-",
    "xoxa",
    "xoxb",
    "xoxp",
    "eyJ",
    "AKIA",
)
"""The same as plain texts: a text without one holds no such token."""

NAMES = (
    r"(?:token|secret|passw(?:or)?d|pwd|sig(?:nature)?|credentials?|(?:api|access)[-_]?key(?:id)?|auth(?:orization)?)"
)
"""Ends of the names under which addresses carry secrets, such as X-Amz-Signature, sig or access_token."""
CARRIED = re.compile(rf"(?:.*{NAMES}|key)", re.IGNORECASE)
TOKEN = re.compile(rf"(?<![A-Za-z0-9]){SECRETS.pattern}\w*")
HIDDEN = (
    (re.compile(r"(://)[^/\s@'\"]+(?=@)"), r"\1…"),
    (re.compile(rf"([?&](?:[\w.%-]*{NAMES}|key)=)[^&#\s'\"`]+", re.IGNORECASE), r"\1…"),
    (TOKEN, r"\1…"),
)
"""What is not repeated of a message, and what stands in its place."""


def masked(text: str) -> str:
    """A message without the passwords, tokens and signatures that it may quote."""
    for pattern, instead in HIDDEN:
        text = pattern.sub(instead, text)
    return text


def refuse_secrets(url: str, token: str | None) -> None:
    """Raise ValueError, without repeating it, where a recipe holds a password or token."""
    if "@" in urlsplit(url).netloc:
        raise ValueError("url holds a name or password; put a token into the environment and its name into `token`")
    names = [name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True) if CARRIED.fullmatch(name)]
    if names or TOKEN.search(url):
        what = f"`{names[0]}` in its query" if names else "a part of it"
        raise ValueError(
            f"url: {what} looks like a secret, which caches and interfaces would keep; put a token into "
            "the environment and its name into `token`, or fetch the file and give its path"
        )
    if token is not None and SECRETS.match(token):
        raise ValueError("token looks like a secret itself; give the name of the environment variable that holds it")
