"""Branches and tags of the Hub -> the commits that they were resolved to, and when."""

import time
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

from configs import sources

from ...store.pin_table import PinTable, pin_table
from . import hub

Secret = Callable[[str], str]
"""Turns the name of a token into the token. What is given one may ask the Hub; None: it must not."""


class Unpinned(LookupError):
    """A branch or tag that was never resolved here, while no request may be made."""


def commit_of(value: Any, table: PinTable, ask: Secret | None) -> str:
    """The commit that a revision stands for; with `ask` the Hub's, and the table keeps it. Raises Unpinned."""
    if hub.COMMIT.match(value.revision):
        return str(value.revision)
    kind: hub.Kind = "dataset" if isinstance(value, sources.HubSource) else "model"
    name = f"{kind} {value.repo}@{value.revision}"
    if ask is not None and not hub.offline():
        name_of_token = getattr(value, "token", None)
        token = None if name_of_token is None else ask(name_of_token)
        commit = hub.resolve(value.repo, value.revision, kind, token)
        table.commits[name] = {"commit": commit, "asked": int(time.time())}
    if name not in table.commits:
        how = "unset HF_HUB_OFFLINE once, or" if hub.offline() else "`temper plan --refresh` asks the Hub, or"
        raise Unpinned(f"{name} was never resolved here; {how} name a commit")
    return str(table.commits[name]["commit"])


def resolved(section: Any, pinned: Any) -> list[tuple[str, str]]:
    """Branches and tags below a section with the commit they were pinned to, and when the Hub said so."""
    revisions = []
    if hasattr(section, "revision") and section.revision != pinned.revision:
        with pin_table() as table:
            times = [e["asked"] for e in table.commits.values() if e["commit"] == pinned.revision]
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(max(times, default=0)))
        revisions.append((f"{section.repo}@{section.revision} = {pinned.revision[:12]}", when))
    for field in fields(section) if is_dataclass(section) else ():
        part = getattr(section, field.name)
        if is_dataclass(part):
            revisions += resolved(part, getattr(pinned, field.name))
    return revisions
