"""A torch module behind the interface of a net: what training left, or a program of torch.export."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .net import Arrays


class TorchNet:
    """A module in eval mode that torch computes."""

    def __init__(self, module: Any, device: str | None = None) -> None:
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.module = module.to(self.device)
        if not isinstance(module, torch.fx.GraphModule):  # a program was exported in eval mode, and has no other
            self.module.eval()
        self.inputs = tuple(inspect.signature(module.forward).parameters)

    @torch.inference_mode()
    def __call__(self, inputs: Arrays, /) -> tuple[npt.NDArray[Any], ...]:
        """The module's outputs in its order."""
        given = {
            name: torch.from_numpy(np.ascontiguousarray(inputs[name])).to(self.device)
            for name in self.inputs
            if name in inputs
        }
        outputs = self.module(**given)
        return tuple(output.cpu().numpy() for output in (outputs if isinstance(outputs, tuple) else (outputs,)))


def load_program(path: Path) -> Any:
    """The module of a program of torch.export."""
    return torch.export.load(path).module()
