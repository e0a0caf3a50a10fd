"""`temper gc --remote`: what of the remote store is kept and deleted, and what this home pins there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from configs.settings import settings
from tasks.artifact import StageError
from tasks.store import remote_pins, remote_sweep
from tasks.store.remote import Remote, open_remote, why
from tasks.store.sweep import Catalogue

from .collect import GIB, Rules, roots

if TYPE_CHECKING:
    from tasks.store.sweep import Decision, Key

Say = Callable[[str], None]


@contextmanager
def answering(what_stays: str) -> Iterator[Remote]:
    """The remote store. Raises StageError without one, and where it does not answer."""
    url = settings().remote
    if not url:
        raise StageError("no remote store is set; set TEMPER_REMOTE")
    remote = open_remote(url)
    try:
        yield remote
    except StageError:
        raise
    except Exception as error:  # fsspec's libraries have no error in common
        raise StageError(f"the remote store fails: {why(error)}; {what_stays}") from None


def collect_remote(rules: Rules, say: Say, *, dry_run: bool) -> "tuple[list[Decision], list[Decision]]":
    """What becomes of all that the remote store holds, and what of it went.

    Kept are this home's roots as in its own store, what other homes pin, and what was stored or served within the days
    of the rules. Raises StageError where the remote does not answer or contradicts itself, or a pin is damaged.
    """
    with answering("what is not deleted yet stays") as remote:
        contents, needed = _read(remote, rules, say)
        budget = None if rules.budget_gib is None else int(rules.budget_gib * GIB)
        decided, own = remote_sweep.decide_remote(contents, needed, keep=rules.seconds, budget=budget)
        if dry_run:
            return decided, []
        pin_needed(remote, rules)
        return decided, [each for each, went in remote_sweep.sweep_remote(contents, decided, own) if went]


def _read(remote: Remote, rules: Rules, say: Say) -> "tuple[remote_sweep.Contents, dict[Key, str]]":
    """What the remote holds, and what of it is needed, with the reason: by this home's own where several hold."""
    contents = remote_sweep.read(remote)
    pins = [pin for pin in remote_pins.pins(remote) if pin.home != remote_pins.this_home()]
    by_content = _of_versions().union(*(pin.contents for pin in pins))
    unlisted = by_content - contents.catalogue.of_content.keys()
    keys = {(stage, key) for stage, digest in unlisted if (key := remote.key_of(stage, digest))}
    by_key = {*roots(rules.keep_runs, contents.catalogue, lambda note: None)}.union(*(pin.keys for pin in pins))
    contents = remote_sweep.with_unlisted(contents, keys | by_key)
    needed = {key: why for pin in pins for key, why in pin.roots(contents.catalogue).items()}
    return contents, needed | roots(rules.keep_runs, contents.catalogue, say)


def _of_versions() -> set[tuple[str, str]]:
    """Stage and digest of all that registered versions with an alias were made of."""
    from tasks.tracking.aliased import aliased_versions

    return {content for _, digests in aliased_versions() for content in digests.items()}


def pin_needed(remote: Remote, rules: Rules) -> None:
    """Replace what this home pins: its roots, and what its registry's versions with an alias were made of."""
    keys = roots(rules.keep_runs, Catalogue.read(settings().store), lambda note: None)
    remote_pins.pin(remote, keys, _of_versions())


def pin_if_there(rules: Rules, say: Say) -> None:
    """The same in a home whose own store is cleared; a remote that does not answer is named, and keeps the last pin."""
    try:
        with answering("what this home needs there is pinned by the next call") as remote:
            pin_needed(remote, rules)
    except StageError as error:
        say(str(error))
