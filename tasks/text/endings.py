"""A chat template -> how it ends what the model writes, found by rendering turns whose content is known."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from ..data.errors import DataError
from ..data.messages import Message, is_call
from .templates import Template

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
    prober = _Prober(template, tools, specials, eos)
    asked = {"role": "user", "content": USER}
    reply = {"role": "assistant", "content": WRITTEN}
    name = str(tools[0]["function"]["name"]) if tools else "probe"
    call = probe_call(name, {"probe": WRITTEN})
    records = {"role": "tool", "name": name, "tool_call_id": "call00000", "content": RECORDS}
    if not prober.writes([asked, reply]):
        raise DataError("the chat template does not write what the assistant says; take the model's own template")
    found = {"assistant": prober.ending([asked, reply], asked)}
    if prober.writes([asked, call]):
        found["call"] = prober.ending([asked, call], records, found["assistant"])
    return found


@dataclass(frozen=True)
class _Prober:
    """A template and what is known of its tokens."""

    template: Template
    tools: Sequence[Message]
    specials: Sequence[str]
    eos: str | None

    def writes(self, turns: list[Message]) -> bool:
        """Whether the last turn's own word is in the text."""
        try:
            return WRITTEN in self.template.render(turns, self.tools)
        except DataError:
            if not is_call(turns[-1]):
                raise
            return False  # a dialogue with a call is refused later, by name

    def ending(self, turns: list[Message], after: Message, reply: Ending | None = None) -> Ending:
        """The end of the last of `turns`; the token that ends replies ends calls too, where it stands behind them."""
        whole = self.template.render(turns, self.tools)
        behind = whole.rindex(WRITTEN) + len(WRITTEN)
        spelt = list(self._special.finditer(whole, behind))
        chosen = next((token for token in spelt if reply is None or token.group() == reply.token), None)
        if chosen is None and spelt and not whole[spelt[-1].end() :].strip():
            chosen = spelt[-1]
        return self._following(turns, after) if chosen is None else Ending(chosen[0], whole[chosen.end() :], False)

    def _following(self, turns: list[Message], after: Message) -> Ending:
        """The token that opens the turn behind, where none ends this one."""
        whole, longer = (self.template.render(rows, self.tools) for rows in (turns, [*turns, after]))
        opening = self._special.match(longer, len(whole)) if longer.startswith(whole) else None
        if opening is None and self.eos is None:
            raise DataError(
                "the chat template writes no special token behind a turn and the tokenizer has no eos, so that a model "
                "could not learn to stop; take the model's own template"
            )
        return Ending(opening[0] if opening else str(self.eos), "", True)

    @cached_property
    def _special(self) -> re.Pattern[str]:
        longest_first = sorted(self.specials, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
