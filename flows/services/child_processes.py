"""Child processes that end with this one, however it ends: a guardian reads their lifeline and takes them along."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

GUARDIAN = """
import os, signal, subprocess, sys, threading, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda *_: None)
grace, command = float(sys.argv[1]), sys.argv[2:]
child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
def send(number):
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
def end_with_stdin():
    sys.stdin.buffer.read()
    send(signal.SIGTERM)
    time.sleep(grace)
    send(signal.SIGKILL)
threading.Thread(target=end_with_stdin, daemon=True).start()
code = child.wait()
end = time.monotonic() + grace
while send(0) and time.monotonic() < end:
    time.sleep(0.05)
send(signal.SIGKILL)
os._exit(code if code >= 0 else 128 - code)
"""
"""Runs a command in a process group of its own and ends all of it when its standard input does, which it does however
the one who holds the other end is ended. Signals to a terminal's group pass it by: the parent says what ends first."""


@dataclass(frozen=True)
class Guarded:
    """A command in a process group of its own, below a guardian that ends it when this process is gone."""

    name: str
    process: subprocess.Popen[bytes]
    grace: float
    log: Path | None

    @classmethod
    def start(
        cls, name: str, command: Sequence[str | Path], *, env: Mapping[str, str], grace: float, log: Path | None = None
    ) -> "Guarded":
        """Start it; output goes to `log` (from its beginning) or to where this process writes errors. `grace`: seconds
        that it has between being asked to end and being killed."""
        full = [sys.executable, "-c", GUARDIAN, str(grace), *map(str, command)]
        if log is None:
            return cls(name, _apart(full, env, 2), grace, log)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            return cls(name, _apart(full, env, out), grace, log)

    def ended(self) -> int | None:
        """Exit code, None while it runs."""
        return self.process.poll()

    def end(self) -> None:
        """Ask it to end, and wait until it and its children are gone."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(self.grace + 10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self, lines: int = 12) -> str:
        """The end of its log."""
        if self.log is None or not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _apart(command: list[str], env: Mapping[str, str], out: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """In a session of its own from the first: Ctrl-C would reach the guardian before it can say what it does then."""
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, env=dict(env), stdout=out, stderr=out, start_new_session=True
    )


def child_environment(**changes: str | None) -> dict[str, str]:
    """This process's environment with changes; None removes a variable."""
    kept = {name: value for name, value in os.environ.items() if name not in changes}
    return kept | {name: value for name, value in changes.items() if value is not None}
