"""Differences between two identities of a stage, as words: what a person changed, not where the key keeps it."""

import re

BYTES = ("sha256", "files", "hotels", "train", "test", "names")
"""Keys of a pinned source that stand for its bytes."""


def in_words(change: str, stage: str) -> str:
    """One line of `what_changed`, such as `section.epochs: 3 → 5` or `inputs.raw.images.parquet`."""
    if not _is_path(change):
        return change
    path, _, values = change.partition(": ")
    detail = f": {values}" if values else " changed"
    kind, _, rest = path.partition(".")
    if kind == "section":
        last = rest.rpartition(".")[2]
        if stage == "download" and rest.partition(".")[0] in BYTES:
            return "the source's bytes changed"
        if last == "commit":
            return f"{stage}: the commit that the revision stands for{detail}"
        return (
            f"the bytes behind {stage}.{rest.rpartition('.')[0] or rest} changed"
            if last == "sha256"
            else (f"recipe: {stage}.{rest}{detail}")
        )
    if kind == "inputs":
        noun, _, file = rest.partition(".")
        return f"{stage} reads other bytes: {file} of the {noun} artifact changed"
    if kind == "code":
        return f"the code of {rest.replace('.', '/')}.py changed"
    if kind == "libraries":
        return f"{rest}{detail}"
    named = {"python": "Python", "format": "the cache's format", "layout": "the project's layout"}.get(kind)
    return change if named is None else f"{named}{detail}"


def all_in_words(changes: list[str] | tuple[str, ...], stage: str) -> list[str]:
    """Each once; what is no difference stays as it is, behind the stage's name."""
    lines = [in_words(change, stage) if _is_path(change) else f"{stage}: {change}" for change in changes]
    return list(dict.fromkeys(lines))


def _is_path(change: str) -> bool:
    return re.match(r"(section|inputs|code|libraries)\.|(python|format|layout)(:|$)", change) is not None
