"""What `temper drill` plants in recipes of dialogues."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..drilling import Change, Place, templated

if TYPE_CHECKING:
    import pandas as pd

ENDS = True
TEMPLATE = True


def useless(table: "pd.DataFrame") -> "pd.DataFrame":
    """Empty messages."""
    return table.assign(written='{"role": "assistant", "content": ""}')


def perfect(table: "pd.DataFrame") -> "pd.DataFrame":
    """The true messages."""
    return table.assign(written=table["true"])


def encoding(change: Change, truth: str | None) -> Place:
    """The encoding of dialogues: their template, and their rows."""
    from ...text.chat import encoding

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def encode_dialogues(own: Any, *rest: Any) -> Any:
            result = original(templated(own, change), *rest)
            return replace(result, encoded=change.encoded(result.encoded)) if change.encoded else result

        return encode_dialogues

    return Place(encoding, "encode_dialogues", make)
