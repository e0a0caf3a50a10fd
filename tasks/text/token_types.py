"""Token types of pairs of texts -> what a model is given of them: nothing where its family knows none."""

import inspect
from typing import Any

from ..data.errors import DataError
from .pairs import Paired

TYPE_IDS = "token_type_ids"


def takes_token_types(forward: Any) -> bool:
    """Whether a model's forward has a parameter for them."""
    return TYPE_IDS in inspect.signature(forward).parameters


def require_token_types(model: Any, encoding: Paired) -> None:
    """Raise DataError where pairs have a token type that the model has no embedding for."""
    known = getattr(model.config, "type_vocab_size", None)
    if encoding.pair is None or known is None or not takes_token_types(model.forward):
        return
    if (highest := max(encoding.pair.types)) >= known:
        raise DataError(
            f"the tokenizer gives the second text the token type {highest}, but train.model knows "
            f"{known} token type(s); set train.model.config.type_vocab_size: {highest + 1}, or take the "
            "tokenizer of the model"
        )
