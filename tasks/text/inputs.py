"""What a caller gives a served model -> texts, or a message that says what is amiss."""

from collections.abc import Sequence
from typing import Any


def require_texts(texts: Sequence[Any]) -> None:
    """Raise ValueError for what is not a text."""
    odd = [text for text in texts if not isinstance(text, str)]
    if odd:
        raise ValueError(f"each row needs a text, got {odd[0]!r}; drop or fill rows without one")
