"""The calls of training dialogues -> how many of them read back from what the chat template writes of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...data.dialogues.messages import Message, counted_from, is_call, tools_of
from .call_reader import Reader, find_reader
from .encoding import DialogueEncoding

NAMED = 3
"""Turns that are named."""


@dataclass(frozen=True)
class CallProof:
    """turns: of the assistant with calls; unread: the row and the number of the message of each that does not come back
    equal; why: what the chat template lacks, where it is not the turn."""

    turns: int
    unread: tuple[tuple[str, int], ...]
    why: str

    def describe(self) -> str:
        """What is stated about it; empty where nothing is wrong."""
        if not self.unread:
            return ""
        named = ", ".join(f"{row} message {place + 1}" for row, place in self.unread[:NAMED])
        named += ", …" if len(self.unread) > NAMED else ""
        return (
            f"{len(self.unread):,} of {self.turns:,} turns with calls in training dialogues do not read back from what "
            f"the chat template writes of them ({named}): {self.why or 'names or arguments come back otherwise'}. "
            "evaluate measures no score of such calls"
        )


def template_reader(encoding: DialogueEncoding) -> Reader:
    """What reads the turns that a model of this encoding writes."""
    template = encoding.script.template
    return find_reader(lambda messages, tools, prompt: template.render(messages, tools, generation=prompt))


def prove_calls(encoding: DialogueEncoding, dialogues: Mapping[str, Sequence[Message]]) -> CallProof:
    """Render and read back every turn with calls; dialogues by row id."""
    places = [(row, place) for row, messages in dialogues.items() for place in _calling(messages)]
    if not places:
        return CallProof(0, (), "")
    reader = template_reader(encoding)
    unread = tuple(
        (row, place - counted_from(dialogues[row]))
        for row, place in places
        if not reader.gives_back(dialogues[row][place], [*encoding.tools, *tools_of(list(dialogues[row]))])
    )
    return CallProof(len(places), unread, reader.why)


def _calling(messages: Sequence[Message]) -> Iterator[int]:
    return (place for place, message in enumerate(messages) if is_call(message))
