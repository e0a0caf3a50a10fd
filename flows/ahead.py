"""What a run does while its Prefect server starts: it loads the libraries of the stages that are due."""

import importlib

from configs.schema import Recipe

LOADS = {"validate": ("great_expectations",), "train": ("tasks.learn.fit", "tasks.tracking.runs")}
"""What takes seconds to import, by the stage that is the first to need it."""


def load_ahead(recipe: Recipe) -> None:
    """Import what the stages that are not cached will need."""
    for name in due(recipe):
        importlib.import_module(name)


def due(recipe: Recipe) -> list[str]:
    """Modules of the stages that `temper plan` does not find cached; none where it cannot say."""
    from tasks.artifact import StageError
    from tasks.data.errors import DataError

    from .plan import plan

    try:
        stages, _, _ = plan(recipe, ask=False)
    except (DataError, StageError, OSError):  # the stage itself will say it, where Prefect takes note of it
        return []
    return [name for line in stages if line["status"] != "cached" for name in LOADS.get(line["stage"], ())]
