"""temper serve: a registered model behind MLflow's own scoring server, on loopback, in its pinned environment."""

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..services.model_server import HOST, Env, choose, fail, require_free, serving, wait
from ..services.stores import require
from .arguments import ModelVersion
from .console import Console, json_text
from .failures import failures, until_stopped

if TYPE_CHECKING:
    from tasks.tracking.named import Named, Packed

SHOWN = 1_500
"""Characters of a request that are printed; a longer one is an image, of which the command that sends it is."""


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
            require_free(port)
            named, packed = _find(model)
            _say(choose(named, packed, env))
            with serving(named.uri, port, env or Env.local) as server:
                with Console(stderr=True).status("starting the server"):
                    wait(server, port)
                _say(
                    f"{named} answers at http://{HOST}:{port}/invocations; Ctrl-C ends it. Try:\n\n"
                    f"{curl(packed.example, port)}\n"
                )
                fail(server.process.wait())
        _say(f"ended; port {port} is free again")


def _find(model: str) -> "tuple[Named, Packed]":
    with Console(stderr=True).status(f"looking up {model}"):
        require("MLflow")
        from tasks.tracking.named import find_named, read_packed

        named = find_named(model)
        return named, read_packed(named)


def curl(example: Mapping[str, Any], port: int) -> str:
    """A command that asks the server with the first row of the model's example."""
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
    Console(stderr=True).print(text, soft_wrap=True)
