"""A chat template -> how it ends what the model generates, found by rendering turns whose content is known."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from ...data.dialogues.messages import Message, is_call
from ...data.errors import DataError
from .chat_template import Template

Kind = Literal["assistant", "call", "thoughts"]
"""What the model generates: a reply (`train_on: assistant`), a call of a tool, the thoughts before either."""
USER, WRITTEN, RECORDS = "Quoz", "Zwixal", "Gnorb"
"""Words of the probes; letters only, and none that a template would write."""
NO_CALLS = "the chat template does not write tool calls; take the model's template for tools, or chatml"
WITHIN = (
    "the chat template writes {!r}, at which generation has to stop, within a turn as well as behind it; take another "
    "template, or leave this kind of turn out of encode.train_on"
)
STAND_IN: Message = {
    "type": "function",
    "function": {
        "name": "probe",
        "description": "Probe.",
        "parameters": {
            "type": "object",
            "properties": {"probe": {"type": "string", "description": "A word."}},
            "required": ["probe"],
        },
    },
}
"""A tool for the probes where the recipe has none: a dialogue may bring its own."""


@dataclass(frozen=True)
class Ending:
    """token: the end-of-turn token's text; tail: what the template writes behind it in the last turn.

    follows: the template itself ends no turn, so that the token is the one that opens the next (GLM: <|user|>
    behind a reply, <|observation|> behind a call), or the tokenizer's eos where nothing opens it either.
    """

    token: str
    tail: str
    follows: bool


def kind_of(message: Message) -> Literal["assistant", "call"] | None:
    """What the model generates with this turn; None for a turn that it is given."""
    if message["role"] != "assistant":
        return None
    return "call" if is_call(message) else "assistant"


def probe_call(name: str, *given: Any) -> Message:
    """A turn that calls one tool once per argument object (or its JSON text)."""
    calls = [
        {"id": f"call{n:05d}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, arguments in enumerate(given)
    ]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def special_pattern(specials: Sequence[str]) -> re.Pattern[str]:
    """Matches any of the texts, the longest first."""
    longest_first = sorted(specials, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


def shared(text: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(text), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text[low:middle] == other[low:middle] else (low, middle - 1)
    return low


@dataclass(frozen=True)
class Prober:
    """A template and what is known of its tokens."""

    template: Template
    tools: Sequence[Message]
    specials: Sequence[str]
    eos: str | None

    def render(self, turns: Sequence[Message], *, generation: bool = False) -> str:
        """The text of turns."""
        return self.template.render(turns, self.tools, generation=generation)

    def reply(self) -> Ending:
        """How a reply ends. Raises DataError where the template does not write it, or no token could end it."""
        asked = {"role": "user", "content": USER}
        turns = [asked, {"role": "assistant", "content": WRITTEN}]
        if WRITTEN not in self.render(turns):
            raise DataError("the chat template does not write what the assistant says; take the model's own template")
        return self._ending(turns, [asked], self._written(turns))

    def call(self, name: str, form: Any, reply: str) -> tuple[Ending, str]:
        """How a turn with calls ends, whose arguments `form` writes, and the end token with which one without text
        begins (it ends the empty text; mostly none). Raises DataError as `reply` does, and where the token that ends a
        reply stands within it."""
        asked = {"role": "user", "content": USER}
        result = {"role": "tool", "name": name, "tool_call_id": "call00000", "content": RECORDS}
        turns = [asked, probe_call(name, form({"probe": WRITTEN}))]
        if WRITTEN not in self.render(turns):
            raise DataError(NO_CALLS)
        inner = self._written(turns)
        with suppress(DataError):  # a template of one call a turn
            two = [asked, probe_call(name, form({"probe": RECORDS}), form({"probe": WRITTEN}))]
            inner = self._written(two) or inner
        first = reply if inner.startswith(reply) else ""
        inner = inner.removeprefix(first)
        if reply in inner:
            raise DataError(WITHIN.format(reply))
        return self._ending(turns, [result, asked], inner), first

    def _written(self, turns: Sequence[Message]) -> str:
        """What stands between the generation prompt and the last of the turn's words; nothing where that prompt is not
        how the turn begins (it opens thoughts that a probe has not)."""
        given, whole = self.render(turns[:-1], generation=True), self.render(turns)
        return whole[len(given) : max(whole.rfind(WRITTEN), len(given))] if whole.startswith(given) else ""

    def _ending(self, turns: list[Message], following: Sequence[Message], written: str) -> Ending:
        """The last special token that stands behind the last of `turns` whatever follows it, and nowhere inside it.

        Where more than it stays, and the rest has stood before the turn too, a generation prompt is written unasked.
        """
        whole, longer = self.render(turns), self._followed(turns, following)
        behind = whole.rindex(WRITTEN) + len(WRITTEN)
        common = behind + shared(whole[behind:], longer[longer.rfind(WRITTEN) + len(WRITTEN) :])
        spelt = list(self.special.finditer(whole, behind))
        kept = [token for token in spelt if token.end() <= common]
        if len(kept) > 1 and common < len(whole) and whole[kept[-1].start() :] in whole[:behind]:
            kept = kept[:-1]
        for token in reversed(kept or spelt):
            if token.group() not in written + whole[behind : token.start()]:
                return Ending(token[0], whole[token.end() :], False)
        opening = self.special.match(longer, longer.rfind(WRITTEN) + len(WRITTEN) + len(whole) - behind)
        return self._following(opening if common == len(whole) else None, written + whole[behind:])

    def _followed(self, turns: list[Message], following: Sequence[Message]) -> str:
        for after in following:
            try:
                return self.render([*turns, after])
            except DataError:
                continue
        return self.render(turns)

    def _following(self, opening: re.Match[str] | None, written: str) -> Ending:
        """The token that opens the turn behind, where none ends this one."""
        if opening is None and self.eos is None:
            raise DataError(
                "the chat template writes no special token behind a turn and the tokenizer has no eos, so that a model "
                "could not learn to stop; take the model's own template"
            )
        token = opening[0] if opening else str(self.eos)
        if token in written:
            raise DataError(WITHIN.format(token))
        return Ending(token, "", True)

    @cached_property
    def special(self) -> re.Pattern[str]:
        """Matches the special tokens."""
        return special_pattern(self.specials)
