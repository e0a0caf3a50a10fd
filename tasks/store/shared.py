"""What a stage has of the remote store (TEMPER_REMOTE): its artifact brought from there, or stored there once made.

A remote that lies costs the time of making the artifact again; one that stalls, refuses or dies is left alone for the
rest of the process. Neither ever fails a run, and what the local disk refuses is not blamed on the remote.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from configs.settings import settings, without_password

from ..artifact import Artifact, StageError
from .failure import is_full
from .lease import Lease, take
from .lock import locked
from .remote import Remote, Transfer, open_remote, why
from .remote_manifest import Damaged

Say = Callable[[str], None]
_GONE: set[str] = set()
"""Addresses that did not answer this process."""


@dataclass
class Shared:
    """The remote store as one stage sees it; `remote` is None where there is none, or it does not answer."""

    say: Say
    address: str = ""
    remote: Remote | None = None
    lease: Lease | None = None

    def bring(self, root: Path, stage: str, key: str) -> Artifact | None:
        """The artifact, brought from the remote; None where it is to be made here, under a lease that others see.

        Waits for a machine that is at it.
        """
        with self._guarded():
            if (pulled := self._pull(root, stage, key)) is not None or self.remote is None:
                return pulled
            self.lease = take(self.remote, stage, key, lambda who: self.say(f"{who} is at it; waiting"))
            return None if self.lease is not None else self._pull(root, stage, key)
        return None

    def bring_content(self, root: Path, stage: str, digest: str) -> Artifact | None:
        """An artifact of this content, brought from the remote; None where there is none."""
        with self._guarded():
            if self.remote is None or (key := self.remote.key_of(stage, digest)) is None:
                return None
            with locked(root / stage / f"{key}.lock"):
                return self._pull(root, stage, key)
        return None

    def store(self, artifact: Artifact) -> None:
        """Store an artifact that the remote lacks."""
        with self._guarded():
            if self.remote is None or self.remote.has(artifact.stage, artifact.key):
                return
            began = time.monotonic()
            transfer = self.remote.push(artifact)
            self.say(f"stored in {self.address}: {_words(transfer, began)}")

    def release(self) -> None:
        """Let others go on."""
        if self.lease is not None:
            with self._guarded():
                self.lease.release()

    def _pull(self, root: Path, stage: str, key: str) -> Artifact | None:
        if self.remote is None:
            return None
        began = time.monotonic()
        try:
            pulled = self.remote.pull(root, stage, key)
        except Damaged as damage:
            self.say(f"what {self.address} has is damaged ({damage}); it is made again")
            self.remote.forget(stage, key)
            return None
        if pulled is None:
            return None
        self.say(f"brought from {self.address}: {_words(pulled[1], began)}")
        with self._guarded():
            self.remote.renew(stage, key)
        return pulled[0]

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Go on without the remote where it fails."""
        try:
            yield
        except StageError:
            raise
        except Exception as error:  # fsspec's libraries have no error in common
            if is_full(error):
                raise
            self.remote = None
            _GONE.add(self.address)
            self.say(f"{self.address} fails ({why(error)}); this run goes on without it")


@contextmanager
def shared(say: Say) -> Iterator[Shared]:
    """The remote store for one stage; its lease ends with the stage. Raises StageError for a setting that is none."""
    url = settings().remote
    address = without_password(url) if url else ""
    if not url or address in _GONE:
        yield Shared(say)
        return
    store = Shared(say, address, open_remote(url))
    try:
        yield store
    finally:
        store.release()


def _words(transfer: Transfer, began: float) -> str:
    there = transfer.files - transfer.moved
    known = f" ({there} lay there)" if there else ""
    size = transfer.size / 2**20
    return f"{transfer.moved} files{known}, {size:,.1f} MiB in {time.monotonic() - began:.1f} s"
