"""A chat template -> how it ends what the model writes, found by rendering turns whose content is known."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..data.files import DataError
from .templates import Message, Template

Kind = Literal["assistant", "call"]
"""What the model writes: a reply (as `train_on: assistant` names it) or a call of a tool."""
USER, WRITTEN, RECORDS = "Quoz", "Zwixal", "Gnorb"
"""Words of the probes; letters only, and none that a template would write."""


@dataclass(frozen=True)
class Ending:
    """token: the end-of-turn token's text; tail: what the template writes behind it in the last turn.

    follows: the template itself ends no turn, so that the token is the one that opens the next (GLM: <|user|>
    behind a reply, <|observation|> behind a call), or the tokenizer's eos where nothing opens it either.
    """

    token: str
    tail: str
    follows: bool


def is_call(message: Message) -> bool:
    """Whether a turn is the model's call of a tool."""
    return message["role"] == "assistant" and bool(message.get("tool_calls"))


def kind_of(message: Message) -> Kind | None:
    """What the model writes with this turn; None for a turn that it is given."""
    if message["role"] != "assistant":
        return None
    return "call" if is_call(message) else "assistant"


def probe_call(name: str, arguments: dict[str, Any]) -> Message:
    """A turn that calls one tool."""
    call = {"id": "call00000", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


def find_endings(
    template: Template, tools: Sequence[Message], specials: Sequence[str], eos: str | None
) -> dict[str, Ending]:
    """How replies end, and calls where the template writes them. Raises DataError where no token ends a turn."""
    asked = {"role": "user", "content": USER}
    reply = {"role": "assistant", "content": WRITTEN}
    found = {"assistant": _ending(template, tools, [asked, reply], [asked], specials, eos)}
    name = str(tools[0]["function"]["name"]) if tools else "probe"
    call = probe_call(name, {"probe": WRITTEN})
    records = {"role": "tool", "name": name, "tool_call_id": "call00000", "content": RECORDS}
    if not _writes(template, tools, [asked, call]):
        return found
    known = None if found["assistant"].follows else found["assistant"].token
    return found | {"call": _ending(template, tools, [asked, call], [records], specials, eos, known)}


def _writes(template: Template, tools: Sequence[Message], turns: list[Message]) -> bool:
    try:
        return WRITTEN in template.render(turns, tools)
    except DataError:  # a template without calls may refuse their turns; a dialogue with one is refused later
        return False


def _ending(
    template: Template, tools: Sequence[Message], turns: list[Message], after: list[Message],
    specials: Sequence[str], eos: str | None, known: str | None = None,
) -> Ending:  # fmt: skip
    """The end of the last of `turns`; `known` is the token that ends replies, which ends calls too if they have it."""
    whole = template.render(turns, tools)
    if WRITTEN not in whole:
        raise DataError("the chat template does not write what the assistant says; take the model's own template")
    behind = whole.rindex(WRITTEN) + len(WRITTEN)
    spelt = list(_any(specials).finditer(whole, behind))
    chosen = next((token for token in spelt if known is None or token.group() == known), None)
    if chosen is None and spelt and not whole[spelt[-1].end() :].strip():
        chosen = spelt[-1]
    if chosen is not None:
        return Ending(chosen.group(), whole[chosen.end() :], False)
    longer = template.render([*turns, *after], tools)
    opening = _any(specials).match(longer, len(whole)) if longer.startswith(whole) else None
    if opening is None and eos is None:
        raise DataError("the chat template writes no special token behind a turn and the tokenizer has no eos")
    return Ending(opening.group() if opening else str(eos), "", True)


def _any(specials: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(specials, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
