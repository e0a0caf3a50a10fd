"""A dialogue -> rendered text with the spans that the model writes and the places where tokenising is cut."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..data.errors import DataError
from ..data.messages import Message
from .endings import Ending, kind_of
from .templates import Template

BETWEEN = "\n\n"
"""Between a system text and the first user turn that has to carry it."""


class Rendered(NamedTuple):
    """A text, the [start, end) of what is supervised in it, and where tokenising is cut, in order."""

    text: str
    runs: tuple[tuple[int, int], ...]
    cuts: tuple[int, ...]


@dataclass(frozen=True)
class Script:
    """What rendering needs beside the messages. system_in_user: the template has no system turn."""

    template: Template
    tools: tuple[Message, ...]
    endings: dict[str, Ending]
    system_in_user: bool

    def render(self, messages: Sequence[Message], *, generation: bool = False) -> str:
        """The text of messages that `compose` has laid out."""
        return self.template.render(messages, self.tools, generation=generation)

    def ending(self, message: Message) -> Ending:
        """How a turn of the model ends. Raises DataError where the template has no calls and this is one."""
        kind = kind_of(message)
        if kind not in self.endings:
            raise DataError(
                "the chat template does not write tool calls; take the model's template for tools, or chatml"
            )
        return self.endings[kind]


def compose(
    dialogue: Sequence[Message], start: int, stop: int, *, system: str | None, system_in_user: bool
) -> tuple[list[Message], int]:
    """The system turn and turns [start, stop) as a template takes them, and how far their numbers moved.

    Turn i of the dialogue is turn i + moved of what is returned. Calls get ids and results their call's name and id,
    by their order, since some templates ask for them. `weight` is left off.
    """
    own = bool(dialogue) and dialogue[0]["role"] == "system"
    said = dialogue[0]["content"] if own else system
    first = max(start, 1) if own else start
    turns = _linked(dialogue[first:stop])
    if said is None or (system_in_user and not said):
        return turns, -first
    if not system_in_user:
        return [{"role": "system", "content": said}, *turns], 1 - first
    place = next((n for n, turn in enumerate(turns) if turn["role"] == "user"), None)
    if place is None:
        raise DataError("the chat template has no system turn, and the dialogue no user turn that could carry it")
    turns[place] = {**turns[place], "content": said + BETWEEN + turns[place]["content"]}
    return turns, -first


def _linked(turns: Sequence[Message]) -> list[Message]:
    """Copies of turns whose calls and results name one another."""
    waiting: list[tuple[str, str]] = []
    linked: list[Message] = []
    calls = 0
    for turn in turns:
        copy = {name: value for name, value in turn.items() if name != "weight"}
        if turn.get("tool_calls"):
            copy["tool_calls"] = [{"type": "function", "id": f"call{calls + n:05d}", **call}
                                  for n, call in enumerate(turn["tool_calls"])]  # fmt: skip
            calls += len(turn["tool_calls"])
            waiting = [(call["function"]["name"], call["id"]) for call in copy["tool_calls"]]
        elif turn["role"] == "tool" and waiting:
            name, number = waiting.pop(0)
            copy = {"name": name, "tool_call_id": number, **copy}
        linked.append(copy)
    return linked


@dataclass(frozen=True)
class Conversation:
    """Composed messages as one template renders them, each beginning of them once."""

    script: Script
    messages: list[Message]
    _known: dict[tuple[int, bool], str] = field(default_factory=dict)

    def given(self, turn: int) -> str:
        """All that the model is given before it writes this turn."""
        return self._render(turn, generation=True)

    def written(self, turn: int) -> str:
        """The same and what the model writes, its end-of-turn token included, nothing behind it."""
        ending = self.script.ending(self.messages[turn])
        whole = self._render(turn + 1, generation=False)
        if ending.follows:
            return whole + ending.token
        if not whole.endswith(ending.token + ending.tail):
            raise DataError(f"the chat template does not end turn {turn} with {ending.token!r} as it ends others")
        return whole[: len(whole) - len(ending.tail)]

    def groups(self, trained: Sequence[int]) -> list[tuple[int, ...]]:
        """Trained turns that one text can hold together, in order.

        It cannot where the template writes an earlier turn otherwise once others follow: thinking that is cut out of
        the history, tools before the last user turn.
        """
        found: list[tuple[int, ...]] = []
        for turn in trained:
            fits = bool(found) and self.written(turn).startswith(self.written(found[-1][-1]))
            found = [*found[:-1], (*found[-1], turn)] if fits else [*found, (turn,)]
        return found

    def sequence(self, group: Sequence[int]) -> Rendered:
        """The text up to the end of a group's last turn. Raises DataError where inference would begin it otherwise."""
        odd = next((turn for turn in group if not self.written(turn).startswith(self.given(turn))), None)
        if odd is not None:
            raise DataError(
                "the chat template's generation prompt is not how it begins an assistant turn; what is trained would "
                "not be what inference gives. Mend its add_generation_prompt"
            )
        text = self.written(group[-1])
        runs = tuple((len(self.given(turn)), len(self.written(turn))) for turn in group)
        return Rendered(text, runs, self._cuts(text, group[-1] + 1))

    def opening(self) -> Rendered:
        """The text that generation is given: all messages and the generation prompt."""
        text = self.given(len(self.messages))
        return Rendered(text, (), self._cuts(text, len(self.messages)))

    def _cuts(self, text: str, stop: int) -> tuple[int, ...]:
        """Both ends of every turn of the model, trained or not: merges across them would differ at inference."""
        found = {0, len(text)}
        for turn in range(stop):
            if self.messages[turn]["role"] == "assistant" and (turn or self._opens()):
                found |= {len(part) for part in (self.given(turn), self.written(turn)) if text.startswith(part)}
        return tuple(sorted(found))

    def _opens(self) -> bool:
        """Whether the template lets the model speak first."""
        try:
            return bool(self.given(0) or self.written(0))
        except DataError:  # it is refused aloud where that turn is trained
            return False

    def _render(self, stop: int, *, generation: bool) -> str:
        key = (stop, generation)
        if key not in self._known:
            self._known[key] = self.script.render(self.messages[:stop], generation=generation)
        return self._known[key]
