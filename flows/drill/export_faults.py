"""A fault of an export: the exported model has other weights than the registered one, and predicts otherwise.

The small model is registered in the drill's own registry. Its faithful export must pass the gate first: what refuses
every export catches nothing.
"""

import inspect
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .fault import Copy, Fault, NotApplicable, Uncaught

if TYPE_CHECKING:
    from tasks.export.routes import Route
    from tasks.tracking.exports import Origin

NAME = "drill-export"
FORMS = ("onnx", "torch-export", "merged")
"""Of models that score rows the first whose packages are installed, torch.export needs none; of those that write the
last."""


def exported_otherwise(copy: Copy) -> str:
    """What the gate states about an export of other weights that names the true model as its origin."""
    from configs.settings import settings
    from tasks.artifact import StageError

    from ..export import require_exportable

    place = settings().home / "export"
    place.mkdir()
    origin = _registered(copy)
    route = _route(origin)
    try:
        require_exportable(origin, route.name)
    except StageError as error:
        raise NotApplicable(str(error)) from None
    if refused := _refusal(origin, route, place / "faithful", origin.folder):
        raise NotApplicable(f"the small model's faithful export does not pass the gate ({refused})")
    spoilt = place / "spoilt"
    shutil.copytree(origin.folder, spoilt)
    for path in spoilt.glob("*.safetensors"):
        turn_weights(path)
    refused = _refusal(origin, route, place / "other", spoilt)
    if refused is None:
        raise Uncaught(f"an export to {route.name} with other weights passes the gate")
    return f"{route.name} refused: {refused}"


def _route(origin: "Origin") -> "Route":
    from tasks.artifact import StageError
    from tasks.export.routes import open_route
    from tasks.kinds.spec import open_kind

    graph, program, folder = FORMS
    if not open_kind(str(origin.facts["kind"])).exports:
        return open_route(folder)
    try:
        return open_route(graph)
    except StageError:  # its packages are not installed
        return open_route(program)


def _registered(copy: Copy) -> "Origin":
    from tasks.register import register
    from tasks.tracking.exports import find_origin

    body: Callable[..., Any] = inspect.unwrap(register)  # without Prefect's task
    section = replace(copy.recipe.register, model=NAME, thresholds={}, slices={})
    version = body({}, section, copy.artifacts["train"], copy.artifacts["evaluate"])
    return find_origin(f"{version.name}/{version.version}")


def _refusal(origin: "Origin", route: "Route", folder: Path, model: Path) -> str | None:
    """The first check that an export of these files fails; None where it passes."""
    from ..export import Asked, judge, write

    write(origin, route, folder, model)
    report = judge(origin, route, folder, Asked())
    failed = [check for check in report["checks"] if not check["passed"]]
    return f"{failed[0]['name']}: {failed[0]['seen']}" if failed else None


def turn_weights(path: Path) -> None:
    """Every matrix of a file of weights with its rows in the opposite order: the same numbers in other places."""
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(path, "pt") as stored:
        metadata = stored.metadata()
    tensors = load_file(path).items()
    save_file({name: values.flip(0) if values.ndim > 1 else values for name, values in tensors}, path, metadata)


def faults() -> list[Fault]:
    """In order."""
    return [Fault("an export that predicts otherwise", "export: gate on test rows", exported_otherwise)]
