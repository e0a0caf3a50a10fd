"""What a run does before it must: it loads the libraries of the stages that are due, and starts what will be asked."""

import importlib
from typing import TYPE_CHECKING

from configs.environment import loading
from tasks.store.events import Event
from tasks.tracking import lookup

if TYPE_CHECKING:
    from .plan import Planned

ENGINE = ("flows.finetune", "prefect.flow_engine", "prefect.task_engine", "prefect.artifacts",
          "prefect.telemetry.run_telemetry", "fastapi.encoders", "tasks.data.ledger")  # fmt: skip
"""What every run needs, and Prefect loads at its first flow, task and artifact."""
LOADS = {"validate": ("great_expectations",), "train": ("tasks.learn.fit", "tasks.tracking.runs")}
"""What takes seconds to import, by the stage that is the first to need it."""


def load_ahead(plan: "Planned | None") -> None:
    """While the Prefect server starts, import what the run will need, and the stages that are not cached; where all
    are, a second process gets ready to ask the registry."""
    names = due(plan)
    if not names:
        lookup.warm()
    with loading():
        for name in (*ENGINE, *names):
            importlib.import_module(name)


def due(plan: "Planned | None") -> list[str]:
    """Modules of the stages that `temper plan` does not find cached; none where it cannot say."""
    stages = [] if plan is None else plan[0]
    return [name for line in stages if line["status"] != "cached" for name in LOADS.get(line["stage"], ())]


def prove_ahead(event: Event) -> None:
    """When a model has been trained, start the process that will prove it, so that it is ready once that is scored."""
    if (event.stage, event.kind) == ("train", "finished") and event.status != "cached":
        from tasks.tracking.proof import prove_soon

        prove_soon()
