"""What a stage takes by this machine's measurements of stages like it; without any, by defaults."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.store.measurements import Measurement, load, slowdown

from .defaults import MIB, default_cost
from .steps import STAGE as STEPS
from .three_numbers import Range, predicted

UNMEASURED = "no run here yet"
"""What the estimate of a stage rests on that was never computed here: defaults."""
KIND = "of this kind"
"""The farthest tier: stages with other settings."""
LATEST = 8
"""So many of the latest measurements that are alike count."""
FIXED = {
    "seconds": {"validate": (3.0, 0.3), "train": (3.0, 0.0), "evaluate": (3.0, 0.3), "register": (0.0, 1.0)},
    "memory": {"train": (600.0 * MIB, 0.9), "evaluate": (600.0 * MIB, 0.8)},
    "disk": {"train": (0.0, 0.95)},
}
"""What of a stage's seconds and bytes does not grow with its rows: a number, and a share."""
NARROWER = {("memory", ""): 0.5, ("disk", ""): 0.5, ("disk", "train"): 2.0}
"""How much of a tier's spread memory and disk have: they vary less than time, but checkpoints come and go."""
USUAL = {"seconds": (0.2, 0.0), "memory": (400.0 * MIB, 0.6), "disk": (20_000.0, 0.0)}
"""The same of all other stages."""


@dataclass(frozen=True)
class Cost:
    """Seconds, bytes of memory at most, and bytes written (scratch files of the stage included)."""

    seconds: Range
    memory: Range
    disk: Range


@dataclass(frozen=True)
class Task:
    """A stage that is due, as measurements name it; work: rows or passes of rows."""

    stage: str
    recipe: str
    kind: str
    alike: str
    work: Range


@dataclass(frozen=True)
class Tier:
    """Measurements that are near a stage in one respect. words: for a person; spread: how far low and high are drawn
    apart for a single one."""

    stage: str
    words: str
    spread: float
    near: Callable[[Measurement], bool]


def tiers(task: Task) -> list[Tier]:
    """Which measurements count, the nearest first."""
    same = (task.kind, task.alike)
    return [
        Tier(task.stage, "of this recipe", 1.5, lambda line: line.recipe == task.recipe and _same(line) == same),
        Tier(task.stage, "with these settings", 1.7, lambda line: _same(line) == same),
        *([Tier(STEPS, "a few real steps", 1.6, lambda line: _same(line) == same)] if task.stage == "train" else []),
        Tier(task.stage, KIND, 3.0, lambda line: line.kind == task.kind),
    ]


def is_measured(basis: str) -> bool:
    """Whether an estimate rests on a stage with these settings, or on real steps: neither on others nor on defaults."""
    return basis != UNMEASURED and not basis.endswith(KIND)


def _same(line: Measurement) -> tuple[str, str]:
    return line.kind, line.alike


def nearest(task: Task, past: Sequence[Measurement]) -> tuple[Tier, list[Measurement]] | None:
    """The latest measurements of the nearest tier that has any; None where no stage like this one was ever computed."""
    for tier in tiers(task):
        samples = [line for line in past if line.stage == tier.stage and tier.near(line)][-LATEST:]
        if samples:
            return tier, samples
    return None


def cost_of(task: Task, past: Sequence[Measurement]) -> tuple[Cost, str]:
    """What a stage takes, and what that rests on."""
    near = nearest(task, past)
    if near is None:
        return Cost(*default_cost(task.stage, task.kind, task.work)), UNMEASURED
    tier, samples = near
    ranges = [
        predicted(
            [(line.work, _quantity(line, name)) for line in samples],
            task.work,
            FIXED[name].get(task.stage, USUAL[name]),
            1 + (tier.spread - 1) * NARROWER.get((name, task.stage), NARROWER.get((name, ""), 1.0)),
        )
        for name in ("seconds", "memory", "disk")
    ]
    count = "" if tier.stage == STEPS else f"{len(samples)} run{'s' * (len(samples) > 1)} "
    return Cost(*ranges), f"{count}{tier.words}"


def _quantity(line: Measurement, name: str) -> float:
    """What a stage took; its seconds as they would be under the load that the machine has now."""
    value = float(getattr(line, name))
    return value * slowdown(load()) / slowdown(line.load) if name == "seconds" else value
