"""Artifacts of a registered version, from the remote store into this home: what a rerun of its recipe is served."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from configs.settings import settings
from configs.stages import CACHED
from tasks.artifact import StageError
from tasks.documents import Reference
from tasks.store.disk import manifests
from tasks.store.lock import locked
from tasks.store.remote import Remote, open_remote, why
from tasks.store.remote_manifest import Damaged


@dataclass(frozen=True)
class Pulled:
    """One stage: whether its artifact lay here, was brought (so many bytes), or is not to be had, and why."""

    stage: str
    state: Literal["here", "brought", "missing"]
    size: int = 0
    reason: str = ""


def pull_version(digests: dict[str, str]) -> Iterator[Pulled]:
    """Bring the artifacts with these digests, by stage, in the order of the stages, each followed by the auxiliary ones
    that it asked for. Raises StageError without a remote, and where it does not answer."""
    url = settings().remote
    if not url:
        raise StageError("no remote store is set, so there is nothing to pull from; set TEMPER_REMOTE")
    remote = open_remote(url)
    for stage in (name for name in CACHED if name in digests):
        yield _tried(remote, stage, digests[stage])
        for asked in _auxiliary(stage, digests[stage]):
            yield _tried(remote, asked["stage"], asked["digest"])


def _auxiliary(stage: str, digest: str) -> list[Reference]:
    """What the stage that made this artifact asked of the store, which a changed training asks for again."""
    equal = [manifest for manifest in manifests(settings().store, stage) if manifest["digest"] == digest]
    asked = equal[-1].get("auxiliary", {}).values() if equal else ()
    return list({reference["digest"]: reference for reference in asked}.values())


def _tried(remote: Remote, stage: str, digest: str) -> Pulled:
    try:
        return _pull(remote, stage, digest)
    except (StageError, KeyboardInterrupt):
        raise
    except Damaged as damage:
        return Pulled(stage, "missing", reason=f"damaged there: {damage}")
    except Exception as error:  # fsspec's libraries have no error in common
        raise StageError(f"the remote store fails: {why(error)}") from None


def _pull(remote: Remote, stage: str, digest: str) -> Pulled:
    root = settings().store
    if any(manifest["digest"] == digest for manifest in manifests(root, stage)):
        return Pulled(stage, "here")
    key = remote.key_of(stage, digest)
    if key is None:
        return Pulled(stage, "missing", reason="not in the remote store")
    with locked(root / stage / f"{key}.lock"):
        pulled = remote.pull(root, stage, key)
    if pulled is None:
        return Pulled(stage, "missing", reason="its manifest is not in the remote store")
    remote.renew(stage, key)
    return Pulled(stage, "brought", pulled[1].size)
