"""A dialogue -> rendered text with the spans that the model generates and the places where its turns begin."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ...data.dialogues.messages import Message
from ...data.errors import DataError
from .chat_template import Template
from .end_of_turn import Ending, kind_of, shared
from .special_tokens import content_with
from .template_properties import FORMS, Manners
from .turn_faults import TurnFaults

WORDS = ("Awun", "Mobez")
"""Put in place of what a turn says, to see where it stands: no letter in common at either end."""
TAIL = 12
"""Letters of the last turn by which its end is found again."""


class Rendered(NamedTuple):
    """A text, the [start, end) of what is supervised in it, and where its trained turns begin, in order."""

    text: str
    runs: tuple[tuple[int, int], ...]
    borders: tuple[int, ...]


@dataclass(frozen=True)
class Script:
    """What rendering needs next to the messages. system_in_user: the template has no system turn. stops: the texts of
    all tokens at which generation stops."""

    template: Template
    tools: tuple[Message, ...]
    endings: dict[str, Ending]
    system_in_user: bool
    manners: Manners = field(default_factory=Manners)
    stops: tuple[str, ...] = ()

    def render(self, messages: Sequence[Message], *, generation: bool = False) -> str:
        """The text of messages that `compose` has laid out."""
        return self.template.render(list(map(self.formed, messages)), self.tools, generation=generation)

    def formed(self, message: Message) -> Message:
        """The message with arguments in the form that the template takes."""
        form = FORMS[self.manners.arguments]
        if self.manners.arguments == "object" or not message.get("tool_calls"):
            return message
        calls = [
            {**call, "function": {**call["function"], "arguments": form(call["function"]["arguments"])}}
            for call in message["tool_calls"]
        ]
        return {**message, "tool_calls": calls}

    def with_tools(self, tools: Sequence[Message]) -> "Script":
        """The same with other tools."""
        return replace(self, tools=tuple(tools))

    def ending(self, message: Message) -> Ending:
        """How a turn of the model ends. Raises DataError where the template has no calls and this is one."""
        kind = kind_of(message)
        if kind not in self.endings:
            raise DataError(self.manners.no_calls)
        return self.endings[kind]


class Written(NamedTuple):
    """A turn of the model: the prompt, what is written behind it with its end token, and how much is thoughts."""

    given: str
    text: str
    thoughts: int

    @property
    def whole(self) -> str:
        """All of it."""
        return self.given + self.text


@dataclass(frozen=True)
class Conversation:
    """Composed messages as one template renders them, each beginning of them once. moved: how far they stand behind
    the data's."""

    script: Script
    messages: list[Message]
    moved: int = 0
    _known: dict[tuple[int, bool], str] = field(default_factory=dict)
    _turns: dict[int, Written] = field(default_factory=dict)

    @property
    def faults(self) -> TurnFaults:
        """What refuses turns."""
        return TurnFaults(self.script, self.messages, self.moved)

    def name(self, turn: int) -> str:
        """A turn as the data counts its messages, from 1."""
        return self.faults.name(turn)

    def given(self, turn: int) -> str:
        """All that the model is given before it writes this turn."""
        return self._render(turn, generation=True)

    def written(self, turn: int) -> Written:
        """A turn behind its prompt. Raises DataError where inference would not begin or end it so."""
        if turn not in self._turns:
            self._turns[turn] = self._written(turn)
        return self._turns[turn]

    def groups(self, trained: Sequence[int]) -> list[tuple[int, ...]]:
        """Trained turns that one text can hold together, in order.

        It cannot where the template writes an earlier turn otherwise once others follow: thinking that is cut out of
        the history, tools before the last user turn.
        """
        groups: list[tuple[int, ...]] = []
        for turn in trained:
            fits = bool(groups) and self.written(turn).given.startswith(self.written(groups[-1][-1]).whole)
            groups = [*groups[:-1], (*groups[-1], turn)] if fits else [*groups, (turn,)]
        return groups

    def sequence(self, group: Sequence[int], kinds: dict[int, tuple[bool, bool]]) -> Rendered:
        """The text up to the end of a group's last turn. kinds: of a turn, whether its thoughts and the rest train."""
        text = self.written(group[-1]).whole
        runs: list[tuple[int, int]] = []
        for turn in group:
            begin, (thoughts, rest), written = len(self.given(turn)), kinds[turn], self.written(turn)
            middle, end = begin + written.thoughts, begin + len(written.text)
            runs.append((begin if thoughts or not written.thoughts else middle, end if rest else middle))
        return Rendered(text, tuple(runs), tuple(len(self.given(turn)) for turn in group))

    def opening(self) -> Rendered:
        """The text that generation is given: all messages and the generation prompt."""
        return Rendered(self.given(len(self.messages)), (), ())

    def _written(self, turn: int) -> Written:
        message = self.messages[turn]
        ending = self.script.ending(message)
        given, whole = self.given(turn), self._render(turn + 1, generation=False)
        if ending.follows:
            end = len(whole)
        elif whole.endswith(ending.token + ending.tail):
            end = len(whole) - len(ending.tail)
        else:
            raise DataError(
                f"the chat template does not end {self.name(turn)} with {ending.token!r} as it ends others"
                "; leave such dialogues out in clean, or take another template"
            )
        content_begin, thought = self._span_of(turn, whole)
        self.faults.need_words(turn, whole, content_begin)
        words = min(content_begin, thought)
        spoken = len(whole) - len(whole[words:].lstrip())  # blanks before it may be the prompt's
        begin = len(given) if whole.startswith(given) else self._begun(turn, whole[:spoken])
        text = whole[begin:end] + (ending.token if ending.follows else "")
        self.faults.need_prompt(whole[begin:words])
        self.faults.need_own_words(turn, whole[begin:words])
        self.faults.need_calls(turn, text)
        self.faults.need_one_end(turn, text, ending)
        return Written(given, text, self._thoughts(turn, whole, thought) - begin if thought < len(whole) else 0)

    def _span_of(self, turn: int, whole: str) -> tuple[int, int]:
        """Where what a turn says begins in the text, and its thoughts; its length where it has none."""
        message = self.messages[turn]
        thoughts = message.get("reasoning_content")
        known = message["content"].strip() or str(
            message.get("tool_calls", [{}])[0].get("function", {}).get("name", "")
        )
        begin = whole.find(known, len(self.given(turn))) if known and whole.startswith(self.given(turn)) else -1
        begin = begin if begin >= 0 else self._place(turn, whole, ("content", "tool_calls"))
        if not thoughts:
            return begin, len(whole)
        thought = self._place(turn, whole, ("reasoning_content",))
        if thought == len(whole):
            raise DataError(
                f"the chat template does not write the thoughts (reasoning_content) of {self.name(turn)}; take a "
                "template that does, set encode.template_options, or leave `thoughts` out of encode.train_on to train "
                "without"
            )
        return begin, thought

    def _place(self, turn: int, whole: str, keys: Sequence[str]) -> int:
        """Where the text begins to change with some keys of a turn."""
        texts = []
        for word in WORDS:
            other = replaced(self.messages[turn], word, keys)
            texts.append(self.script.render([*self.messages[:turn], other]))
        place = shared(*texts)
        return min(shared(whole, texts[0]), place) if texts[0] != texts[1] else len(whole)

    def _thoughts(self, turn: int, whole: str, thought: int) -> int:
        """Where thoughts end, what closes them included."""
        closing = self.script.manners.closing or ""
        other = self.script.render(
            [*self.messages[:turn], replaced(self.messages[turn], WORDS[0], ("reasoning_content",))]
        )
        behind = other[other.find(WORDS[0], thought) + len(WORDS[0]) :]
        end = len(whole) - len(behind)
        if not whole.endswith(behind) or not behind.startswith(closing):
            raise DataError(
                f"the chat template does not close the thoughts of {self.name(turn)} as it closes others"
                "; leave `thoughts` out of encode.train_on, or take another template"
            )
        return end + len(closing)

    def _begun(self, turn: int, before: str) -> int:
        """Where a turn begins in a text that differs from its prompt further up (a result that is the last turn).

        Raises DataError where it differs in the generation prompt itself.
        """
        given = self.given(turn)
        opened = given[shared(given, self._render(turn, generation=False)) :].lstrip()
        last_words = self.messages[turn - 1]["content"].strip()[-TAIL:] if turn else ""
        kept = opened or (given[given.rfind(last_words) :] if last_words and last_words in given else "")
        if kept and kept in before:
            return before.rindex(kept) + len(kept)
        raise self.faults.odd_prompt(turn, opened)

    def _render(self, stop: int, *, generation: bool) -> str:
        key = (stop, generation)
        if key not in self._known:
            self._known[key] = self.script.render(self.messages[:stop], generation=generation)
        return self._known[key]


def replaced(message: Message, word: str, keys: Sequence[str]) -> Message:
    """The same turn with a word in place of each text that it has under some keys."""
    changed: dict[str, Any] = {key: word for key in keys if message.get(key) and key != "tool_calls"}
    if "content" in changed:
        changed["content"] = content_with(message, word)
    if "tool_calls" in keys and message.get("tool_calls"):
        calls = []
        for call in message["tool_calls"]:
            function = call["function"]
            names = function["arguments"] or {"probe": ""}
            calls.append({**call, "function": {**function, "arguments": dict.fromkeys(names, word)}})
        changed["tool_calls"] = calls
    return {**message, **changed}
