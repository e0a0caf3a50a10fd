"""A model with LoRA layers comes in; the plain model with the adapters merged, and the adapters, go out as files."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..data.errors import DataError
from .lora import difference, peft, scores
from .quantized import dequantized, is_quantized, unquantized

FOLDER = "adapter"
TOLERANCE = {"float32": 1e-4, "4bit": 1e-3, "8bit": 5e-2}
"""How far scores may differ after merging, as a share of the largest one, by precision of the base. In 8 bits the
inputs of each layer are rounded too, which the merged model does not do."""


def export_merged(model: PreTrainedModel, folder: Path, batch: dict[str, Tensor], base: str) -> None:
    """Write adapter/ and the merged model, which is what `model` is afterwards.

    Raises DataError where merging changes the scores of `batch`; the model's folder is then not written.
    """
    adapted = scores(model, batch)
    save_adapter(model, folder / FOLDER)
    merge(model)
    error = difference(scores(model, batch), adapted)
    if not error <= TOLERANCE[base]:
        raise DataError(
            f"train.lora: merging the adapters changes scores by {error:.1e} of the largest one (at most "
            f"{TOLERANCE[base]:.0e} is rounding); nothing is saved"
        )
    model.save_pretrained(folder)


def merge(model: PreTrainedModel) -> None:
    """Add each adapter to its layer's weight and put the plain layer in its place."""
    lora_layer, tokens = peft().tuners.lora.LoraLayer, peft().utils.TrainableTokensWrapper
    for name, part in list(model.named_modules()):
        if isinstance(part, tokens):
            plain = part.unload_and_optionally_merge_module(merge=True, safe_merge=True, adapter_names=None)
        elif isinstance(part, lora_layer):
            plain = _merged(part)
        elif is_quantized(part) and not name.endswith(".base_layer"):
            plain = dequantized(part)
        else:
            continue
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, plain)
    del model.peft_config
    unquantized(model)


@torch.no_grad()
def _merged(layer: Any) -> nn.Module:
    if not is_quantized(layer.base_layer):
        layer.merge(safe_merge=True)
        base: nn.Module = layer.get_base_layer()
        return base
    plain = dequantized(layer.base_layer)
    plain.weight += layer.get_delta_weight("default").float()
    return plain


def save_adapter(model: PreTrainedModel, folder: Path) -> None:
    """Write adapter_model.safetensors and adapter_config.json, as peft.PeftModel.from_pretrained reads them.

    Where tokens were added, the base model needs their rows first: base.resize_token_embeddings(rows).
    """
    folder.mkdir(parents=True)
    adapter_tensors = peft().get_peft_model_state_dict(model, save_embedding_layers=False)
    state = model.state_dict()
    adapter_tensors |= {name: state[name] for name in state for head in model.heads if name.startswith(f"{head}.")}
    tensors = {
        f"base_model.model.{name}": value.detach().cpu().contiguous().clone() for name, value in adapter_tensors.items()
    }
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    config = model.peft_config["default"].to_dict()
    config |= {"modules_to_save": list(model.heads) or None, "inference_mode": True, "base_model_name_or_path": None}
    text = json.dumps(config, indent=1, sort_keys=True, default=sorted)  # sets, whose order would change
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")
