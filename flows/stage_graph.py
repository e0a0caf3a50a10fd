"""The stages without Prefect: which takes what, as their signatures say it, for commands that run no flow."""

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from configs.stages import STAGES

if TYPE_CHECKING:
    from configs.schema import Recipe
    from tasks.artifact import Artifact
    from tasks.cached import Stage
    from tasks.output import Outcome


def wiring() -> list[tuple[str, str, list[str]]]:
    """Per stage in order: its name, the noun of what it makes ("" for register), and those that it takes."""
    wires = []
    for name in STAGES:
        opened: Any = stage(name)
        takes = list(inspect.signature(getattr(opened, "body", opened)).parameters)[2:]
        wires.append((name, getattr(opened, "makes", ""), takes))
    return wires


def stage(name: str) -> "Stage[Any]":
    """The stage of this name."""
    task: Stage[Any] = getattr(importlib.import_module(f"tasks.{name}"), name)
    return task


def perform_until(recipe: "Recipe", last: str) -> "dict[str, Outcome[Artifact]]":
    """Run or serve the stages up to `last`, outside Prefect; what each came to, by stage."""
    outcomes: dict[str, Outcome[Artifact]] = {}
    artifacts: dict[str, Artifact] = {}
    for name, noun, takes in wiring():
        opened = stage(name)
        inputs = dict(zip(opened.parameters, (artifacts[t] for t in takes), strict=True))
        outcomes[name] = opened.run_or_load(getattr(recipe, name), inputs)
        artifacts[noun] = outcomes[name].result
        if name == last:
            return outcomes
    raise ValueError(f"{last} is not a stage of the flow")
