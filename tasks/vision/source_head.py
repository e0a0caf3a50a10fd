"""The classification layer that published weights of an image net came with, which training replaces."""

from typing import NamedTuple

from torch import Tensor, nn

from configs.backbones import CifarResnet, Timm, Torchvision
from configs.literal import complete

# not public, since another name there would change the key of every training of an image net
from .models import _placed, _weights_file
from .nets import ImageClassifier
from .weights import read_weights


class SourceHead(NamedTuple):
    """weight: [source classes, width]; bias: [source classes]."""

    weight: Tensor
    bias: Tensor


def source_head(source: Torchvision | CifarResnet | Timm, model: ImageClassifier) -> SourceHead | None:
    """The layer, by which the same features named the source's classes; None where the weights have none, or the
    recipe's head is not one linear layer on those features. Raises DataError."""
    path = _weights_file(source)
    new = model.net.get_submodule(model.head)
    if path is None or not isinstance(new, nn.Linear) or getattr(source, "head", "linear") != "linear":
        return None
    tensors, _ = _placed(source, model, complete(source), read_weights(path), path.name)
    weight, bias = (tensors.get(f"{model.head}.{name}") for name in ("weight", "bias"))
    if weight is None or weight.ndim != 2 or weight.shape[1] != new.in_features:
        return None
    return SourceHead(weight.float(), weight.new_zeros(len(weight)) if bias is None else bias.float())
