"""A pretrained text model's configuration -> `train.model` of the same net with new weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from configs.models import HubModel, LocalModel

from ..data.errors import DataError
from ..data.sources.pretrained import pretrained_folder
from .gguf_files import gguf_options

KEPT_BY_TRAINING = (
    "architectures",
    "dtype",
    "id2label",
    "label2id",
    "transformers_version",
    "problem_type",
    "model_type",
    "_name_or_path",
    "use_cache",
)
"""What a configuration states about its file or its task and not of the net."""


def new_model(source: LocalModel | HubModel) -> dict[str, object]:
    """`train.model` of kind `new` as a recipe states it; the revision of a source on the Hub is a commit.

    Raises DataError where there is no configuration, or where a recipe has no words for what is in it.
    """
    name = source.path if isinstance(source, LocalModel) else source.repo
    folder = pretrained_folder(replace(source, sha256=None), ("config.json",))  # no weights are read
    family, values = _values(folder, name, source.gguf)
    usual = AutoConfig.for_model(family).to_dict()
    own = {
        key: value
        for key, value in values.items()
        if key in usual and value != usual[key] and key not in KEPT_BY_TRAINING and not key.endswith("_token_id")
    }
    odd = [key for key, value in own.items() if not isinstance(value, int | float | str)]
    if odd:
        raise DataError(
            f"{name}: config.json has {odd[0]}: {own[odd[0]]!r}, which `train.model.config` cannot state, "
            "so this net cannot be built with new weights; leave `scratch` out of --starts"
        )
    return {"kind": "new", "family": family, "config": own | {"vocab_size": values["vocab_size"]}}


def _values(folder: Path, name: str, gguf: str | None) -> tuple[str, dict[str, Any]]:
    options = {"local_files_only": True, "trust_remote_code": False, **gguf_options(gguf)}
    try:
        config = AutoConfig.from_pretrained(folder, **options)
        return str(config.model_type), config.to_dict()
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = gguf or "config.json"
        raise DataError(f"{name}: no {what} that transformers can read ({str(error).splitlines()[0]})") from None
