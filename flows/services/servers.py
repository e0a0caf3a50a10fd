"""The two servers of `temper up`: what starts them, on which database, and whether they answer."""

import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from configs.secrets import masked

from .child_processes import Guarded, child_environment
from .postgres import prepare
from .service_error import ServiceError
from .stores import require, require_database
from .temporary_server import answers

PATIENCE = 180.0
"""Seconds that a server may take until it answers; a database that is migrated takes its time."""


@dataclass(frozen=True)
class Stores:
    """Where both servers keep what they know: Prefect's settings, MLflow's address."""

    prefect: Mapping[str, str] = field(default_factory=dict)
    mlflow: str | None = None


@dataclass(frozen=True)
class Server:
    """A server: its address and health page; command, environment and log where it is one of our own."""

    name: str
    url: str
    health: str
    port: int = 0
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None


def databases(address: str | None) -> Stores:
    """Both on PostgreSQL, or each on its SQLite file, which must be one that the installed package can use.

    Raises ServiceError.
    """
    if address:
        from configs.settings import settings

        if (given := settings().tracking_uri) and not configured("MLflow"):
            raise ServiceError(
                f"MLflow's store is named twice, by --database and by MLFLOW_TRACKING_URI "
                f"({masked(given)}); leave one out"
            )
        return Stores(*prepare(address))
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

    from configs.settings import settings

    if settings().tracking_uri:
        require("MLflow")
    places = {"Prefect": str(PREFECT_API_DATABASE_CONNECTION_URL.value()), "MLflow": settings().database}
    for owner, url in places.items():
        if url.startswith("sqlite") and not configured(owner):
            require_database("Prefect" if owner == "Prefect" else "MLflow", Path(url.partition(":///")[2]))
    return Stores()


def configured(owner: str) -> str | None:
    """The address of a server that somebody else keeps."""
    if owner == "Prefect":
        from prefect.settings import PREFECT_API_URL

        return str(PREFECT_API_URL.value() or "") or None
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    return uri.rstrip("/") if uri.startswith("http") else None


def prefect_server(port: int, stores: Stores) -> Server:
    """Prefect's server with interface, scheduler and automations; pages of others are refused."""
    from configs.settings import settings

    if url := configured("Prefect"):
        return Server("Prefect's server", url, f"{url}/health")
    url = f"http://127.0.0.1:{port}/api"
    env = child_environment(
        PREFECT_API_URL=None,
        PREFECT_SERVER_API_HOST="127.0.0.1",
        PREFECT_SERVER_API_PORT=str(port),
        PREFECT_UI_API_URL=url,
        PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT="false",
        PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED="events,flow_runs",
        PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD=str(int(settings().keep_days * 24 * 3600)),
        TEMPER_DATABASE=None,
        **stores.prefect,
    )
    command = (sys.executable, "-m", "flows.services.prefect_server", str(port))
    return Server(
        "Prefect's server", url, f"{url}/health", port, command, env, settings().mlruns / "logs" / "prefect.log"
    )


def mlflow_server(port: int, stores: Stores) -> Server:
    """MLflow's tracking server and registry; clients write artifacts to their place themselves, as without it."""
    from configs.settings import settings

    place = settings()
    if url := configured("MLflow"):
        return Server("MLflow's server", url, f"{url}/health")
    url = f"http://127.0.0.1:{port}"
    env = child_environment(
        MLFLOW_TRACKING_URI=None,
        MLFLOW_BACKEND_STORE_URI=stores.mlflow or place.database,
        MLFLOW_DEFAULT_ARTIFACT_ROOT=(place.mlruns / "artifacts").as_uri(),
        TEMPER_DATABASE=None,
    )
    command = (sys.executable, "-m", "flows.services.mlflow_server", str(port))
    return Server("MLflow's server", url, f"{url}/health", port, command, env, place.mlruns / "logs" / "mlflow.log")


def require_free(server: Server) -> None:
    """Nobody may listen where the server is to be. Raises ServiceError."""
    if not server.command:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", server.port))
        except OSError as error:
            problem = f"{server.name} cannot have port {server.port}: {error.strerror}"
            if answers(server.health):
                problem += "; a server that this Temper did not start answers there, and is left alone"
            option = "--prefect-port" if "Prefect" in server.name else "--mlflow-port"
            raise ServiceError(f"{problem}. End it, or choose another port with {option}") from None


def wait(server: Server, process: Guarded | None) -> None:
    """Until the server answers, and its process lives. Raises ServiceError."""
    end = time.monotonic() + (PATIENCE if process else 5)
    while time.monotonic() < end:
        if process is not None and (code := process.ended()) is not None:
            raise ServiceError(f"{server.name} ended with code {code}:\n{process.last_words()}")
        if answers(server.health):
            return
        time.sleep(0.2)
    if process is None:
        variable = "PREFECT_API_URL" if "Prefect" in server.name else "MLFLOW_TRACKING_URI"
        raise ServiceError(f"nothing answers at {server.health}; start {server.name}, or unset {variable}")
    raise ServiceError(f"{server.name} did not answer within {PATIENCE:.0f} s; its log: {server.log}")
