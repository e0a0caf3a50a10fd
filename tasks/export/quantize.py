"""An ONNX graph -> the same with weights of eight bits, by ONNX Runtime's dynamic quantisation."""

from collections.abc import Callable, Sequence
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from ..runtime.quiet import without

LAYERS = ("MatMul", "Gemm", "Conv", "Gather")
"""Operations whose weights become eight bits: per output channel, with activations quantised as they come; embeddings
(Gather) as a whole, which are most of a small encoder."""
SPLIT = "_MatMul"
"""What the quantiser appends to the name of a Gemm, which it takes apart first."""


def layers_of(graph: Path) -> list[str]:
    """Names of the operations of a graph that can be quantised: those with weights of their own, largest first."""
    model = onnx.load(graph)
    numbers = [weight for weight in model.graph.initializer if weight.data_type == onnx.TensorProto.FLOAT]
    sizes = {weight.name: len(weight.raw_data) for weight in numbers}
    weighted = {
        node.name: max(sizes.get(name, 0) for name in node.input)
        for node in model.graph.node
        if node.op_type in LAYERS and any(name in sizes for name in node.input)
    }
    return sorted(weighted, key=lambda name: (-weighted[name], name))


def quantize(graph: Path, target: Path, *, left_out: Sequence[str] = ()) -> None:
    """Write the graph with weights of eight bits in all layers but those named."""
    with without("pre-process"):  # the advice to preprocess the graph, which the exporter has done
        quantize_dynamic(
            graph,
            target,
            op_types_to_quantize=list(LAYERS),
            per_channel=True,
            weight_type=QuantType.QUInt8 if _convolves(graph) else QuantType.QInt8,
            nodes_to_exclude=[*left_out, *(f"{name}{SPLIT}" for name in left_out)],
        )


def _convolves(graph: Path) -> bool:
    """Whether the graph has convolutions, whose weights ONNX Runtime's processors take without a sign alone."""
    return any(node.op_type == "Conv" for node in onnx.load(graph, load_external_data=False).graph.node)


def by_effect(layers: Sequence[str], effect: Callable[[str], float]) -> list[str]:
    """Layers by how much they change the scores when they alone are quantised, the most harmful first."""
    measured = {layer: effect(layer) for layer in layers}
    return sorted(layers, key=lambda layer: (-measured[layer], layer))
