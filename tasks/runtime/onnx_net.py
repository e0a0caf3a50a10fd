"""An ONNX graph behind the interface of a net; needs onnxruntime and numpy, no torch."""

import os
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnxruntime

from .net import Arrays

THREADS = "OMP_NUM_THREADS"
"""Where the environment states how many threads torch computes with, ONNX Runtime takes as many."""


class OnnxNet:
    """A graph that ONNX Runtime computes on the CPU."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        if os.environ.get(THREADS, "").isdecimal():
            options.intra_op_num_threads = int(os.environ[THREADS])
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = tuple(given.name for given in self._session.get_inputs())

    def __call__(self, inputs: Arrays, /) -> tuple[npt.NDArray[Any], ...]:
        """The graph's outputs in its order. Raises ValueError for an input that is not given."""
        if lacking := [name for name in self.inputs if name not in inputs]:
            raise ValueError(f"the exported graph reads {lacking[0]}, which is not given")
        return tuple(self._session.run(None, {name: inputs[name] for name in self.inputs}))
