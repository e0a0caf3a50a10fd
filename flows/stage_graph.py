"""The spine without Prefect: which stage takes what, read from the flow itself, for commands that run no flow."""

import ast
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from configs.schema import Recipe
    from tasks.artifact import Artifact
    from tasks.cached import Outcome, Stage

FLOW = Path(__file__).with_name("finetune.py")


def wiring() -> list[tuple[str, str, list[str]]]:
    """Per call of `finetune`: the stage, the name of what it makes ("" for the last), the names it takes."""
    from tasks.store.code import parse

    tree = parse(FLOW.read_text(encoding="utf-8"))
    flow = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "finetune")
    found = []
    for line in flow.body:
        call = line.value if isinstance(line, (ast.Assign, ast.Return)) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            made = line.targets[0].id if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name) else ""
            found.append((call.func.id, made, [a.id for a in call.args if isinstance(a, ast.Name)]))
    return found


def stage(name: str) -> "Stage[Any]":
    """The stage of this name."""
    found: Stage[Any] = getattr(importlib.import_module(f"tasks.{name}"), name)
    return found


def perform_until(recipe: "Recipe", last: str) -> "dict[str, Outcome[Artifact]]":
    """Run or serve the stages up to `last`, outside Prefect; what each came to, by stage."""
    outcomes: dict[str, Outcome[Artifact]] = {}
    made: dict[str, Artifact] = {}
    for name, noun, takes in wiring():
        one = stage(name)
        inputs = dict(zip(one.parameters, (made[t] for t in takes), strict=True))
        outcomes[name] = one.run_or_load(getattr(recipe, name), inputs)
        made[noun] = outcomes[name].result
        if name == last:
            return outcomes
    raise ValueError(f"{last} is not a stage of the flow")
