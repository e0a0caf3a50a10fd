"""A saved model's net as its predictor calls it: arrays in, arrays out, whatever computes it.

A model's folder holds its weights, which torch computes with, or instead of them one exported file. This module loads
neither torch nor ONNX Runtime before it is asked for a net, so that an exported model is served without torch; nor
NumPy, as the command line reads the names of exported files from here.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy.typing as npt

ONNX, PROGRAM = "model.onnx", "model.pt2"
"""Files of an exported net: a graph for ONNX Runtime, a program of torch.export."""
Arrays: TypeAlias = "Mapping[str, npt.NDArray[Any]]"
"""By name what a net takes, rows first."""


class Net(Protocol):
    """What a predictor computes with."""

    def __call__(self, inputs: Arrays, /) -> "tuple[npt.NDArray[Any], ...]":
        """The outputs for one batch, rows first; inputs that the net does not read are passed over."""


def open_net(folder: Path, load: Callable[[], Any], device: str | None = None) -> Net:
    """The exported net of a folder; where it has none, the torch module that `load` reads.

    device: where torch computes, a GPU where there is one and nothing else is stated; ONNX Runtime stays on the CPU.
    """
    if (folder / ONNX).is_file():
        from .onnx_net import OnnxNet

        return OnnxNet(folder / ONNX)
    from .torch_net import TorchNet, load_program

    module = load_program(folder / PROGRAM) if (folder / PROGRAM).is_file() else load()
    return TorchNet(module, device)
