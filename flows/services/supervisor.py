"""The servers and the worker of `temper up`: started together, watched, and ended together."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from .child_processes import Guarded, child_environment
from .named_runs import name_scheduled
from .servers import Server, require_free, wait
from .service_error import ServiceError
from .upkeep import Upkeep

GRACE = 25.0
"""Seconds within which runs end, with a last word to their server."""
NAMING = 20.0
"""Seconds between two looks for scheduled runs that Prefect gave a name of its own."""
POLLING = "5"
"""Seconds between two looks of the worker for runs that are due."""
LINES = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS": "flows.services.run_lines.RunLines",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_FORMATTERS_STANDARD_FLOW_RUN_FMT": "%(asctime)s %(flow_run_name)s: %(message)s",
    "PREFECT_LOGGING_FORMATTERS_STANDARD_TASK_RUN_FMT": "%(asctime)s %(flow_run_name)s: %(message)s",
    "PREFECT_LOGGING_COLORS": "false",
}
"""Prefect's switches for the lines of the worker and of its runs."""


def start(stack: ExitStack, servers: Sequence[Server], say: Callable[[str], None]) -> list[Guarded]:
    """Start what is not configured already, all at once, and wait until each answers. Raises ServiceError."""
    for server in servers:
        require_free(server)
    running = []
    for server in servers:
        if server.command:
            say(f"starting {server.name}; its log: {server.log}")
            process = Guarded.start(server.name, server.command, env=server.env, grace=8.0, log=server.log)
            stack.callback(process.end)
            running.append(process)
    for server in servers:
        wait(server, next((process for process in running if process.name == server.name), None))
    return running


def start_worker(stack: ExitStack, prefect: str, mlflow: str, *, pool: str, limit: int) -> Guarded:
    """The process that begins runs when they are due; what they say goes to this terminal."""
    env = child_environment(
        PREFECT_API_URL=prefect,
        MLFLOW_TRACKING_URI=mlflow,
        PREFECT_WORKER_QUERY_SECONDS=POLLING,
        TEMPER_DATABASE=None,
        **LINES,
    )
    command = [sys.executable, "-m", "flows.services.scheduled_worker", pool, str(limit)]
    worker = Guarded.start("the worker", command, env=env, grace=GRACE)
    stack.callback(worker.end)
    return worker


def stay(running: Sequence[Guarded], prefect: str, upkeep: Upkeep | None) -> None:
    """Until a signal comes, or a part ends, which ends the rest; meanwhile scheduled runs are named by their recipe,
    and once a day what nothing needs is deleted.

    Raises ServiceError.
    """
    named = -NAMING
    while True:
        if time.monotonic() - named > NAMING:
            name_scheduled(prefect)
            named = time.monotonic()
        if upkeep is not None:
            upkeep.look()
        for part in running:
            if (code := part.ended()) is not None:
                raise ServiceError(f"{part.name} ended with code {code}; everything was stopped. {part.last_words()}")
        time.sleep(0.5)
