"""Hooks of every flow: the process of a run holds its file while it lasts, so that a killed run can be detected."""

from typing import Any

from tasks.store import living


def _hold(flow: Any, flow_run: Any, state: Any) -> None:
    living.hold("flow", str(flow_run.id))


def _release(flow: Any, flow_run: Any, state: Any) -> None:
    living.release("flow", str(flow_run.id))


def watched(*completed: Any) -> dict[str, Any]:
    """Arguments of `@flow`; `completed`: further hooks on its completion."""
    return {
        "on_running": [_hold],
        "on_completion": [*completed, _release],
        "on_failure": [_release],
        "on_cancellation": [_release],
        "on_crashed": [_release],
    }
