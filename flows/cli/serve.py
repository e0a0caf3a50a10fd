"""temper serve: a registered model behind MLflow's own scoring server, on loopback, in its pinned environment."""

import json
import os
import shlex
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..services.child_processes import Guarded, child_environment
from .arguments import ModelVersion
from .failures import failures, until_stopped

if TYPE_CHECKING:
    from tasks.tracking.named import Named, Packed

HOST = "127.0.0.1"
GRACE = 5.0
"""Seconds within which a server that is told to end finishes what it is asked."""
SHOWN = 1_500
"""Characters of a request that are printed; a longer one is an image, of which the command that sends it is."""
LEAKING = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_ACTIVE_MODEL_ID")
"""What a shell may have set for trainings and a server has no use for."""


class Env(StrEnum):
    """In which environment the model is served."""

    local = "local"
    uv = "uv"
    virtualenv = "virtualenv"


def command(
    model: ModelVersion,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on this machine.")] = 5001,
    env: Annotated[
        Env | None,
        typer.Option("--env", help="local: as it is; uv, virtualenv: the model's pinned packages, built if need be."),
    ] = None,
) -> None:
    """Serve a registered model over HTTP with `mlflow models serve`, for this machine only.

    Without --env it is served here if the packages are exactly those that the model was made with, else refused.
    Ctrl-C ends it.
    """
    with failures():
        with until_stopped():
            _require_free(port)
            named, packed = _find(model)
            _say(choose(named, packed, env))
            with serving(named.uri, port, env or Env.local) as server:
                _wait(server, port)
                _say(f"{named} answers at http://{HOST}:{port}/invocations; Ctrl-C ends it. Try:\n\n"
                     f"{curl(packed.example, port)}\n")  # fmt: skip
                _fail(server.process.wait())
        _say(f"ended; port {port} is free again")


def _find(model: str) -> "tuple[Named, Packed]":
    from .console import Console

    with Console(stderr=True).status(f"looking up {model}"):
        from ..services.stores import require

        require("MLflow")
        from tasks.tracking.named import find_named, read_packed

        named = find_named(model)
        return named, read_packed(named)


def _require_free(port: int) -> None:
    from ..services.temporary_server import ServiceError

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ServiceError(f"port {port} cannot be had ({error.strerror}); name another with --port") from None


def choose(named: "Named", packed: "Packed", env: Env | None) -> str:
    """What is said of the environment. Raises ServiceError where it is not the model's and none was asked for."""
    from tasks.tracking.named import mismatches

    from ..services.temporary_server import ServiceError

    if env in (Env.uv, Env.virtualenv):
        if env is Env.uv and shutil.which("uv", path=_path()) is None:
            raise ServiceError("--env uv needs uv, which is not there; install it, or take --env virtualenv")
        return f"serving {named} in an environment of its {len(packed.requirements)} pinned packages, made by {env}"
    differ = mismatches(packed.requirements)
    if not differ:
        return f"serving {named} here: the {len(packed.requirements)} packages that it pins are installed as pinned"
    told = "".join(f"\n  {line}" for line in differ)
    if env is Env.local:
        return f"serving {named} here, although packages differ from those that it pins:{told}"
    raise ServiceError(f"{named} pins other packages than are installed here:{told}\nserve it with --env uv, which "
                       "builds its pinned environment, or with --env local, which serves it all the same")  # fmt: skip


@contextmanager
def serving(uri: str, port: int, env: Env) -> Iterator[Guarded]:
    """MLflow's scoring server for as long as this lasts, and not longer even if this process is killed.

    It takes requests from any page that a browser shows, so it listens on a Unix socket, and a guard on the port.
    """
    import tempfile

    from configs.settings import settings

    from ..services.relay import front

    tracking = settings().tracking
    given = child_environment(**dict.fromkeys(LEAKING), PATH=_path(), MLFLOW_TRACKING_URI=tracking,
                              MLFLOW_REGISTRY_URI=tracking)  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="temper-"))
    given["UVICORN_UDS"] = str(folder / "model.sock")  # of uvicorn's settings this one counts before host and port
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", uri, "--env-manager", env.value,
               "--host", HOST, "--port", str(port), "--workers", "1"]  # fmt: skip
    server = Guarded.start("MLflow's server", command, env=given, grace=GRACE)
    try:
        with front(port, folder / "model.sock", GRACE):
            yield server
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)


def _path() -> str:
    """Where MLflow finds uvicorn and uv: beside this Python first."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _wait(server: Guarded, port: int) -> None:
    """Until the server answers; it may take as long as it lives, since it may be building an environment."""
    from .console import Console

    with Console(stderr=True).status("starting the server"):
        while (code := server.ended()) is None:
            try:
                with urllib.request.urlopen(f"http://{HOST}:{port}/ping", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
    _fail(code)


def _fail(code: int) -> None:
    from ..services.temporary_server import ServiceError

    raise ServiceError(f"MLflow's server ended with code {code}; its own lines above say why")


def curl(example: Mapping[str, Any], port: int) -> str:
    """A command that asks the server with the first row of the model's example."""
    from .console import json_text

    asked = f"curl -s http://{HOST}:{port}/invocations -H 'Content-Type: application/json'"
    body = dict(example)
    if table := body.get("dataframe_split"):
        body = {"dataframe_split": {"columns": table["columns"], "data": table["data"][:1]}}
    text = json_text(body)
    if len(text) > SHOWN and table and table["columns"] == ["image"]:
        before, after = json.dumps({"dataframe_split": {"columns": ["image"], "data": [["IMAGE"]]}}).split("IMAGE")
        return f"(printf '{before}'; base64 < IMAGE.png | tr -d '\\n'; printf '{after}') | {asked} -d @-"
    return f"{asked} -d {shlex.quote(text)}"


def _say(text: str) -> None:
    from .console import Console

    Console(stderr=True).print(text, soft_wrap=True)
