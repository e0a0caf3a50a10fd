"""What refuses a turn of the model: what a template does with it that training or inference could not bear, and the
fix."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from ...data.dialogues.messages import Message
from ...data.errors import DataError
from .end_of_turn import Ending

if TYPE_CHECKING:
    from .spans import Script

SWITCHES = ("enable_thinking", "thinking")
"""Options by which templates open or close thoughts."""


@dataclass(frozen=True)
class TurnFaults:
    """Composed messages and how they are rendered; moved: how far they stand behind the data's."""

    script: "Script"
    messages: Sequence[Message]
    moved: int

    def name(self, turn: int) -> str:
        """A turn as the data counts its messages, from 1."""
        return f"message {turn - self.moved + 1}"

    def odd_prompt(self, turn: int, opened: str) -> DataError:
        """The generation prompt is not how a turn begins."""
        return DataError(
            f"the chat template's generation prompt ends {opened[-40:]!r}, and it does not begin {self.name(turn)} so; "
            f"what is trained would not be what inference gives. {self._fix(turn, opened)}"
        )

    def _fix(self, turn: int, opened: str) -> str:
        """What would make a turn begin as its prompt ends: options of the template are tried."""
        template = self.script.template
        for name, value in product(SWITCHES, (True, False)):
            other = replace(self.script, template=replace(template, options={**template.options, name: value}))
            with suppress(DataError):
                given = other.render(self.messages[:turn], generation=True)
                if name in template.source and other.render(self.messages[: turn + 1]).startswith(given):
                    return f"Set encode.template_options: {{{name}: {str(value).lower()}}}, with which it does"
        advice = "Take data with reasoning_content, or fix" if "think" in opened.lower() else "Fix"
        return f"{advice} what the template writes at add_generation_prompt"

    def need_prompt(self, lead: str) -> None:
        """Raise DataError where the model itself would have to write the header of its turn."""
        header = self.script.manners.header
        if header and header in lead:
            raise DataError(
                "the chat template gives no generation prompt at this place (behind a tool's result, behind the "
                f"model's own turn), so that the model would be trained to write its own header, {lead[:40]!r}; fix "
                "its add_generation_prompt, or join consecutive turns of the assistant"
            )

    def need_own_words(self, turn: int, lead: str) -> None:
        """Raise DataError where the template writes an earlier turn behind the prompt of this one."""
        before = [message["content"].strip() for message in self.messages[:turn] if message["role"] == "assistant"]
        if any(len(content) > 1 and content in lead for content in before):
            raise DataError(
                f"the chat template joins {self.name(turn)} to the assistant's turn before it, but not the "
                "generation prompt; join consecutive turns of the assistant in the data"
            )

    def need_words(self, turn: int, whole: str, begin: int) -> None:
        """Raise DataError where the template leaves out what a turn says, or the turn says nothing."""
        message = self.messages[turn]
        if begin == len(whole) and not message.get("tool_calls") and not message["content"].strip():
            raise DataError(
                f"{self.name(turn)} is empty, and the model would be trained to say nothing; drop such "
                "turns by the step drop_empty_turns of clean"
            )
        if begin == len(whole) or (message.get("tool_calls") and message["content"].strip() not in whole):
            left = "the text next to its calls" if message.get("tool_calls") else "what it says"
            raise DataError(
                f"the chat template leaves out a part of {self.name(turn)}, {left}; take another template, or give "
                "texts and calls turns of their own"
            )

    def need_calls(self, turn: int, text: str) -> None:
        """Raise DataError where the template writes some of a turn's calls alone."""
        place, names = 0, [call["function"]["name"] for call in self.messages[turn].get("tool_calls", ())]
        for name in names:
            place = text.find(name, place) + len(name)
            if place < len(name) and self.messages[turn]["content"].strip() and name == names[0]:
                raise DataError(
                    f"the chat template does not write the calls of {self.name(turn)} next to its text; give texts and "
                    "calls turns of their own, or take another template"
                )
            if place < len(name):
                raise DataError(
                    f"the chat template writes fewer than the {len(names)} calls of {self.name(turn)}; give each call "
                    "a turn of its own with its result behind it, or take another template"
                )

    def need_one_end(self, turn: int, text: str, ending: Ending) -> None:
        """Raise DataError where generation would stop before the end; behind `manners.first` it goes on."""
        first = self.script.manners.first if self.messages[turn].get("tool_calls") else ""
        inner = text.removeprefix(first)[: -len(ending.token)]
        early = next((token for token in self.script.stops if token in inner), None)
        if early is not None:
            raise DataError(
                f"{self.name(turn)} holds {early!r}, at which generation stops, before its end: what follows would "
                "never be written. Leave this kind of turn out of encode.train_on, leave out the text before its "
                "calls, or give it a turn of its own, or take another template"
            )
