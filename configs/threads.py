"""How many threads torch takes here, found without loading it: another number adds up in another order."""

import os

from .settings import settings


def expected_threads() -> int:
    """TEMPER_THREADS, else what torch takes by itself: OMP_NUM_THREADS, at most the cores that this process may use."""
    import psutil  # type: ignore[import-untyped]

    if (own := settings().threads) is not None:
        return own
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = min(psutil.cpu_count(logical=False) or usable, usable)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        value = os.environ.get(name, "").partition(",")[0]
        if value.isdecimal() and int(value) > 0:
            return min(int(value), cores)
    return cores


def described_difference(stage: str, recorded: int) -> str:
    """What another number of threads means for a cached stage; empty where it is the same."""
    here = expected_threads()
    if here == recorded:
        return ""
    difference = f"{stage} was made with {recorded} thread{'s' * (recorded != 1)}, and {here} would be taken here"
    return (
        f"{difference}: trained again its weights would differ in their last digits; "
        f"TEMPER_THREADS={recorded} takes as many"
    )


def kept_threads(recorded: int | None, own: int | None) -> str:
    """What is reported of a resumed training that uses another number than this process would take; else nothing."""
    here = own or expected_threads()
    if recorded in (None, here):
        return ""
    return f", with {recorded} thread{'s' * (recorded != 1)} as it began, in place of {here}"
