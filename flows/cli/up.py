"""temper up: Prefect's server, MLflow's server and the scheduled recipes, for as long as this command runs."""

import os
from contextlib import ExitStack
from typing import Annotated

import typer

from configs.secrets import masked
from configs.servers import Servers, announce, claimed
from configs.settings import settings

from ..deployments import POOL, schedule_recipes
from ..services.servers import configured, databases, mlflow_server, prefect_server
from ..services.service_error import ServiceError
from ..services.supervisor import start, start_worker, stay
from ..services.upkeep import Upkeep
from .console import print_line
from .failures import failures, until_stopped

PREFECT_PORT, MLFLOW_PORT = 4200, 5000


Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="TEMPER_DATABASE",
        metavar="URL",
        help="postgresql://… for both servers (the variable keeps the password off the command line); default "
        "SQLite files.",
    ),
]


def command(
    prefect_port: Annotated[int, typer.Option("--prefect-port", help="Port of Prefect's interface.")] = PREFECT_PORT,
    mlflow_port: Annotated[int, typer.Option("--mlflow-port", help="Port of MLflow's interface.")] = MLFLOW_PORT,
    database: Database = None,
    pool: Annotated[str, typer.Option("--pool", help="Work pool whose runs are done here.")] = POOL,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Runs at once, of different recipes.")] = 1,
    gc: Annotated[bool, typer.Option("--gc/--no-gc", help="Call `temper gc --delete` once a day.")] = True,
) -> None:
    """Start both servers and every recipe in configs/ that has a schedule; stop all of it on Ctrl-C.

    Binds to 127.0.0.1. Runs that are started elsewhere with the same home find these servers by themselves. A server
    that is configured (PREFECT_API_URL, MLFLOW_TRACKING_URI) is used instead of one of its own. Runs whose process is
    gone are marked as crashed first; of runs that were missed the newest is made up for. Flow runs that ended more than
    TEMPER_KEEP_DAYS (30) days ago are deleted with their logs and artifacts, and `temper gc --delete` is called once a
    day.
    """
    with failures():
        place = settings()
        with ExitStack() as stack, until_stopped():
            own = not (configured("Prefect") and configured("MLflow"))
            try:
                if own:  # workers next to servers elsewhere may share a home
                    stack.enter_context(claimed(place.mlruns))
            except BlockingIOError:
                raise ServiceError(f"`temper up` is at work for {place.home} already; end that one first") from None
            stores = databases(database)
            servers = [prefect_server(prefect_port, stores), mlflow_server(mlflow_port, stores)]
            running = start(stack, servers, print_line)
            prefect, mlflow = (server.url for server in servers)
            if own:
                database = servers[1].env.get("MLFLOW_BACKEND_STORE_URI")
                announce(place.mlruns, Servers(prefect, mlflow, os.getpid(), database and masked(database)))
            pages = f"{mlflow}/#/models?workflowType=machine_learning"  # else it opens next to chats, without models
            print_line(f"Prefect:  {prefect.removesuffix('/api')}\nMLflow:   {pages}\nArtifacts: {place.store}")
            schedule_recipes(prefect, pool, say=print_line, shared=not servers[0].command)
            running.append(start_worker(stack, prefect, mlflow, pool=pool, limit=limit))
            print_line("ready; Ctrl-C stops everything")
            stay(running, prefect, Upkeep(stack, mlflow if configured("MLflow") else None, print_line) if gc else None)
