"""`temper gc --hub`: what of the Hub's cache on this machine is kept and deleted; other programs use it too."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.store.sweep import RECENT, UNNAMED, Decision, Entry

from .collect import Rules, recipes
from .hub_revisions import references

if TYPE_CHECKING:
    from huggingface_hub import CachedRepoInfo, HFCacheInfo

DELETED = ".deleted--"
"""Begins the name of a folder that is being deleted; the next call deletes what a kill left of it."""


def collect_hub(rules: Rules, say: Callable[[str], None], *, dry_run: bool) -> tuple[list[Decision], list[Decision]]:
    """What becomes of each repository that the cache holds, and what of it went.

    Kept is one that a recipe of configs/, or one that was run on this home, names, and one that any program read or
    fetched within the days of the rules; where the file system keeps no times of reading, fetching alone counts.
    """
    cache = _cache(say)
    if cache is None:
        return [], []
    named: dict[tuple[str, str], str] = {
        (each.kind, each.repo): path.name for path, recipe in recipes(ran=False) for each in references(recipe)
    }
    held = sorted(cache.repos, key=lambda repo: (repo.repo_type, repo.repo_id))
    decided = [_decide(repo, named.get((repo.repo_type, repo.repo_id)), rules) for repo in held]
    if dry_run:
        return decided, []
    for left in _folder().glob(f"{DELETED}*"):
        shutil.rmtree(left, ignore_errors=True)
    return decided, [decision for decision in decided if decision.delete and _delete(decision.entry.path)]


def _delete(folder: Path) -> bool:
    """Delete a repository's folder, by a rename first, so that no kill leaves half of one; whether it is gone.

    By its path, since two repositories may have a commit in common.
    """
    doomed = folder.with_name(f"{DELETED}{folder.name}")
    try:
        folder.rename(doomed)
    except OSError:  # another program was first, or this one may not
        return not folder.exists()
    shutil.rmtree(doomed, ignore_errors=True)
    return True


def _folder() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _cache(say: Callable[[str], None]) -> "HFCacheInfo | None":
    """What the cache holds; None where there is none yet."""
    from huggingface_hub import CacheNotFound, scan_cache_dir

    try:
        cache = scan_cache_dir(_folder())
    except CacheNotFound:
        return None
    for warning in cache.warnings:
        if DELETED not in str(warning):
            say(f"the Hub's cache: {str(warning).splitlines()[0]}")
    return cache


def _decide(repo: "CachedRepoInfo", named_by: str | None, rules: Rules) -> Decision:
    used = max(repo.last_accessed, repo.last_modified)
    entry = Entry(repo.repo_path, "download", repo.repo_type, repo.repo_id, repo.size_on_disk, used)
    if named_by is not None:
        return Decision(entry, False, f"{named_by} needs it")
    recent = used > time.time() - rules.seconds
    return Decision(entry, not recent, RECENT if recent else UNNAMED)
