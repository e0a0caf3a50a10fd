"""Leases in a remote store: of machines that share it, one computes an artifact, and the others wait for it.

A lease is a file that exists while its holder works; the holder writes a new count into it every few seconds. A lease
whose count stands still is that of a machine that died: clocks of machines are never compared.
"""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread

from .remote import Remote

BEAT = 10.0
"""Seconds between two counts."""
DEAD = 60.0
"""Seconds without a new count after which a lease is taken over."""
POLL = 2.0
"""Seconds between two looks of a machine that waits."""


@dataclass
class Lease:
    """A lease that this process holds; `release` ends it."""

    remote: Remote
    name: str
    done: Event = field(default_factory=Event)

    def keep(self) -> None:
        """Count, in a thread, until the lease is released."""
        Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        count = 0
        while not self.done.wait(BEAT):
            count += 1
            try:
                self.remote.write(self.name, _content(count))
            except Exception:  # a remote that is gone: the lease lapses, and an artifact may be made twice, equally
                return

    def release(self) -> None:
        """Let others go on. Raises what the remote raises."""
        self.done.set()
        self.remote.delete(self.name)


def take(remote: Remote, stage: str, key: str, waiting: Callable[[str], None]) -> Lease | None:
    """The lease of an artifact; None where another machine has made it meanwhile. Waits for a holder who is at work.

    `waiting` is called once, with who holds it. Raises what the remote raises.
    """
    name = f"leases/{stage}/{key}"
    last, since, announced = None, time.monotonic(), False
    while True:
        if remote.create(name, _content(0)):
            lease = Lease(remote, name)
            lease.keep()
            if not remote.has(stage, key):
                return lease
            lease.release()
            return None
        content = remote.read(name)
        if remote.has(stage, key):
            return None
        if content != last:
            last, since = content, time.monotonic()
        elif time.monotonic() - since > DEAD:
            remote.delete(name)
            continue
        if not announced:
            waiting((content or b"").decode(errors="replace").partition(" ")[0])
            announced = True
        time.sleep(POLL)


def _content(count: int) -> bytes:
    return f"{socket.gethostname()}:{os.getpid()} {count}".encode()
