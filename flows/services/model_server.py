"""A registered model behind MLflow's own scoring server, on loopback, in its pinned environment."""

import os
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from .child_processes import Guarded, child_environment
from .relay import front
from .service_error import ServiceError

if TYPE_CHECKING:
    from tasks.tracking.named import Named, Packed


HOST = "127.0.0.1"
GRACE = 5.0
"""Seconds within which a server that is asked to end finishes what it is asked."""

LEAKING = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_ACTIVE_MODEL_ID")
"""What a shell may have set for trainings and a server has no use for."""


class Env(StrEnum):
    """In which environment the model is served."""

    local = "local"
    uv = "uv"
    virtualenv = "virtualenv"


def require_free(port: int) -> None:
    """Raise ServiceError where the port cannot be had."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ServiceError(f"port {port} cannot be had ({error.strerror}); name another with --port") from None


def choose(named: "Named", packed: "Packed", env: Env | None) -> str:
    """What is stated about the environment. Raises ServiceError where it is not the model's and none was asked for."""
    from tasks.tracking.named import mismatches

    if env in (Env.uv, Env.virtualenv):
        if env is Env.uv and shutil.which("uv", path=_path()) is None:
            raise ServiceError("--env uv needs uv, which is not there; install it, or take --env virtualenv")
        return f"serving {named} in an environment of its {len(packed.requirements)} pinned packages, made by {env}"
    differ = mismatches(packed.requirements)
    if not differ:
        return f"serving {named} here: the {len(packed.requirements)} packages that it pins are installed as pinned"
    differences = "".join(f"\n  {line}" for line in differ)
    if env is Env.local:
        return f"serving {named} here, although packages differ from those that it pins:{differences}"
    raise ServiceError(
        f"{named} pins other packages than are installed here:{differences}\nserve it with --env uv, which "
        "builds its pinned environment, or with --env local, which serves it all the same"
    )


@contextmanager
def serving(uri: str, port: int, env: Env) -> Iterator[Guarded]:
    """MLflow's scoring server for as long as this lasts, and not longer even if this process is killed.

    It takes requests from any page that a browser shows, so it listens on a Unix socket, and a guard on the port.
    """
    import tempfile

    from configs.settings import settings

    tracking = settings().tracking
    given = child_environment(
        **dict.fromkeys(LEAKING), PATH=_path(), MLFLOW_TRACKING_URI=tracking, MLFLOW_REGISTRY_URI=tracking
    )
    folder = Path(tempfile.mkdtemp(prefix="temper-"))
    given["UVICORN_UDS"] = str(folder / "model.sock")  # of uvicorn's settings this one counts before host and port
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "--model-uri",
        uri,
        "--env-manager",
        env.value,
        "--host",
        HOST,
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    server = Guarded.start("MLflow's server", command, env=given, grace=GRACE)
    try:
        with front(port, folder / "model.sock", GRACE):
            yield server
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)


def _path() -> str:
    """Where MLflow finds uvicorn and uv: next to this Python first."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def wait(server: Guarded, port: int) -> None:
    """Until the server answers; it may take as long as it lives, since it may be building an environment.

    Raises ServiceError where it ends.
    """
    while (code := server.ended()) is None:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/ping", timeout=5) as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    fail(code)


def fail(code: int) -> None:
    """Raise ServiceError for a server that ended by itself."""
    raise ServiceError(f"MLflow's server ended with code {code}; its own lines above say why")
