"""Properties are tried next to the threads that other tests leave behind in their process."""

import random
import threading

from hypothesis import given
from hypothesis import strategies as st


def test_a_property_passes_beside_a_thread_that_draws_numbers() -> None:
    """As the jitter of a client of Prefect's does; hypothesis takes it for a strategy that draws from `random`."""
    drawn = threading.Event()
    stopped = threading.Event()

    def draw() -> None:
        while not stopped.is_set():
            random.random()
            drawn.set()

    @given(st.lists(st.text(), min_size=3))
    def holds(texts: list[str]) -> None:
        assert len(texts) >= 3

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        assert drawn.wait(10)
        holds()
    finally:
        stopped.set()
        thread.join()
