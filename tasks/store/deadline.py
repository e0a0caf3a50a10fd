"""Calls that may never return (a shared folder or an object store that stalls), each given up after a while."""

from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

R = TypeVar("R")
AT_ONCE = 8
"""Calls that run side by side."""


def within(seconds: float, call: Callable[[], R]) -> R:
    """What the call returns. Raises TimeoutError where it has not returned in time, and what the call raises."""
    return each([call], seconds)[0]


def each(calls: Sequence[Callable[[], R]], seconds: float) -> list[R]:
    """What the calls return, AT_ONCE of them side by side. Raises the first error, and TimeoutError where no call ends
    for so long.

    A call that is given up keeps its thread, which ends with the process; those that have not begun are left out.
    """
    waiting = deque(enumerate(calls))
    ended: SimpleQueue[tuple[int, R | None, BaseException | None]] = SimpleQueue()

    def work() -> None:
        while waiting:
            try:
                number, call = waiting.popleft()
            except IndexError:  # another thread took the last one
                return
            try:
                ended.put((number, call(), None))
            except BaseException as error:  # handed to the caller, who raises it
                ended.put((number, None, error))

    for _ in range(min(AT_ONCE, len(calls))):
        Thread(target=work, daemon=True).start()
    results: dict[int, R] = {}
    try:
        for _ in calls:
            number, result, error = ended.get(timeout=seconds)
            if error is not None:
                raise error
            results[number] = result  # type: ignore[assignment]
    except Empty:
        raise TimeoutError(f"no answer within {seconds:.0f} s") from None
    finally:
        waiting.clear()
    return [results[number] for number in range(len(calls))]
