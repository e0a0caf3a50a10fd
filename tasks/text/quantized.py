"""8- and 4-bit weights of a frozen base: what loading them takes, and the way back to float32."""

import logging
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedModel

from ..data.errors import DataError
from .lora import peft

CLASSES = ("Linear4bit", "Linear8bitLt")
"""Names of bitsandbytes' layers, which is not imported where nothing is quantised."""


def loading_options(base: str) -> dict[str, Any]:
    """Arguments of from_pretrained for a base in float32, 8bit or 4bit (NF4 with doubly quantised constants, as QLoRA;
    Dettmers et al., 2023). Raises DataError naming what is missing."""
    if base == "float32":
        return {}
    require_quantization(base)
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)  # it remarks on every product
    config = BitsAndBytesConfig(
        load_in_8bit=base == "8bit",
        load_in_4bit=base == "4bit",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    place = torch.cuda.current_device() if torch.cuda.is_available() else "cpu"
    return {"quantization_config": config, "device_map": {"": place}}


def require_quantization(base: str) -> None:
    """Raise DataError where a base of 8 or 4 bits cannot be had."""
    missing = [] if find_spec("bitsandbytes") else ["the package bitsandbytes (pip install 'temper[quantized]')"]
    missing += [] if torch.cuda.is_available() else ["a CUDA GPU"]
    if missing:
        raise DataError(f"train.lora.base {base} needs {' and '.join(missing)}; without, set train.lora.base: float32")


def is_quantized(part: nn.Module) -> bool:
    """Whether a layer's weights are in 8 or 4 bits."""
    return type(part).__name__ in CLASSES


@torch.no_grad()
def dequantized(part: Any) -> nn.Linear:
    """The same layer in float32."""
    plain = nn.Linear(part.in_features, part.out_features, part.bias is not None, device=part.weight.device)
    restore = peft().utils.integrations.dequantize_bnb_weight
    plain.weight.copy_(restore(part.weight, state=getattr(part, "state", None)))
    if part.bias is not None:
        plain.bias.copy_(part.bias)
    return plain


def unquantized(model: PreTrainedModel) -> None:
    """Forget that a model was quantised; its layers no longer are."""
    if getattr(model, "is_quantized", False):
        model.is_quantized, model.hf_quantizer, model._hf_peft_config_loaded = False, None, False
        model.is_loaded_in_4bit = model.is_loaded_in_8bit = False
        del model.config.quantization_config
    model.float()
