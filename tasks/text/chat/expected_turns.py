"""One turn of the model as renderings of it with other words show it, and what no mask of it may hold.

The certificate's own derivation (substitution.py): of spans.py and end_of_turn.py nothing is used but how a dialogue is
rendered, and at which token the model is to stop.
"""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from ...data.dialogues.messages import Message, is_call
from ...data.errors import DataError
from .encoding import DialogueEncoding
from .spans import Script
from .substitution import (
    MATCHED,
    PLAIN,
    aligned,
    call_words,
    common,
    count_in,
    count_texts,
    own_content,
    python_texts,
    substituted,
    without_specials,
)

ONE, OTHER, NEXT = "Awex", "Mubiz", "Jorvel"
"""Words put in place of a turn's content, no letter in common at either end, and of the turn behind it."""
Span = tuple[int, int]


class Turn(NamedTuple):
    """A turn of the model as two renderings show it: its prompt, what it writes, where its words begin in that, where
    its thoughts end (0 without), its last token's text."""

    given: str
    text: str
    words: int
    thoughts: int
    end: str


class RenderedTurns:
    """One sequence's turns, rendered again and again."""

    def __init__(self, encoding: DialogueEncoding, script: Script, messages: list[Message]) -> None:
        self.encoding, self.script, self.messages = encoding, script, messages
        self.special = _pattern(encoding.specials)
        self.broken: set[str] = set()

    def turn(self, place: int) -> Turn:
        """A turn of the model, and in `broken` what is odd about it."""
        given = self.script.render(self.messages[:place], generation=True)
        whole = self.script.render(self.messages[: place + 1])
        words = self._words(place, whole, self.messages[place], "content", "tool_calls")
        thoughts = self._words(place, whole, self.messages[place], "reasoning_content")
        first = min(span[0] for span in (words, thoughts) if span is not None) if words or thoughts else len(given)
        begin = (
            len(given)
            if whole.startswith(given)
            else aligned(
                given, whole[: len(whole) - len(whole[first:].lstrip())], self.messages[place - 1] if place else {}
            )
        )
        if words is None or (begin > first and not whole[first:begin].isspace()):  # blanks that end the prompt
            self.broken.add("the template leaves out part of what the model generates")
        text = whole[begin:]
        end, token = self._end(place, whole, words or (begin, begin))
        text = whole[begin:end] if end <= len(whole) else whole[begin:] + token
        behind = 0
        if thoughts:
            behind = self._closed(place, whole, thoughts[1]) - begin
        return Turn(given, text, first - begin, behind, token)

    def _words(self, place: int, whole: str, message: Message, *keys: str) -> Span | None:
        """Where a turn's own words lie in the text: between what two other contents leave unchanged. None where one of
        them is not written."""
        count = count_texts(message, keys)
        if not count:
            return None
        before = self.messages[:place]
        left, other = (self.script.render([*before, substituted(message, word, keys)]) for word in (ONE, OTHER))
        if left.count(ONE) < count:
            self.broken.add("the template leaves out part of what the model generates")
            return None
        begin = common(whole, left[: common(left, other)])
        behind = left[::-1][: common(left[::-1], other[::-1])]
        end = len(whole) - common(whole[::-1], behind)
        return begin, max(begin, end)

    def _closed(self, place: int, whole: str, end: int) -> int:
        """Where thoughts end with what closes them: before what another content of the same turn changes."""
        message, before = self.messages[place], self.messages[:place]
        reply = {key: value for key, value in message.items() if key != "tool_calls"}
        texts = [whole, self.script.render([*before, {**reply, "content": ONE}])]
        if self.encoding.endings.keys() >= {"call"}:
            call = {"type": "function", "id": "call00000", "function": {"name": OTHER, "arguments": {"probe": OTHER}}}
            with suppress(DataError):  # a tool that this template does not know
                texts.append(self.script.render([*before, {**reply, "content": "", "tool_calls": [call]}]))
        return max(end, min(common(whole, text) for text in texts[1:]))

    def _end(self, place: int, whole: str, words: Span) -> tuple[int, str]:
        """Where the turn's last token ends and what it is: the last special token that stays whatever comes next."""
        longer, behind = self._followed(place, whole), words[1]
        own = whole[words[0] : behind]
        line = self.messages[place]["content"].strip().rpartition("\n")[2]
        near = [whole[max(words[0] - MATCHED, 0) : behind], own, own.strip().rpartition("\n")[2]]
        near += [line] if own.endswith(line) else []  # thoughts before it may be cut once another turn follows
        anchor = next((text for text in near if text and text in longer), None)
        anchor_end = longer.rfind(anchor) + len(anchor) if anchor else -1
        stays = behind + common(whole[behind:], longer[anchor_end:]) if anchor_end >= 0 else len(whole)
        matches = list(self.special.finditer(whole, behind))
        tokens = [token for token in matches if token.end() <= stays]
        if (
            len(tokens) > 1
            and stays < len(whole)
            and self._stood(whole[tokens[-1].start() :], whole[: words[0]], place)
        ):
            tokens = tokens[:-1]  # a generation prompt that is written unasked
        tokens = [token for token in tokens or matches if token.group() not in whole[behind : token.start()]]
        if tokens and not self.script.ending(self.messages[place]).follows:
            return tokens[-1].end(), tokens[-1].group()
        opening = (
            self.special.match(longer, anchor_end + len(whole) - behind)
            if anchor_end >= 0 and stays == len(whole)
            else None
        )
        token = opening.group() if opening else str(self.encoding.texts.get("eos_token", ""))
        return len(whole) + len(token), token

    def _stood(self, text: str, before: str, place: int) -> bool:
        """Whether the template has written a text before a turn, more often than people typed it."""
        typed = count_in([self.messages[:place], list(self.script.tools)], text)
        return before.count(text) > typed

    def _followed(self, place: int, whole: str) -> str:
        """The turn with another behind it."""
        message = self.messages[place]
        user = {"role": "user", "content": NEXT}
        following = [user]
        if is_call(message):
            call = message["tool_calls"][0]
            following = [
                {"role": "tool", "content": NEXT, "name": call["function"]["name"], "tool_call_id": call["id"]},
                user,
            ]
        for after in following:
            try:
                return self.script.render([*self.messages[: place + 1], after])
            except DataError:
                continue
        return whole

    def faults(self, place: int, rendered: Turn) -> set[str]:
        """What no mask may hold."""
        message, ends = self.messages[place], set(self.encoding.stops)
        ending = self.script.ending(message)
        written = rendered.text[: len(rendered.text) - len(rendered.end)].removeprefix(self._first(place))
        inner = self.special.findall(written) if self.encoding.stops else []
        spelt = {text for text in self.encoding.specials if text in json.dumps(message, ensure_ascii=False)}
        header = self._header(place)
        checks = {
            "an end-of-turn token stands within what is supervised": [t for t in inner if t in ends and t not in spelt],
            "what ends the turn is not what generation stops at": rendered.end != ending.token,
            "a role header is supervised": header and header in rendered.text[: max(rendered.words, 0)],
            "a call's arguments are Python's text of an object": any(
                text in rendered.text and text not in json.dumps(message, ensure_ascii=False)
                for text in python_texts(message)
            ),
            "a given turn is supervised": any(
                len(given := turn["content"].strip()) > 1
                and rendered.text[: max(rendered.words, 0)].count(given) > count_in(call_words(message), given)
                and given not in self.encoding.template  # letters of a marker
                for turn in self.messages[:place]
            ),
            "what a turn says is written otherwise": own_content(message) not in rendered.text,
            "thoughts are missing": (message.get("reasoning_content") or "").strip() not in rendered.text,
            "an empty turn is supervised": not is_call(message) and not message["content"].strip(),
        }
        return {name for name, broken in checks.items() if broken}

    def _first(self, place: int) -> str:
        """The end token with which this call begins and generation goes on; none where a reply may begin so too, or
        where the turn has a text before it."""
        message, first = self.messages[place], self.encoding.manners.first
        reply = {"role": "assistant", "content": ONE}
        if not first or not is_call(message) or message["content"].strip():
            return ""
        given = self.script.render(self.messages[:place], generation=True)
        try:
            other = self.script.render([*self.messages[:place], reply])
        except DataError:
            return ""
        return "" if other[common(given, other) :].startswith(first) else first

    def _header(self, place: int) -> str:
        """What a generation prompt adds to the turns before it, up to its first line's end; what the prompt ends with
        behind a user's words where it adds nothing."""
        first = next((n for n in range(place) if self.messages[n]["role"] == "user"), None)
        if first is None:
            return ""
        before = [*self.messages[:first], {"role": "user", "content": NEXT}]
        try:
            prompted, plain = self.script.render(before, generation=True), self.script.render(before)
        except DataError:
            return ""
        added = prompted[common(prompted, plain) :].strip()
        if added:
            return added.splitlines()[0]
        line = prompted.rpartition(NEXT)[2].strip().rpartition("\n")[2]
        return line[max((token.start() for token in self.special.finditer(line)), default=0) :]

    def specials(self, place: int, text: str) -> list[str]:
        """The special tokens of the text, less those that content spells."""
        content = json.dumps([self.messages, self.script.tools], ensure_ascii=False)
        if not self.special.search(content):
            return list(self.special.findall(text))
        turns = [without_specials(turn, self.special) for turn in self.messages]
        tools = json.loads(self.special.sub(PLAIN, json.dumps(self.script.tools, ensure_ascii=False)))
        script = self.script.with_tools(tools)
        last = RenderedTurns(self.encoding, script, turns).turn(place)
        return list(self.special.findall(last.given + last.text))


def _pattern(specials: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(specials, key=len, reverse=True))) or "(?!)")
