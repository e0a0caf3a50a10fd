"""The daily `temper gc --delete` of `temper up`: a process of its own, begun again a day after it was begun last."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

from configs.settings import settings

from .child_processes import Guarded, child_environment

DAY = 24 * 3600.0
FIRST = 600.0
"""Seconds after the start of `temper up`: what was missed while it was down is made up for first."""


class Upkeep:
    """Begins `temper gc --delete` when it is due; `say` hears how it ended."""

    def __init__(self, stack: ExitStack, mlflow: str | None, say: Callable[[str], None]) -> None:
        """`stack` ends the process with the rest; `mlflow` is the server that it asks, None for the settings' own."""
        self._due = time.monotonic() + FIRST
        self._running: Guarded | None = None
        self._env = child_environment(MLFLOW_TRACKING_URI=mlflow, TEMPER_DATABASE=None)
        self._say = say
        stack.callback(self._end)

    def look(self) -> None:
        """Begin or account for a process; called often."""
        if self._running is not None and (code := self._running.ended()) is not None:
            last = self._running.last_words(1)
            self._end()
            self._say(f"temper gc: {last}" if code == 0 else f"temper gc ended with code {code}: {last}")
            self._running = None
        if self._running is None and time.monotonic() >= self._due:
            self._due = time.monotonic() + DAY
            command = [sys.executable, "-m", "flows", "gc", "--delete"]
            log = settings().mlruns / "logs" / "gc.log"
            self._running = Guarded.start("temper gc", command, env=self._env, grace=8.0, log=log)

    def _end(self) -> None:
        if self._running is not None:
            self._running.end()
