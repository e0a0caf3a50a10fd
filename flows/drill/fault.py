"""A fault of the drill: what it is called, which gate is to catch it, and the copy of the pipeline that it lies in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..stage_graph import stage, wiring

if TYPE_CHECKING:
    from configs.schema import Recipe
    from tasks.artifact import Artifact
    from tasks.output import Outcome


class Uncaught(Exception):
    """The fault went through; the message says as far as where."""


class NotApplicable(Exception):
    """The fault cannot occur in this recipe; the message says why."""


@dataclass(frozen=True)
class Copy:
    """A copy of the pipeline: the small recipe, and what its stages up to `evaluate` made, in the process's own
    TEMPER_HOME."""

    recipe: "Recipe"
    artifacts: "Mapping[str, Artifact]"

    def inputs(self, name: str) -> "dict[str, Artifact]":
        """What a stage takes, by the names that it has there."""
        makers = {noun: maker for maker, noun, _ in wiring()}
        takes = next(takes for maker, _, takes in wiring() if maker == name)
        return {noun: self.artifacts[makers[noun]] for noun in takes}

    def run(self, name: str, **planted: "Artifact") -> "Outcome[Artifact]":
        """Run a stage as a flow does, on what was planted in place of its inputs."""
        return stage(name).run_or_load(getattr(self.recipe, name), self.inputs(name) | planted)

    def forget(self, name: str) -> None:
        """Remove what a stage made, so that it has to run again."""
        from tasks.store import disk

        disk.remove(self.artifacts[name].path)


@dataclass(frozen=True)
class Fault:
    """name: what is planted. gate: what is to catch it. work: plants it in a copy; what the gate stated, or raises
    Uncaught, NotApplicable."""

    name: str
    gate: str
    work: Callable[[Copy], str]


@dataclass(frozen=True)
class Finding:
    """What became of a fault. outcome: caught, uncaught, or not applicable; statement: of the gate, or why not."""

    fault: str
    gate: str
    outcome: str
    statement: str
    seconds: float

    def document(self) -> Mapping[str, Any]:
        """As JSON."""
        return {**self.__dict__, "seconds": round(self.seconds, 1)}
