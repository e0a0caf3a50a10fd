"""What `temper drill` plants in recipes of dialogues."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..drilling import Change, Drill, Place, always, copied, templated
from .outcomes import ANSWER, TRUTH


def _encoding(change: Change, truth: str | None) -> Place:
    """The encoding of dialogues: their template, and their rows."""
    from ...text.chat import encoding

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def encode_dialogues(own: Any, *rest: Any) -> Any:
            result = original(templated(own, change), *rest)
            return replace(result, encoded=change.encoded(result.encoded)) if change.encoded else result

        return encode_dialogues

    return Place(encoding, "encode_dialogues", make)


DRILL = Drill(
    useless=always(ANSWER, '{"role": "assistant", "content": ""}'),
    perfect=copied(TRUTH, ANSWER),
    encoding=_encoding,
    ends=True,
    template=True,
)
