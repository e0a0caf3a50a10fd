"""Memory that a finished stage no longer needs, returned to the system before the next one begins."""

import ctypes
import gc
import sys


def release_memory() -> None:
    """Collect what nothing refers to, and return what glibc keeps of it.

    A training frees gigabytes in small pieces, which glibc keeps for later: the 17 GB that training a language model of
    135 million parameters took would still be held while it is evaluated. Other C libraries return by themselves.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
