"""Three numbers for one quantity: low, expected and high."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Range:
    """low <= expected <= high; the aim is that what happens lies in between nine times of ten."""

    low: float
    expected: float
    high: float

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(self, low: float, expected: float, high: float) -> "Range":
        """Each number with a factor of its own."""
        return Range(self.low * low, self.expected * expected, self.high * high)

    def scaled(self, factor: float) -> "Range":
        """All three with one factor."""
        return self.times(factor, factor, factor)

    def holds(self, value: float) -> bool:
        """Whether a value lies between low and high."""
        return self.low <= value <= self.high


NOTHING = Range(0.0, 0.0, 0.0)


def exactly(value: float) -> Range:
    """A quantity that is known."""
    return Range(value, value, value)


def largest(ranges: Sequence[Range]) -> Range:
    """The largest of quantities that are not there at once, number by number."""
    return Range(
        max((item.low for item in ranges), default=0.0),
        max((item.expected for item in ranges), default=0.0),
        max((item.high for item in ranges), default=0.0),
    )


def predicted(samples: Sequence[tuple[float, float]], work: Range, fixed: tuple[float, float], spread: float) -> Range:
    """What a quantity comes to for this work. samples: work and quantity of earlier stages, at least one.

    Of each sample a part is fixed and the rest grows with the work; fixed: that part as a number, and as a share, of
    which the larger counts. expected is the median over samples; low and high are their extremes, drawn apart by
    `spread` (a factor, 1 for not at all) for one sample and by less for several.
    """
    wider = 1 + (spread - 1) / len(samples) ** 0.5
    lines = []
    for done, quantity in samples:
        still = min(max(fixed[0], fixed[1] * quantity), quantity)
        lines.append((still, (quantity - still) / max(done, 1.0)))
    low, expected, high = (
        [still + slope * size for still, slope in lines] for size in (work.low, work.expected, work.high)
    )
    return Range(min(low) / wider, median(expected), max(high) * wider)
