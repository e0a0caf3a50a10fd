"""What of a remote store is deleted: by the rules of a machine's own (store/sweep.py), for files that artifacts share.

An artifact goes by its manifest, and then those of its files that no manifest names: killed in between, it leaves files
of no artifact, which go once they are old. A machine that stores an artifact at the same moment and finds a file that
goes just then leaves one with a file missing; whoever is served it learns that it is damaged, and makes it again.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from ..documents import Manifest
from .deadline import each
from .remote import Remote
from .remote_listing import PATIENCE, Seen, clock, key_in, listing, read_manifests, seen
from .sweep import Catalogue, Decision, Entry, Key, decide

FILES = "objects"


@dataclass(frozen=True)
class Contents:
    """What a remote store holds. manifests: None for one that is damaged; written: when each artifact's was; files: by
    name below the remote; leased: what a machine is at; now: by the remote's clock."""

    remote: Remote
    manifests: Mapping[Key, Manifest | None]
    written: Mapping[Key, Seen]
    files: Mapping[str, Seen]
    leased: frozenset[Key]
    now: float

    @cached_property
    def catalogue(self) -> Catalogue:
        """The whole artifacts, as roots and what they were made from are looked up in it."""
        return Catalogue.of([manifest for manifest in self.manifests.values() if manifest is not None])

    def files_of(self, key: Key) -> frozenset[str]:
        """Names of the files that an artifact has there; none of a damaged one, since nobody knows them."""
        manifest = self.manifests.get(key)
        return frozenset() if manifest is None else _files(manifest)


def _files(manifest: Manifest) -> frozenset[str]:
    return frozenset(f"{FILES}/{entry['sha256']}" for entry in manifest["files"].values())


def read(remote: Remote) -> Contents:
    """Read what a remote holds. Raises what its library raises, TimeoutError, and StageError where it contradicts
    itself."""
    now, files = clock(remote), listing(remote, FILES)
    written = {key: seen for name, seen in listing(remote, "artifacts").items() if (key := key_in(name))}
    leases = [tuple(name.split("/")[1:]) for name in listing(remote, "leases")]
    leased = frozenset((parts[0], parts[1]) for parts in leases if len(parts) == 2)
    return Contents(remote, dict(read_manifests(remote, sorted(written))), written, files, leased, now)


def with_unlisted(contents: Contents, needed: Set[Key]) -> Contents:
    """With the artifacts that are needed, and all that any was made from, asked for by key where the listing lacks
    them: a listing may be stale. They count as written now."""
    manifests, asked = dict(contents.manifests), set(contents.manifests)
    waiting = set(needed).union(*map(_made_from, manifests.values())) - asked
    while waiting:
        asked |= waiting
        there = dict(read_manifests(contents.remote, sorted(waiting)))
        manifests |= there
        waiting = set().union(*map(_made_from, there.values())) - asked
    now = Seen(0, contents.now)
    return replace(contents, manifests=manifests, written={key: contents.written.get(key, now) for key in manifests})


def _made_from(manifest: Manifest | None) -> set[Key]:
    if manifest is None:
        return set()
    references = [*manifest["inputs"].values(), *manifest.get("auxiliary", {}).values()]
    return {(reference["stage"], reference["key"]) for reference in references}


def decide_remote(
    contents: Contents, roots: Mapping[Key, str], *, keep: float, budget: int | None
) -> tuple[list[Decision], Mapping[Key, frozenset[str]]]:
    """What becomes of each artifact, and of files of none; and the files that go with each artifact.

    A file that several share counts as the last one's to go, so that sizes add up to what is freed.
    """
    kept = contents.catalogue.reached({**dict.fromkeys(contents.leased, "a machine is at it"), **roots})
    order = sorted(contents.manifests, key=lambda key: (key not in kept, -contents.written[key].written, key))
    own: dict[Key, frozenset[str]] = {}
    claimed: set[str] = set()
    for key in order:
        own[key] = contents.files_of(key) - claimed
        claimed |= own[key]
    entries = [_artifact(contents, key, own[key]) for key in sorted(own)]
    entries += [
        Entry(Path(name), "unfinished", FILES, Path(name).name, seen.size, seen.written)
        for name, seen in contents.files.items()
        if name not in claimed
    ]
    return decide(entries, kept, keep=keep, budget=budget, now=contents.now), own


def _artifact(contents: Contents, key: Key, own: frozenset[str]) -> Entry:
    seen = contents.written[key]
    size = seen.size + sum(contents.files[name].size for name in own if name in contents.files)
    form = "artifact" if contents.manifests[key] is not None else "damaged"
    return Entry(Path(_manifest(key)), form, *key, size, seen.written)  # type: ignore[arg-type]


def _manifest(key: Key) -> str:
    return f"artifacts/{key[0]}/{key[1]}.json"


def sweep_remote(
    contents: Contents, decisions: Sequence[Decision], own: Mapping[Key, frozenset[str]]
) -> Iterator[tuple[Decision, bool]]:
    """Delete what is to go; each with whether it went. What was stored or served since it was listed stays. Raises what
    the remote's library raises, and TimeoutError: what is not deleted by then stays."""
    artifacts = [decision for decision in decisions if decision.delete and decision.entry.stage != FILES]
    loose = [decision for decision in decisions if decision.delete and decision.entry.stage == FILES]
    staying = {key_of(decision) for decision in decisions if not decision.delete}
    went = each([partial(_forget, contents, key_of(decision), staying) for decision in artifacts], PATIENCE)
    yield from zip(artifacts, went, strict=True)
    gone = {key_of(decision) for decision, forgotten in zip(artifacts, went, strict=True) if forgotten}
    loose_names = {str(decision.entry.path) for decision in loose}
    names = loose_names.union(*(own[key] for key in gone)) - _named_now(contents, gone)
    each([partial(contents.remote.delete, name) for name in sorted(names)], PATIENCE)
    yield from ((decision, str(decision.entry.path) in names) for decision in loose)


def key_of(decision: Decision) -> Key:
    """Stage and key of what was decided on."""
    return decision.entry.stage, decision.entry.key


def _forget(contents: Contents, key: Key, staying: Set[Key]) -> bool:
    """Delete an artifact's manifest, unless it was written again; its content leads to an equal one that stays."""
    remote, (stage, _) = contents.remote, key
    now = seen(remote, _manifest(key))
    if now is None or now.written > contents.written[key].written:
        return False
    remote.delete(_manifest(key))
    manifest = contents.manifests[key]
    if manifest is None or remote.key_of(stage, manifest["digest"]) != key[1]:
        return True
    pointer = f"digests/{stage}/{manifest['digest']}"
    equal = [other for other in contents.catalogue.of_content[stage, manifest["digest"]] if other in staying]
    if equal:
        remote.write(pointer, equal[0][1].encode())
    else:
        remote.delete(pointer)
    return True


def _named_now(contents: Contents, gone: Set[Key]) -> frozenset[str]:
    """Files that manifests name once some have gone, those of new ones too; every file, where a new one is damaged."""
    there = [key for name in listing(contents.remote, "artifacts") if (key := key_in(name))]
    fresh = dict(read_manifests(contents.remote, [key for key in there if key not in contents.manifests]))
    if None in fresh.values():
        return frozenset(contents.files)
    known = [manifest for key, manifest in contents.manifests.items() if key not in gone]
    return frozenset().union(*(_files(manifest) for manifest in (*fresh.values(), *known) if manifest is not None))
