"""temper up: Prefect's server, MLflow's server and the scheduled recipes, for as long as this command runs."""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Annotated

import typer

from ..services.child_processes import Guarded, child_environment
from ..services.servers import Server, configured, databases, mlflow_server, prefect_server, require_free, wait
from ..services.temporary_server import ServiceError
from .failures import failures, until_stopped
from .schedule import POOL, tell

PREFECT_PORT, MLFLOW_PORT = 4200, 5000
GRACE = 25.0
"""Seconds within which runs end, with a last word to their server."""
NAMING = 20.0
"""Seconds between two looks for scheduled runs that Prefect gave a name of its own."""
POLLING = "5"
"""Seconds between two looks of the worker for runs that are due."""

Database = Annotated[
    str | None,
    typer.Option("--database", envvar="TEMPER_DATABASE", metavar="URL",
                 help="postgresql://… for both servers (the variable keeps the password off the command line); default "
                 "SQLite files."),
]  # fmt: skip


def command(
    prefect_port: Annotated[int, typer.Option("--prefect-port", help="Port of Prefect's interface.")] = PREFECT_PORT,
    mlflow_port: Annotated[int, typer.Option("--mlflow-port", help="Port of MLflow's interface.")] = MLFLOW_PORT,
    database: Database = None,
    pool: Annotated[str, typer.Option("--pool", help="Work pool whose runs are done here.")] = POOL,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Runs at once, of different recipes.")] = 1,
) -> None:
    """Start both servers and every recipe in configs/ that has a schedule; stop all of it on Ctrl-C.

    Binds to 127.0.0.1. Runs that are started elsewhere with the same home find these servers by themselves. A server
    that is configured (PREFECT_API_URL, MLFLOW_TRACKING_URI) is used instead of one of its own. Runs whose process is
    gone are marked as crashed first; of runs that were missed the newest is made up for.
    """
    from configs.secrets import masked
    from configs.servers import Servers, announce, claimed
    from configs.settings import settings

    with failures():
        place = settings()
        with ExitStack() as stack, until_stopped():
            own = not (configured("Prefect") and configured("MLflow"))
            try:
                if own:  # workers beside servers elsewhere may share a home
                    stack.enter_context(claimed(place.mlruns))
            except BlockingIOError:
                raise ServiceError(f"`temper up` is at work for {place.home} already; end that one first") from None
            stores = databases(database)
            servers = [prefect_server(prefect_port, stores), mlflow_server(mlflow_port, stores)]
            running = start(stack, servers)
            prefect, mlflow = (server.url for server in servers)
            if own:
                database = servers[1].env.get("MLFLOW_BACKEND_STORE_URI")
                announce(place.mlruns, Servers(prefect, mlflow, os.getpid(), database and masked(database)))
            pages = f"{mlflow}/#/models?workflowType=machine_learning"  # else it opens beside chats, without models
            tell(f"Prefect:  {prefect.removesuffix('/api')}\nMLflow:   {pages}\nArtifacts: {place.store}")
            schedule(prefect, pool, shared=not servers[0].command)
            running.append(start_worker(stack, prefect, mlflow, pool=pool, limit=limit))
            tell("ready; Ctrl-C stops everything")
            stay(running, prefect)


def start(stack: ExitStack, servers: Sequence[Server]) -> list[Guarded]:
    """Start what is not configured already, all at once, and wait until each answers. Raises ServiceError."""
    for server in servers:
        require_free(server)
    running = []
    for server in servers:
        if server.command:
            tell(f"starting {server.name}; its log: {server.log}")
            process = Guarded.start(server.name, server.command, env=server.env, grace=8.0, log=server.log)
            stack.callback(process.end)
            running.append(process)
    for server in servers:
        wait(server, next((one for one in running if one.name == server.name), None))
    return running


def schedule(prefect: str, pool: str, *, shared: bool) -> None:
    """Put the recipes of configs/ on the schedule, take off those without one, mark what a crash left, skip what was
    missed."""
    from httpx import HTTPStatusError
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from ..services.crashed_runs import mark_crashed, skip_missed
    from .schedule import in_configs, pool_type, register, tell_lapsed

    with temporary_settings({PREFECT_API_URL: prefect}):
        pool_type(pool)
        for path, recipe in in_configs(tell):
            try:
                tell(f"scheduled {register(path, recipe, pool)}")
            except (ValueError, HTTPStatusError) as error:  # one recipe, or what Prefect says of it, stops no other
                tell(f"left out: {path}: {' '.join(str(error).split())}")
        tell_lapsed(shared=shared)
        with get_client(sync_client=True) as api:
            mark_crashed(api, tell, shared=shared)
            skip_missed(api, tell)


def start_worker(stack: ExitStack, prefect: str, mlflow: str, *, pool: str, limit: int) -> Guarded:
    """The process that begins runs when they are due; what they say goes to this terminal."""
    env = child_environment(PREFECT_API_URL=prefect, MLFLOW_TRACKING_URI=mlflow, PREFECT_WORKER_QUERY_SECONDS=POLLING,
                            PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL="INFO", PREFECT_LOGGING_COLORS="false",
                            TEMPER_DATABASE=None)  # fmt: skip
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process", "--limit",
               str(limit), "--name", f"temper on {os.uname().nodename}"]  # fmt: skip
    worker = Guarded.start("the worker", command, env=env, grace=GRACE)
    stack.callback(worker.end)
    return worker


def stay(running: Sequence[Guarded], prefect: str) -> None:
    """Until a signal comes, or a part ends, which ends the rest; meanwhile scheduled runs are named by their recipe.

    Raises ServiceError.
    """
    from ..services.named_runs import name_scheduled

    named = -NAMING
    while True:
        if time.monotonic() - named > NAMING:
            name_scheduled(prefect)
            named = time.monotonic()
        for part in running:
            if (code := part.ended()) is not None:
                raise ServiceError(f"{part.name} ended with code {code}; everything was stopped. {part.last_words()}")
        time.sleep(0.5)
