"""What a model has to write after the generation prompt, read off transformers' rendering alone."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

Message = dict[str, Any]
FOLLOWING = {"role": "user", "content": "Qyzzy"}
FIXED = datetime(2024, 7, 26, 12, 0, 0)
PROBE = "Vordim"
"""What a probe says."""
ROLE = re.compile(r"\b(?:assistant|model|gpt|bot|ai)\b", re.IGNORECASE)
"""How a header calls the model."""


class Impossible(Exception):
    """No mask would be right: why."""


def freeze_clock() -> None:
    """Let templates write Temper's date."""
    import transformers.utils.chat_template_utils as module

    class Still(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return FIXED

    module.datetime = Still  # type: ignore[attr-defined]


def sample(source: str) -> str:
    """What a template writes of a few dialogues, so that special tokens made of pieces are seen."""
    from bench_templates_dialogues import DIALOGUES, TOOLS
    from transformers.utils.chat_template_utils import render_jinja_template

    found = ""
    for name in ("system and two rounds", "call and reply", "thoughts"):
        for prompted in (True, False):
            try:
                found += render_jinja_template(
                    [DIALOGUES[name]],
                    tools=TOOLS,
                    chat_template=source,
                    add_generation_prompt=prompted,
                    bos_token="",
                    eos_token="",
                )[0][0]
            except Exception:
                continue
    return found


def shared(one: str, other: str) -> int:
    """Length of the common beginning."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


class Judge:
    """A template and its tokenizer as transformers has them."""

    def __init__(self, source: str, own: Any, options: dict[str, Any]) -> None:
        self.source, self.own, self.options = source, own, options
        longest_first = sorted(own.all_special_tokens, key=len, reverse=True)
        added = [token.content for token in own.added_tokens_decoder.values() if token.special]
        self.specials = sorted({*longest_first, *added}, key=len, reverse=True)
        self.special = re.compile("|".join(map(re.escape, self.specials)))

    @cached_property
    def lossless(self) -> bool:
        text = f"a  b\n{self.specials[0]}\na{self.specials[-1]} b\n"
        return "".join(self.own.decode([number]) for number in self.ids(text)) == text

    @cached_property
    def parts(self) -> bool:
        """Whether the template writes content only where it is a list of parts."""
        said, written = "Qyzzy", []
        for content in (said, [{"type": "text", "text": said}]):
            try:
                turns = [{"role": "user", "content": content}]
                text = self.own.apply_chat_template(turns, tokenize=False, chat_template=self.source, **self.options)
                written.append(str(text))
            except Exception:
                written.append("")
        return said not in written[0] and said in written[1] and repr(said) not in written[1]

    @cached_property
    def null(self) -> bool:
        """Whether the template writes calls only where the content next to them is null."""
        written = []
        for content in ("", None):
            call = {"type": "function", "id": "abcdef00x", "function": {"name": PROBE, "arguments": "{}"}}
            turn = {"role": "assistant", "content": content, "tool_calls": [call]}
            try:
                text = self.own.apply_chat_template(
                    [FOLLOWING, turn], tokenize=False, chat_template=self.source, **self.options
                )
                written.append(str(text))
            except Exception:
                written.append("")
        return PROBE not in written[0] and PROBE in written[1]

    def spells(self, dialogue: Any) -> bool:
        """Whether people type special tokens in it, which transformers would take for such."""
        return self.special.search(json.dumps(dialogue, ensure_ascii=False)) is not None

    def ids(self, text: str) -> list[int]:
        return list(self.own(text, add_special_tokens=False)["input_ids"])

    def render(self, messages: Sequence[Message], tools: Any, *, prompted: bool = False) -> str:
        messages = [{k: v for k, v in turn.items() if k != "weight"} for turn in messages]
        if self.null:
            messages = [
                {**turn, "content": None} if turn.get("tool_calls") and not turn["content"] else turn
                for turn in messages
            ]
        if self.parts:
            messages = [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in messages]
        try:
            return str(
                self.own.apply_chat_template(
                    messages,
                    tools=tools,
                    chat_template=self.source,
                    tokenize=False,
                    add_generation_prompt=prompted,
                    **self.options,
                )
            )
        except Exception as error:
            raise Impossible(f"transformers raises {error}") from None

    def turns(self, dialogue: Sequence[Message], tools: Any) -> dict[int, tuple[str, str]]:
        """Trained turn -> (prompt, what is written after it). Raises Impossible."""
        plain = self._given_systems(dialogue, tools)
        plain, moved = plain
        form = self._formed(plain, tools)
        if not self.replies:
            raise Impossible("replies are not written as they are")
        trained = [n for n, turn in enumerate(dialogue) if turn["role"] == "assistant" and turn.get("weight", 1)]
        first = next(n for n, turn in enumerate(form) if turn["role"] == "user") + 1
        if tools and any(
            tool["function"]["name"] not in self.render(form[:first], tools, prompted=True) for tool in tools
        ):
            raise Impossible("the tools are not written")
        return {n: self._turn(form, n + moved, tools) for n in trained}

    def _given_systems(self, dialogue: Sequence[Message], tools: Any) -> tuple[list[Message], int]:
        """The system text in the first user turn where the template has no system turn."""
        if dialogue[0]["role"] != "system":
            return list(dialogue), 0
        try:
            if PROBE in self.render([{"role": "system", "content": PROBE}, FOLLOWING], tools, prompted=True):
                return list(dialogue), 0
        except Impossible:
            pass
        said, rest = dialogue[0]["content"], list(dialogue[1:])
        if said:
            rest[0] = {**rest[0], "content": said + "\n\n" + rest[0]["content"]}
        return rest, -1

    def _formed(self, dialogue: list[Message], tools: Any) -> list[Message]:
        """Arguments as an object, or as JSON text where the template writes that as it is."""
        if not any(turn.get("tool_calls") for turn in dialogue):
            return dialogue
        probe = {"zig": "Zwog", "deep": {"on": True, "off": None}}
        kinds = {}
        for kind, given in (("object", probe), ("text", json.dumps(probe))):
            call = {"type": "function", "id": "abcdef00x", "function": {"name": "weather", "arguments": given}}
            try:
                text = self.render([FOLLOWING, {"role": "assistant", "content": "", "tool_calls": [call]}], tools)
            except Impossible as error:
                kinds[kind] = str(error)
                continue
            python = str(probe) in text or "Zwog" not in text
            twice = json.dumps(json.dumps(probe))[1:-1] in text
            kinds[kind] = "python" if python else "twice" if twice else ""
        if kinds["object"] == "":
            return dialogue
        if kinds["text"] == "":
            return [_as_text(turn) for turn in dialogue]
        raise Impossible(f"calls: {kinds}")

    @cached_property
    def replies(self) -> bool:
        """Whether the template writes what the assistant says."""
        try:
            return PROBE in self.render([FOLLOWING, {"role": "assistant", "content": PROBE}], None)
        except Impossible:
            return True

    @cached_property
    def stop(self) -> str:
        """The token that ends a reply, at which generation stops; empty where no reply is written."""
        try:
            written = self._written([FOLLOWING, {"role": "assistant", "content": PROBE}], 1, None)[1]
        except Impossible:
            return ""
        return next((text for text in [self.own.eos_token, *self.specials] if written.endswith(text)), "")

    def _turn(self, dialogue: list[Message], turn: int, tools: Any) -> tuple[str, str]:
        given, written = self._written(dialogue, turn, tools)
        asked = dialogue[turn - 1]
        if asked["role"] == "user" and "".join(asked["content"].split()) not in "".join(given.split()):
            raise Impossible("the user's turn is not written")
        self._check(dialogue[turn], written, given, dialogue, tools)
        return given, written

    def _written(self, dialogue: list[Message], turn: int, tools: Any) -> tuple[str, str]:
        given = self.render(dialogue[:turn], tools, prompted=True)
        whole = self.render(dialogue[: turn + 1], tools)
        begin = len(given) if whole.startswith(given) else self._found(given, whole, dialogue, turn, tools)
        return given, self._ended(dialogue, turn, tools, whole, begin)

    def _found(self, given: str, whole: str, dialogue: list[Message], turn: int, tools: Any) -> int:
        """Where the turn begins in a whole that differs before it."""
        opened = given[shared(given, self.render(dialogue[:turn], tools)) :].lstrip()
        if not opened and given.rfind(dialogue[turn - 1]["content"]) >= 0:
            opened = given[given.rfind(dialogue[turn - 1]["content"]) :]
        place = min((whole.rfind(text) for text in self._texts(dialogue[turn]) if text in whole), default=len(whole))
        found = whole.rfind(opened, 0, place) if opened.strip() else -1
        lead = whole[found + len(opened) : place]
        if found < 0 or any(one["content"].strip() in lead for one in dialogue[:turn] if one["content"].strip()):
            raise Impossible("the generation prompt is not how the turn begins")
        return found + len(opened)

    def _ended(self, dialogue: list[Message], turn: int, tools: Any, whole: str, begin: int) -> str:
        """The written text with its end token."""
        calls = dialogue[turn].get("tool_calls")
        after = (
            {"role": "tool", "content": "Qyzzy", "name": "weather", "tool_call_id": "abcdef00x"} if calls else FOLLOWING
        )
        if turn + 1 < len(dialogue) and dialogue[turn + 1]["role"] != "assistant":
            after = dialogue[turn + 1]
        try:
            longer = self.render([*dialogue[: turn + 1], after], tools)
        except Impossible:
            longer = whole
        said = max(
            (whole.rfind(text) + len(text) for text in self._texts(dialogue[turn]) if text in whole), default=begin
        )
        here = max(said, begin)
        last = next(
            (text for text in reversed(self._texts(dialogue[turn])) if whole.rfind(text) + len(text) == here), ""
        )
        anchor = whole[max(0, here - 40) : here]
        anchor = anchor if anchor in longer or not last else last.rpartition("\n")[2]
        at = longer.rfind(anchor) + len(anchor) if anchor in longer else -1
        common = here + shared(whole[here:], longer[at:]) if at >= 0 else len(whole)
        spelt = [found for found in self.special.finditer(whole, begin) if found.start() >= here]
        kept = [found for found in spelt if found.end() <= common]
        if common < len(whole) and len(kept) > 1 and whole[:here].count(whole[kept[-1].start() :]):
            kept = kept[:-1]
        for one in reversed(kept or spelt):
            text = whole[begin : one.end()]
            opens = bool(calls) and not dialogue[turn]["content"] and text.startswith(one.group())
            if text.count(one.group()) == 1 + opens + self._said(dialogue[turn], one.group()):
                return text
        opening = self.special.match(longer, at + len(whole) - here) if at >= 0 and common == len(whole) else None
        end = opening.group() if opening else self.own.eos_token
        if whole[begin:].count(end) > self._said(dialogue[turn], end):
            raise Impossible("the end token stands inside the turn")
        if kept:
            raise Impossible("the token behind the turn also stands inside it")
        return whole[begin:] + end

    def _texts(self, message: Message) -> list[str]:
        found = [
            message["content"].split("</think>")[-1].strip(),
            message.get("reasoning_content", ""),
            *call_texts(message),
        ]
        return [text for text in found if text]

    def _said(self, message: Message, text: str) -> int:
        return json.dumps(message, ensure_ascii=False).count(text)

    def _check(self, message: Message, written: str, given: str, dialogue: list[Message], tools: Any) -> None:
        """Thoughts and content are written, headers and Python are not."""
        thoughts = message.get("reasoning_content")
        if thoughts and thoughts not in written:
            raise Impossible("the thoughts are not written")
        if message["content"].strip() and message["content"].split("</think>")[-1].strip() not in written:
            raise Impossible("the content is not written")
        if any(name not in written for name in call_texts(message)):
            raise Impossible("a call is not written")
        first = next(n for n, turn in enumerate(dialogue) if turn["role"] == "user")
        header = self.render(dialogue[: first + 1], tools, prompted=True)
        opened = header[shared(header, self.render(dialogue[: first + 1], tools)) :].strip()
        said = thoughts or message["content"].strip() or next(iter(call_texts(message)), "")
        lead = written[: written.find(said)] if said in written else written
        if opened and opened in lead:
            raise Impossible("a role header would be supervised")
        if not opened and ROLE.search(lead):
            raise Impossible("a role header would be supervised")
        opens = bool(message.get("tool_calls")) and not message["content"].strip() and written.startswith(self.stop)
        inner = written[: -len(self.stop)] if self.stop and written.endswith(self.stop) else written
        if self.stop and inner.count(self.stop) > opens + self._said(message, self.stop):
            raise Impossible("generation stops within the turn")
        for call in message.get("tool_calls") or ():
            arguments = call["function"]["arguments"]
            values = arguments.values() if isinstance(arguments, dict) else ()
            if any(
                isinstance(value, str)
                and json.dumps(value, ensure_ascii=False)[1:-1] not in written
                and value not in written
                and repr(value)[1:-1] not in written  # as Python's calls escape it
                for value in values
            ):
                raise Impossible("an argument is not written")


def call_texts(message: Message) -> list[str]:
    """The names of what a turn calls."""
    return [call["function"]["name"] for call in message.get("tool_calls") or ()]


def _as_text(turn: Message) -> Message:
    if not turn.get("tool_calls"):
        return turn
    calls = []
    for call in turn["tool_calls"]:
        text = json.dumps(call["function"]["arguments"], ensure_ascii=False)
        calls.append({**call, "function": {**call["function"], "arguments": text}})
    return {**turn, "tool_calls": calls}
