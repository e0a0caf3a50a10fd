"""A saved model folder -> the model as transformers has it, ready to answer; the one place where predictors load."""

from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging as hf_logging


def load_model(auto: Any, folder: Path, device: str | None = None) -> Any:
    """Read config.json and model.safetensors by `auto` (a class such as AutoModelForCausalLM), in eval mode and
    float32, on `device`: a GPU where there is one and nothing else is said."""
    hf_logging.disable_progress_bar()
    model = auto.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, local_files_only=True)
    return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")).eval()
