"""The forms that a model can be exported to, and what each of them must keep to; loads nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from ..artifact import StageError
from ..runtime.net import ONNX, PROGRAM

Name = Literal["onnx", "int8", "torch-export", "merged"]


@dataclass(frozen=True)
class Route:
    """One form, whose name ends the alias of an exported champion. file: what it is in the model's folder. needs:
    packages that the export needs; serves: those that the exported model does, in place of torch and transformers.

    tolerance: largest difference of a score, by the spread of the scores of that model (their standard deviation).
    agreement: smallest share of rows whose prediction stays.
    """

    name: Name
    file: str
    needs: tuple[str, ...]
    serves: tuple[str, ...]
    tolerance: float
    agreement: float


MERGED: Name = "merged"
"""The one form that keeps the weights, adapters merged, and adds what transformers needs next to them."""
EXPORT_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
ROUTES: Mapping[str, Route] = {
    "onnx": Route("onnx", ONNX, EXPORT_PACKAGES, ("onnxruntime",), 1e-3, 0.999),
    "int8": Route("int8", ONNX, EXPORT_PACKAGES, ("onnxruntime",), 0.5, 0.98),
    "torch-export": Route("torch-export", PROGRAM, (), ("torch",), 1e-3, 0.999),
    MERGED: Route(MERGED, "model.safetensors", (), ("torch", "transformers", "safetensors"), 1e-3, 0.999),
}


def open_route(name: str) -> Route:
    """The route of this name. Raises StageError for an unknown one, and where a package that it needs is missing."""
    if name not in ROUTES:
        raise StageError(f"--to {name}: there is no such form; take one of {', '.join(ROUTES)}")
    route = ROUTES[name]
    if lacking := [package for package in route.needs if find_spec(package) is None]:
        raise StageError(f"--to {name} needs the package {lacking[0]}: pip install 'temper[export]'")
    return route
