"""What stages take on a machine that has no measurements yet: wide, and on the safe side."""

from configs.kinds import traits_of

from .three_numbers import Range

MIB = 2**20
SECONDS: dict[str, tuple[Range, Range]] = {
    "download": (Range(0.02, 0.5, 5), Range(1e-6, 5e-5, 2e-3)),
    "validate": (Range(0.5, 4, 20), Range(1e-6, 1e-4, 2e-3)),
    "clean": (Range(0.02, 0.5, 5), Range(1e-6, 2e-4, 5e-3)),
    "split": (Range(0.02, 0.5, 5), Range(1e-6, 3e-4, 5e-3)),
    "encode": (Range(0.05, 1, 10), Range(1e-6, 3e-4, 1e-2)),
    "reference": (Range(1, 5, 30), Range(1e-4, 2e-2, 1)),
    "teacher": (Range(1, 5, 30), Range(1e-4, 2e-2, 1)),
    "train": (Range(1, 6, 40), Range(5e-5, 5e-3, 1)),
    "evaluate": (Range(0.5, 5, 30), Range(1e-4, 1e-2, 5)),
    "register": (Range(3, 12, 60), Range(0, 0, 0)),
}
"""Seconds that do not depend on the rows, and seconds per row (of a training per pass of one)."""
MEMORY: dict[str, Range] = {
    "train": Range(500 * MIB, 1200 * MIB, 8192 * MIB),
    "evaluate": Range(500 * MIB, 1200 * MIB, 6144 * MIB),
    "reference": Range(500 * MIB, 1200 * MIB, 8192 * MIB),
    "teacher": Range(500 * MIB, 1200 * MIB, 8192 * MIB),
}
USUAL_MEMORY = Range(250 * MIB, 650 * MIB, 1536 * MIB)
DISK: dict[str, tuple[Range, Range]] = {
    "train": (Range(0.1 * MIB, 100 * MIB, 4096 * MIB), Range(0, 0, 0)),
    "evaluate": (Range(20_000, 500_000, 3 * MIB), Range(20, 200, 5000)),
    "register": (Range(0, 0, 1), Range(0, 0, 0)),
}
USUAL_DISK = (Range(5_000, 100_000, 2 * MIB), Range(10, 150, 3000))
IMAGES = 20
"""Images take so many times the bytes and seconds per row of texts, at most."""
WRITTEN = (1, 30, 4)
"""A row whose reply is written token by token takes so many times the low, expected and high seconds of one that is
read."""


def default_cost(stage: str, kind: str, work: Range) -> tuple[Range, Range, Range]:
    """Seconds, bytes of memory and bytes written by a stage of which this machine has no measurement."""
    fixed, each = SECONDS[stage]
    still, more = DISK.get(stage, USUAL_DISK)
    if kind in ("image", "images"):
        each, more = each.times(1, 3, IMAGES), more.times(1, 3, IMAGES)
    if stage == "evaluate" and traits_of(kind).generates:
        each = each.times(*WRITTEN)
    return fixed + _times(each, work), MEMORY.get(stage, USUAL_MEMORY), still + _times(more, work)


def _times(each: Range, work: Range) -> Range:
    return Range(each.low * work.low, each.expected * work.expected, each.high * work.high)
