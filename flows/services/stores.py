"""Both servers, or their databases, are asked before work starts: they answer in seconds, or one line says why."""

import os
import socket
import sys
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from configs.secrets import masked
from configs.servers import known
from tasks.data.escape import terminal

from .databases import database
from .service_error import ServiceError

PATIENCE = 3.0
"""Seconds that a server or a locked database has."""
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
Owner = Literal["Prefect", "MLflow"]


def require(*owners: Owner) -> None:
    """Raise ServiceError where what keeps Prefect's or MLflow's records cannot be used, saying where and the fix."""
    if "MLflow" in owners:
        say_other_registry()
    for owner in owners:
        address, variable = _prefect() if owner == "Prefect" else _mlflow()
        if address.startswith(("http://", "https://")):
            _require_answer(owner, address, variable)
        elif address.startswith("sqlite"):
            require_database(owner, Path(address.partition(":///")[2]))
        elif (scheme := address.partition(":")[0].partition("+")[0]) in PORTS:
            _require_port(owner, address, PORTS[scheme], variable)
        elif "://" not in address or scheme == "file":
            raise ServiceError(
                f"{variable} is {masked(address)}, a store of files, which MLflow no longer writes; "
                "name a database (sqlite:////FOLDER/mlflow.db) or a server, or unset it"
            )


def _prefect() -> tuple[str, str]:
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_API_URL

    from configs.settings import settings

    if url := PREFECT_API_URL.value():
        return str(url).rstrip("/"), "PREFECT_API_URL"
    if servers := known(settings().mlruns):
        return servers.prefect, f"`temper up` (process {servers.pid})"
    return str(PREFECT_API_DATABASE_CONNECTION_URL.value()), "PREFECT_API_DATABASE_CONNECTION_URL"


def _mlflow() -> tuple[str, str]:
    from configs.settings import settings

    place = settings()
    if place.tracking_uri:
        return place.tracking.rstrip("/"), "MLFLOW_TRACKING_URI"
    servers = known(place.mlruns)
    return place.tracking, f"`temper up` (process {servers.pid})" if servers else "MLFLOW_TRACKING_URI"


def say_other_registry() -> None:
    """Report it where MLFLOW_TRACKING_URI names another registry than the one that `temper up` serves for this home."""
    from configs.settings import settings

    place = settings()
    servers = known(place.mlruns)
    if servers is None or not place.tracking_uri:
        return
    used = place.tracking.rstrip("/").replace("//localhost:", "//127.0.0.1:")
    if used != servers.mlflow.rstrip("/").replace("//localhost:", "//127.0.0.1:") and masked(used) != servers.database:
        print(
            terminal(
                f"note: MLFLOW_TRACKING_URI names the registry {masked(used)}; `temper up` (process "
                f"{servers.pid}) shows and retrains against {servers.mlflow}. Unset it to use that one"
            ),
            file=sys.stderr,
            flush=True,
        )


def _require_answer(owner: Owner, address: str, variable: str) -> None:
    """A server answers, whatever it thinks of who asks."""
    parts = urlsplit(address)
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    try:
        with urllib.request.urlopen(f"{plain}/health", timeout=PATIENCE):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403):  # a login that the client sends
            return
        reason = f"answers {error.code}"
    except (OSError, ValueError) as error:
        reason = f"does not answer within {PATIENCE:.0f} s ({getattr(error, 'reason', error)})"
    fix = f"end {variable} and start it again" if variable.startswith("`") else f"start it, or unset {variable}"
    raise ServiceError(f"{owner}'s server {masked(address)} {reason}; {fix}")


def _require_port(owner: Owner, address: str, port: int, variable: str) -> None:
    parts = urlsplit(address)
    if not parts.hostname:  # a socket in a folder, or an address that the driver understands
        return
    try:
        socket.create_connection((parts.hostname, parts.port or port), PATIENCE).close()
    except (OSError, ValueError) as error:
        raise ServiceError(
            f"{owner}'s database {masked(address)} cannot be reached ({error}); start it, or set {variable} to another"
        ) from None


def require_database(owner: Owner, file: Path) -> None:
    """An SQLite file is one that the installed package can use, and nobody keeps it locked. Raises ServiceError."""
    _require_unlocked(owner, file)
    finding = database(owner, file)
    if finding.state == "broken":
        raise ServiceError(f"{finding.what}: {finding.detail}; to fix it: {finding.fix}")


def _require_unlocked(owner: Owner, file: Path) -> None:
    import sqlite3  # `--help` does without it

    if not file.is_file() or file.stat().st_size == 0 or not os.access(file, os.W_OK):
        return
    uri = f"{file.absolute().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)) as connection:
            connection.execute("begin immediate")
            connection.execute("rollback")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise ServiceError(
                f"{owner}'s database {file} is locked by another process for more than {PATIENCE:.0f} "
                f"s; end that one (`fuser {file}` names it) and try again"
            ) from None
    except sqlite3.DatabaseError:  # no database at all: said by whoever looks into it
        return
