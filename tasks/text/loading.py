"""A model folder -> the model as transformers has it: the one place where weights of text models are read."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging as hf_logging

from ..runtime.quiet import errors_alone

SPEAKERS = ("transformers.modeling_utils", "transformers.distributed.tensor_parallel")
"""Loggers of the table, and of a remark that layers are not spread over several devices, which nobody asked for."""


def read_weights(auto: Any, folder: Path, **options: Any) -> Any:
    """What `auto.from_pretrained` gives of a local folder: safetensors alone, float32, no code of the folder's own.

    Without a progress bar, which would run through those of Temper's own stages.
    """
    hf_logging.disable_progress_bar()
    return auto.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False, **options
    )


def unreported() -> AbstractContextManager[None]:
    """Without transformers' table of what did and did not load, where Temper says it in its own page."""
    return errors_alone(*SPEAKERS)


def load_model(auto: Any, folder: Path, device: str | None = None) -> Any:
    """Read config.json and model.safetensors by `auto` (a class such as AutoModelForCausalLM), in eval mode and
    float32, on `device`: a GPU where there is one and nothing else is stated."""
    model = read_weights(auto, folder)
    return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")).eval()
