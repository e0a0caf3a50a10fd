"""What making an artifact took, for its manifest."""

import sys
import time

from ..documents import Making


def making(seconds: float) -> Making:
    """With the threads that torch has here, where a stage has loaded it: they shape the last digits of results."""
    taken: Making = {"seconds": round(seconds, 3), "at": int(time.time())}
    torch = sys.modules.get("torch")
    return taken if torch is None else {**taken, "threads": int(torch.get_num_threads())}
