"""What a dialogue's sequence must hold, derived without the code that made it: the same turns with other words in.

The mask is made by comparing beginnings of a dialogue (turns.py) with what was found of the template once (endings.py,
manners.py). Here every trained turn is rendered again with its own words replaced and with another turn behind it; what
changes is what the model generates, and what stays before the next turn is its end. Nothing of those modules is used.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...data.dialogues.messages import Message, is_call
from .encoding import DialogueEncoding
from .expected_turns import NEXT, RenderedTurns, Span, Turn
from .spans import Script
from .substitution import aligned, substituted

LEFT = "the template leaves out a turn of role {}"
GIVEN = "Truq{}h"
"""Words put in place of what is given."""


class Expected(NamedTuple):
    """The text of a sequence, that of each supervised run, how long the prompt of its last turn is, its special tokens,
    the checks that rendering breaks, how many of its trained calls hold ids that the data does not have, and whether
    the template leaves out the system turn that it is given."""

    text: str
    runs: list[str]
    prompt: int
    specials: list[str]
    broken: set[str]
    own_ids: int
    unsystemed: bool


def expect(encoding: DialogueEncoding, dialogue: Sequence[Message], start: int, trained: Sequence[int]) -> Expected:
    """What the sequence of a dialogue from turn `start` must hold, whose turns `trained` are supervised."""
    messages, moved, own, _ = encoding.composed(dialogue, start, trained[-1] + 1)
    script = encoding.script if own is None else encoding.script.with_tools(own)
    places = [turn + moved for turn in trained]
    looker = RenderedTurns(encoding, script, messages)
    turns = {place: looker.turn(place) for place in places}
    last = turns[places[-1]]
    text = last.given + last.text
    broken, spans = set(looker.broken), []
    for turn, (place, rendered) in zip(trained, turns.items(), strict=True):
        if not text.startswith(rendered.given) or not text.startswith(rendered.text, len(rendered.given)):
            broken.add("what is supervised is written otherwise once other turns follow")
        thoughts, rest = _wanted(encoding, dialogue[turn])
        begin, end = (
            0 if thoughts or not rendered.thoughts else rendered.thoughts,
            len(rendered.text) if rest else rendered.thoughts,
        )
        spans.append((len(rendered.given) + begin, len(rendered.given) + end))
        broken |= looker.faults(place, rendered)
    system_text = _system(encoding, dialogue)
    missing = system_text.strip() not in text
    unsystemed = missing and messages[0] == {"role": "system", "content": system_text} and _writes_systems(script)
    if missing and not unsystemed:
        broken.add("the system turn is missing")
    broken |= _given(encoding, script, messages, turns) - {LEFT.format("system") if unsystemed else ""}
    broken |= _marked(script, messages, turns) | _names(encoding, script)
    own_ids = _own_ids(dialogue, trained, messages, moved, turns)
    runs = [text[begin:end] for begin, end in _joined(spans)]
    return Expected(text, runs, len(last.given), looker.specials(places[-1], text), broken, own_ids, unsystemed)


def _joined(spans: Sequence[Span]) -> list[Span]:
    """The same with those that touch made one."""
    joined: list[Span] = []
    for begin, end in spans:
        joined = [*joined[:-1], (joined[-1][0], end)] if joined and joined[-1][1] == begin else [*joined, (begin, end)]
    return joined


def _wanted(encoding: DialogueEncoding, turn: Message) -> tuple[bool, bool]:
    """Whether thoughts and the rest of a turn are to be supervised."""
    kind = "call" if is_call(turn) else "assistant"
    return "thoughts" in encoding.train_on and bool(turn.get("reasoning_content")), kind in encoding.train_on


def _own_ids(
    dialogue: Sequence[Message],
    trained: Sequence[int],
    messages: Sequence[Message],
    moved: int,
    turns: Mapping[int, Turn],
) -> int:
    """Trained calls in which the model has to write an id that the data does not have."""
    count = 0
    for turn in trained:
        pairs = zip(dialogue[turn].get("tool_calls") or (), messages[turn + moved].get("tool_calls") or (), strict=True)
        count += sum(old.get("id") != new["id"] and new["id"] in turns[turn + moved].text for old, new in pairs)
    return count


def _given(
    encoding: DialogueEncoding, script: Script, messages: Sequence[Message], turns: Mapping[int, Turn]
) -> set[str]:
    """Checks on the same dialogue with a word for each given turn and tool: every word is written, no run changes."""
    words = {n: GIVEN.format(n) for n, turn in enumerate(messages) if n not in turns and turn["content"]}
    other = [
        substituted(turn, words[n], ("content", "tool_calls")) if n in words else turn
        for n, turn in enumerate(messages)
    ]
    script = script.with_tools([_renamed(tool, n) for n, tool in enumerate(script.tools)])
    broken, rest = set(), ""
    for place, turn in turns.items():
        given = script.render(other[:place], generation=True)
        whole = script.render(other[: place + 1])
        begin = len(given) if whole.startswith(given) else aligned(given, whole, other[place - 1] if place else {})
        body = (
            turn.text
            if not encoding.script.ending(messages[place]).follows
            else turn.text[: len(turn.text) - len(turn.end)]
        )
        if not whole.startswith(body, begin) and body not in whole:
            broken.add("what is supervised depends on what is given")
        rest = given
    if any(tool["function"]["name"] not in rest for tool in script.tools):
        broken.add("the tools are missing")
    left = {messages[n]["role"] for n, word in words.items() if word not in rest and n < max(turns)}
    return broken | {LEFT.format(role) for role in left}


def _renamed(tool: Message, number: int) -> Message:
    return {**tool, "function": {**tool["function"], "name": GIVEN.format(f"tool{number}")}}


def _marked(script: Script, messages: Sequence[Message], turns: Mapping[int, Turn]) -> set[str]:
    """Check that what each turn writes touches a {% generation %} block, where the template has them, and that no block
    reaches over what stands before its prompt or behind its end: a block may hold part of the prompt, as TRL's do."""
    if not script.template.has_spans:
        return set()
    for place, turn in turns.items():
        shown = [script.formed(message) for message in messages[: place + 1]]
        blocks = script.template.spans(shown, script.tools)
        whole = script.template.render(shown, script.tools)
        begin = len(turn.given) if whole.startswith(turn.given) else whole.rfind(turn.text)
        end = begin + len(turn.text)
        spoken = [block for block in blocks if block[0] < end and block[1] > begin]
        if not spoken or any(
            begin < block[0] and block[1] > end and not whole[end : block[1]].isspace() for block in spoken
        ):
            return {"the template's generation blocks mark other text"}
    return set()


def _names(encoding: DialogueEncoding, script: Script) -> set[str]:
    """Check that the template has every special token that it reads and the tokenizer names."""
    lacking = [
        name for name in encoding.named if re.search(rf"\b{name}\b", encoding.template) and name not in encoding.texts
    ]
    return {f"the template reads {name}, which it is not given" for name in lacking}


def _writes_systems(script: Script) -> bool:
    """Whether the template writes a system turn before a user turn that is the last one."""
    turns = [{"role": "system", "content": GIVEN}, {"role": "user", "content": NEXT}]
    return GIVEN in script.render(turns, generation=True)


def _system(encoding: DialogueEncoding, dialogue: Sequence[Message]) -> str:
    own = dialogue[0]["content"] if dialogue[0]["role"] == "system" else None
    return (encoding.system if own is None else str(own)) or ""
