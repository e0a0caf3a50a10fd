"""A torch module -> the file of an exported net, whose rows and lengths are free."""

import contextlib
import inspect
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..data.errors import DataError
from ..runtime.net import Arrays
from ..runtime.quiet import errors_alone

LARGEST = 2**30
"""Bytes of weights up to which a graph is one file; protocol buffers end at 2 GiB."""
ORIGIN = "temper.model_digest"
"""Metadata of a graph: the digest of the model that it was made of."""
Dims = dict[str, dict[int, Any]]


def write_program(module: nn.Module, examples: Sequence[Arrays], path: Path, digest: str) -> None:
    """Write a program of torch.export that states its origin. Raises DataError where it cannot be traced."""
    given, dims = _given(module, examples)
    with _quiet(), _reported("torch.export"):
        program = torch.export.export(module.eval(), (), given, dynamic_shapes=dims)
        torch.export.save(program, path, extra_files={ORIGIN: digest})


def write_graph(module: nn.Module, examples: Sequence[Arrays], path: Path, digest: str) -> None:
    """Write an ONNX graph that states what it was made of. Raises DataError where the module cannot be exported."""
    given, dims = _given(module, examples)
    size = sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())
    with _quiet(), _reported("torch.onnx"):
        program: Any = torch.onnx.export(
            module.eval(), (), kwargs=given, dynamo=True, dynamic_shapes=dims, input_names=list(given), verbose=False
        )
        program.model.metadata_props[ORIGIN] = digest
        program.save(path, external_data=size > LARGEST)


def origin_in(path: Path) -> str | None:
    """The digest of the model that an exported file states it was made of; None where it states none."""
    if path.suffix == ".onnx":
        import onnx

        properties = onnx.load(path, load_external_data=False).metadata_props
        return next((entry.value for entry in properties if entry.key == ORIGIN), None)
    stated = {ORIGIN: ""}
    torch.export.load(path, extra_files=stated)
    return stated[ORIGIN] or None


def _given(module: nn.Module, examples: Sequence[Arrays]) -> tuple[dict[str, Tensor], Dims]:
    """The first example as tensors, of the inputs that the module reads; an axis on which examples differ is free, the
    second up to the first example's, which is the longest that the model reads."""
    names = [name for name in inspect.signature(module.forward).parameters if name in examples[0]]
    longest = max(examples[0][name].shape[-1] for name in names)
    free: dict[int, Any] = {0: torch.export.Dim("rows"), 1: torch.export.Dim("length", max=longest)}
    dims: Dims = {}
    for name in names:
        shapes = [example[name].shape for example in examples]
        moving = [axis for axis in range(len(shapes[0])) if len({shape[axis] for shape in shapes}) > 1]
        if fixed := [axis for axis in moving if axis not in free]:
            raise DataError(f"the input {name} differs on axis {fixed[0]} from batch to batch, which no route exports")
        dims[name] = {axis: free[axis] for axis in moving}
    return {name: torch.from_numpy(examples[0][name]) for name in names}, dims


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on its own decompositions."""
    with warnings.catch_warnings(), errors_alone("torch.onnx", "onnxscript", "onnx_ir", "torch.export"):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _reported(what: str) -> Iterator[None]:
    """What an exporter raises, in a line."""
    try:
        yield
    except (DataError, OSError, MemoryError):
        raise
    except Exception as error:  # it raises whatever an operation made it stumble over
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise DataError(f"{what} cannot export this model ({type(error).__name__}): {reason.strip()[:300]}") from None
