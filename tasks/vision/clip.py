"""The files of a CLIP -> the structure of its image tower, constants compared with the recipe's, and its weights."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from configs.models import Clip, HubModel
from configs.settings import settings
from configs.weights import CLIP

from ..data.errors import DataError
from ..data.sources.pretrained import pretrained_folder
from .encoding import ImageEncoding
from .probes import FIELDS
from .weights import read_weights

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors")
CONSTANTS = ("image_mean", "image_std")
TOWER = ("vision_model.", "visual_projection.")
"""What the tensors of the image tower are called; a whole CLIP has a text tower next to it."""
POSITIONS = "position_ids"
"""Numbers 0, 1, 2, …, which older files hold."""


def clip_structure(source: Clip, encoding: ImageEncoding) -> dict[str, Any]:
    """What the probe is built from. Raises DataError where the files are no CLIP's, or of one for other images."""
    folder = _folder(source, (CONFIG, PREPROCESSOR))
    given = _json(folder / CONFIG)
    vision = given.get("vision_config") if given.get("model_type") == "clip" else given
    if given.get("model_type") not in ("clip", "clip_vision_model") or not isinstance(vision, dict):
        raise DataError(f"{_name(source)}: {CONFIG} is of model_type {given.get('model_type')}, not of a CLIP")
    _require_constants(source, folder, encoding)
    return {"kind": source.kind, "vision": _checked({name: vision[name] for name in FIELDS if name in vision}, source)}


def _checked(given: dict[str, Any], source: Clip) -> dict[str, Any]:
    """All fields of a tower. Raises DataError for values that make none."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CLIPVisionConfig

    try:
        config = CLIPVisionConfig(**given)
    except (StrictDataclassError, TypeError, ValueError) as error:
        raise DataError(f"{_name(source)}: {CONFIG}: {' '.join(str(error).split())}") from None
    for name in ("image_size", "patch_size"):
        if not isinstance(getattr(config, name), int):
            raise DataError(f"{_name(source)}: {CONFIG}: {name} {getattr(config, name)} is not one number")
    return {name: getattr(config, name) for name in FIELDS}


def _require_constants(source: Clip, folder: Path, encoding: ImageEncoding) -> None:
    """Raise DataError unless the images are normalised as the model's own were."""
    given = _json(folder / PREPROCESSOR) if (folder / PREPROCESSOR).is_file() else {}
    try:
        wanted = tuple(tuple(map(float, given.get(name, own))) for name, own in zip(CONSTANTS, CLIP, strict=True))
    except (TypeError, ValueError):
        raise DataError(f"{_name(source)}: {PREPROCESSOR} has no {' and '.join(CONSTANTS)} of numbers") from None
    for own, present in zip(wanted, (encoding.mean, encoding.std), strict=True):
        if len(own) != len(present) or not np.allclose(own, present, rtol=1e-6, atol=0):
            values = "clip" if wanted == CLIP else f"{{mean: {list(wanted[0])}, std: {list(wanted[1])}}}"
            raise DataError(f"{_name(source)} knows pixels normalised otherwise: set encode.normalise: {values}")


def clip_tensors(source: Clip) -> dict[str, Tensor]:
    """The image tower's weights. Raises DataError."""
    folder = _folder(source, WEIGHTS)
    paths = sorted(path for pattern in WEIGHTS for path in folder.glob(pattern))
    if not paths:
        raise DataError(f"{_name(source)}: no {WEIGHTS[0]}; Temper loads no other format")
    every = {name: value for path in paths for name, value in read_weights(path).items()}
    tower = {name: value for name, value in every.items() if name.startswith(TOWER) and not name.endswith(POSITIONS)}
    if not tower:
        raise DataError(f"{_name(source)}: none of its {len(every)} tensors is of an image tower, such as {min(every)}")
    return tower


def _folder(source: Clip, patterns: tuple[str, ...]) -> Path:
    """The folder with these files, fetched from the Hub where they are there."""
    wanted = source.source.digests if patterns == WEIGHTS else {}
    return pretrained_folder(replace(source.source, sha256=wanted or None), patterns)


def _name(source: Clip) -> str:
    return source.source.repo if isinstance(source.source, HubModel) else settings().source(source.source.path).name


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path.parent.name}: {path.name} cannot be read ({error})") from None
    if not isinstance(values, dict):
        raise DataError(f"{path.parent.name}: {path.name} is no JSON object")
    return values
