"""What of the store is deleted: everything that nothing reaches, once it has not been used for long enough.

Mark and sweep. Roots are given with the reason why each is kept; what they were made from is kept with them. Of the
rest goes what was not used within the time that `keep` allows, and of what was, the least recently used until the store
is within its budget. A deletion is a rename, after which nobody can find the artifact, and then the removal of the
files: a process that ends in between leaves a folder `.deleted`, which the next sweep removes.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from configs.stages import STORED

from ..documents import Manifest
from . import disk
from .lock import unlocked
from .reading import unread

Form = Literal["artifact", "unfinished", "failed", "damaged", "deleted", "weights", "download"]
Key = tuple[str, str]
"""Stage and key of an artifact."""
ENDINGS: dict[str, Form] = {
    "": "artifact",
    ".partial": "unfinished",
    ".failed": "failed",
    ".damaged": "damaged",
    ".deleted": "deleted",
}
WEIGHTS = "weights"
"""Folder of fetched weight files, which runs touch when they use them (tasks/data/sources/fetched.py)."""
UNUSED, OVER_BUDGET, HALF_DELETED = "nothing needs it", "over budget", "half deleted"
UNNAMED = "no recipe names it"
RECENT = "used recently"


@dataclass(frozen=True)
class Entry:
    """Something in the store that takes space: bytes, and seconds since 1970 at which it was last used."""

    path: Path
    form: Form
    stage: str
    key: str
    size: int
    used: float


@dataclass(frozen=True)
class Decision:
    """What becomes of an entry, and why."""

    entry: Entry
    delete: bool
    why: str


def entries(root: Path) -> list[Entry]:
    """Everything below the store that takes space, a stage's results last to first, so that users go before sources."""
    complete = [entry for stage in reversed(STORED) for entry in _of_stage(root, stage)]
    files = sorted(path for path in (root / WEIGHTS).glob("*") if path.is_file() and path.suffix != ".lock")
    return complete + [
        Entry(path, "weights", WEIGHTS, path.name, path.stat().st_size, path.stat().st_mtime) for path in files
    ]


def _of_stage(root: Path, stage: str) -> Iterator[Entry]:
    for path in sorted((root / stage).glob("*")):
        form = ENDINGS.get(path.suffix)
        if form is None or not path.is_dir() or path.is_symlink():
            continue
        lock = path.with_name(f"{path.stem}.lock")
        size, changed = extent(path)
        used = max(changed, lock.stat().st_mtime if lock.exists() else 0.0)
        yield Entry(path, form, stage, path.stem, size, used)


def extent(folder: Path) -> tuple[int, float]:
    """Bytes of all files of a folder, and when the last of them was written; what vanishes meanwhile counts nothing."""
    size, changed = 0, 0.0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                seen = os.lstat(os.path.join(place, name))
            except FileNotFoundError:
                continue
            size, changed = size + seen.st_size, max(changed, seen.st_mtime)
    return size, changed


@dataclass(frozen=True)
class Catalogue:
    """The store's artifacts: what each was made from, and which have a content, by stage and digest."""

    inputs: Mapping[Key, tuple[tuple[str, str], ...]]
    of_content: Mapping[tuple[str, str], tuple[Key, ...]]

    @classmethod
    def read(cls, root: Path) -> "Catalogue":
        """From the manifests; a damaged one is left out: its artifact is made again from what its recipe names."""
        return cls.of([manifest for stage in STORED for manifest in disk.manifests(root, stage)])

    @classmethod
    def of(cls, manifests: Sequence[Manifest]) -> "Catalogue":
        """Of these artifacts."""
        inputs: dict[Key, tuple[tuple[str, str], ...]] = {}
        of_content: dict[tuple[str, str], tuple[Key, ...]] = {}
        for manifest in manifests:
            stage = str(manifest["stage"])
            key, content = (stage, str(manifest["key"])), (stage, str(manifest["digest"]))
            made_from = [*manifest["inputs"].values(), *manifest.get("auxiliary", {}).values()]
            inputs[key] = tuple((up["stage"], up["digest"]) for up in made_from)
            of_content[content] = (*of_content.get(content, ()), key)
        return cls(inputs, of_content)

    def reached(self, roots: Mapping[Key, str]) -> dict[Key, str]:
        """The roots and all that they were made from, each with the reason why it is kept; of what was made again under
        another key, that too."""
        kept: dict[Key, str] = {}
        waiting = list(roots.items())
        while waiting:
            key, why = waiting.pop()
            if key not in kept:
                kept[key] = why
                waiting += [
                    (up, why) for content in self.inputs.get(key, ()) for up in self.of_content.get(content, ())
                ]
        return kept


def decide(
    entries_given: Sequence[Entry], kept: Mapping[Key, str], *, keep: float, budget: int | None, now: float
) -> list[Decision]:
    """What becomes of each entry. `keep`: seconds for which what nothing needs is kept after its last use; `budget`:
    bytes that the store may have, None for any number."""
    decisions = [_decide(entry, kept, now - keep) for entry in entries_given]
    if budget is None:
        return decisions
    excess = sum(decision.entry.size for decision in decisions if not decision.delete) - budget
    for index in sorted(range(len(decisions)), key=lambda index: decisions[index].entry.used):
        if excess > 0 and decisions[index].why == RECENT:
            decisions[index] = Decision(decisions[index].entry, True, OVER_BUDGET)
            excess -= decisions[index].entry.size
    return decisions


def _decide(entry: Entry, kept: Mapping[Key, str], oldest: float) -> Decision:
    if entry.form == "deleted":
        return Decision(entry, True, HALF_DELETED)
    if entry.form in ("artifact", "unfinished") and (why := kept.get((entry.stage, entry.key))):
        return Decision(entry, False, why)
    return Decision(entry, True, UNUSED) if entry.used < oldest else Decision(entry, False, RECENT)


def sweep(root: Path, catalogue: Catalogue, decisions: Sequence[Decision]) -> Iterator[tuple[Decision, bool]]:
    """Delete what is to go, users before sources; each with whether it went.

    What a process reads by now stays, with all that it was made from. Raises OSError.
    """
    needed: dict[Key, str] = {}
    for decision in decisions:
        if not decision.delete:
            continue
        key = (decision.entry.stage, decision.entry.key)
        went = key not in needed and _delete(root, decision.entry)
        if not went and decision.entry.form == "artifact":
            needed |= catalogue.reached({key: "a process reads it"})
        yield decision, went


def _delete(root: Path, entry: Entry) -> bool:
    with unlocked(entry.path.with_name(f"{entry.key}.lock")) as free:
        if not free:
            return False
        if entry.form != "artifact":
            disk.remove(entry.path)
            return True
        aside = root / entry.stage / f"{entry.key}.deleted"
        disk.remove(aside)
        with unread(entry.path) as alone:
            if not alone:
                return False
            entry.path.rename(aside)
        shutil.rmtree(aside)
        return True


def described(decisions: Sequence[Decision]) -> list[dict[str, object]]:
    """The decisions as plain data: what, stage, key, bytes, when it was last used, whether it goes, and why."""
    return [
        {
            "what": decision.entry.form,
            "stage": decision.entry.stage,
            "key": decision.entry.key,
            "bytes": decision.entry.size,
            "used": int(decision.entry.used),
            "delete": decision.delete,
            "why": decision.why,
        }
        for decision in decisions
    ]
