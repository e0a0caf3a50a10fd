"""What a caller gives a served model -> texts, or a message that says what is amiss."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..data.pairs import TEXT, TEXT_PAIR


def require_contents(contents: Sequence[Any], *, pairs: bool) -> None:
    """Raise ValueError for what is not a text, or where the model reads pairs, no pair of texts."""
    if not pairs:
        require_texts(contents)
    for content in contents if pairs else ():
        given = [content.get(side) for side in (TEXT, TEXT_PAIR)] if isinstance(content, Mapping) else [content]
        if len(given) != 2 or not all(isinstance(text, str) and text.strip() for text in given):
            raise ValueError(
                f"each row needs two texts, `{TEXT}` and `{TEXT_PAIR}`, got {content!r}; drop or fill rows without both"
            )


def require_texts(texts: Sequence[Any]) -> None:
    """Raise ValueError for what is not a text."""
    odd = [text for text in texts if not isinstance(text, str)]
    if odd:
        raise ValueError(f"each row needs a text, got {odd[0]!r}; drop or fill rows without one")
