"""A registered model's folder -> a folder of the same model with an exported net in place of its weights."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.errors import DataError
from ..kinds.predicting import open_predictor
from ..learn.metrics import Floats
from ..runtime.net import ONNX, Arrays
from .gate import apart
from .routes import Route
from .write import write_graph, write_program

WEIGHTS = (".safetensors", ".bin", ".pt", ".onnx", ".pt2")
"""Endings of files that an exported net stands for."""


def preprocessing(folder: Path) -> list[str]:
    """Names of a model's files that prepare its inputs or read its outputs: all but weights and their description."""
    return sorted(path.name for path in folder.iterdir() if path.suffix not in WEIGHTS and path.name != "config.json")


def examples_of(predictor: Any, contents: Sequence[Any]) -> list[Arrays]:
    """Two batches of inputs that differ on every axis that may; the first has the longest rows that the model reads."""
    batch: Arrays = predictor.inputs(list(contents[:3]))
    longest = getattr(predictor.encoding, "max_length", 0)
    whole = {name: _wide(values, longest) for name, values in batch.items()}
    half = {
        name: values[:2, : values.shape[1] // 2] if values.ndim == 2 else values[:2] for name, values in whole.items()
    }
    return [whole, half]


def _wide(values: Any, longest: int) -> Any:
    """Three rows; of tokens so many, the rows' own repeated, others as they are."""
    rows = np.concatenate([values] * 3)[:3]
    return np.ascontiguousarray(np.tile(rows, (1, longest))[:, :longest]) if rows.ndim == 2 else rows


def batches_of(predictor: Any, contents: Sequence[Any]) -> list[Arrays]:
    """Batches of one and three rows of the shortest and the longest content, and one that mixes them."""
    ordered = sorted(contents, key=_length)
    short, long = ordered[0], ordered[-1]
    return [predictor.inputs(rows) for rows in ([short], [long], [short] * 3, [long] * 3, [short, long, short])]


def _length(content: Any) -> int:
    return sum(map(len, content.values())) if isinstance(content, dict) else len(content)


def build(route: Route, origin: Path, folder: Path, *, digest: str, contents: Sequence[Any]) -> list[str]:
    """Write the exported model's folder; the layers that were left out of quantisation, by name.

    contents: validation rows, by which layers are chosen. Raises DataError where the model cannot be exported.
    """
    folder.mkdir(parents=True)
    for name in (*preprocessing(origin), "config.json"):
        if (origin / name).is_file():
            shutil.copyfile(origin / name, folder / name)
    predictor = open_predictor(origin, "cpu")
    module, examples = predictor.net.module, examples_of(predictor, contents)
    if route.name == "torch-export":
        write_program(module, examples, folder / route.file, digest)
        return []
    if route.name == "onnx":
        write_graph(module, examples, folder / ONNX, digest)
        return []
    graph = folder / "float.onnx"
    write_graph(module, examples, graph, digest)
    try:
        return _quantized(route, predictor, graph, folder / ONNX, contents)
    finally:
        graph.unlink()


def _quantized(route: Route, predictor: Any, graph: Path, target: Path, contents: Sequence[Any]) -> list[str]:
    """Write the quantised graph; where its scores are too far from the model's, the layers that change them most stay
    as they are, twice as many at each try, up to half of them."""
    from ..runtime.onnx_net import OnnxNet  # here, so that torch.export needs no ONNX
    from .quantize import by_effect, layers_of, quantize

    wanted: Floats = predictor.scores(list(contents))

    def distance(left_out: Sequence[str]) -> float:
        quantize(graph, target, left_out=left_out)
        return apart(wanted, replace(predictor, net=OnnxNet(target)).scores(list(contents)))

    if distance([]) <= route.tolerance / 2:
        return []
    layers = layers_of(graph)
    if not layers:
        raise DataError("the graph has no layer with weights that ONNX Runtime quantises")
    harmful, count = by_effect(layers, lambda layer: distance([name for name in layers if name != layer])), 1
    while count <= len(layers) // 2:
        if distance(harmful[:count]) <= route.tolerance / 2:
            return harmful[:count]
        count *= 2
    quantize(graph, target)
    return []
