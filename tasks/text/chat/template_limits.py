"""Limits on what a chat template may take: it is a program, of anybody, and may loop for ever or fill the memory.

Each template is tried once in a process of its own, which is ended when it takes too long or too much memory; each
rendering after that is watched, so that one that loops for certain dialogues alone ends too.
"""

import ctypes
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

SECONDS = 20.0
"""Longest time of one rendering; real ones take milliseconds."""
TRIAL_SECONDS = 10.0
"""Longest time of the processor for the trial, beginning of its process included."""
PATIENCE = 18
"""Times as long as that a trial may take on a busy machine, where it waits for the processor."""
MEMORY = 2**30
"""Most bytes of the trial's process."""
LETTERS = 50_000_000
"""Longest rendered text."""
LOOK_EVERY = 0.5
"""Seconds between two checks of what is rendering."""


class TemplateLimit(Exception):
    """A chat template went beyond a limit; the message says which."""


@lru_cache(maxsize=16)
def tried(source: str) -> str:
    """Which limit a template breaks in a trial of its own; empty where it breaks none."""
    from . import template_trial  # an import, since models carry the modules that theirs import

    given = json.dumps([source, TRIAL_SECONDS, MEMORY, LETTERS])
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(template_trial.__file__)],
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE * TRIAL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"it did not end within {PATIENCE * TRIAL_SECONDS:.0f} s for three turns"
    if done.returncode == -signal.SIGXCPU:
        return f"it did not end within {TRIAL_SECONDS:.0f} s of the processor for three turns"
    if done.returncode != 0:
        limits = f"{MEMORY // 2**20:,} MiB and {TRIAL_SECONDS:.0f} s"
        return f"its trial ended with code {done.returncode}; its limits are {limits}"
    return done.stdout.strip()


@contextmanager
def limited(source: str) -> Iterator[None]:
    """Render inside, in any thread. Raises TemplateLimit for a template whose trial failed, and after SECONDS."""
    if reason := tried(source):
        raise TemplateLimit(reason)
    watch = _Watch(threading.get_ident(), time.monotonic() + SECONDS)
    try:
        with _TURN:
            _WATCHED.append(watch)
            _begin_looking()
        yield
    except (OverflowError, RecursionError, MemoryError) as error:
        raise TemplateLimit(f"{type(error).__name__}: {error}") from None
    finally:
        with _TURN:
            _WATCHED.remove(watch)
            if watch.fired:  # on the way, or here already: it must not reach what comes behind
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(watch.thread), None)


class _Watch:
    """One rendering: its thread, and when it must have ended."""

    def __init__(self, thread: int, end: float) -> None:
        self.thread, self.end, self.fired = thread, end, False


AGAIN = 1.0
"""Seconds until a rendering that did not end is interrupted once more."""
_WATCHED: list[_Watch] = []
_TURN = threading.Lock()
_LOOKING: list[threading.Thread] = []


def _begin_looking() -> None:
    if not _LOOKING or not _LOOKING[0].is_alive():
        _LOOKING[:] = [threading.Thread(target=_look, name="template limits", daemon=True)]
        _LOOKING[0].start()


def _look() -> None:
    """Raise TemplateLimit in each thread whose rendering takes too long; ends where nothing rendered for a while."""
    idle = 0
    while idle < 20:
        time.sleep(LOOK_EVERY)
        with _TURN:
            idle = 0 if _WATCHED else idle + 1
            for watch in _WATCHED:
                if time.monotonic() > watch.end:  # and again later: what the garbage collector calls may swallow one
                    watch.fired, watch.end = True, time.monotonic() + AGAIN
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(watch.thread), ctypes.py_object(_TimeUp))


class _TimeUp(TemplateLimit):
    """Raised in the thread of a rendering; made without arguments by the interpreter."""

    def __init__(self) -> None:
        super().__init__(f"it did not end within {SECONDS:.0f} s")
