"""A chat template -> what reads its calls back, proved by a round trip; or why none can."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...data.dialogues.messages import Message
from ...data.errors import DataError
from .call_forms import Form, Schemas
from .call_probes import KEY, NAME, OTHER, SAID, THOUGHT, WORD, Arguments, Probes, probe_tools
from .parse_reply import MALFORMED, MARKERS, begins_call, read_json_calls

TYPES = {KEY: "string", "wemba": "integer", "tirro": "array", "gorum": "object", "lafy": "boolean", "reno": "number"}
"""Arguments of the probes' tools."""
PROBES: tuple[tuple[tuple[str, Arguments], ...], ...] = (
    ((NAME, {KEY: WORD}),),
    ((NAME, {KEY: WORD, "wemba": 7}),),
    ((NAME, {"wemba": -12, "lafy": True, "reno": 2.5}),),
    ((NAME, {KEY: "7"}),),
    ((NAME, {"tirro": ["a b", "c"], "gorum": {"x": [1, 2], "y": "z"}}),),
    ((NAME, {KEY: 'He said "no", it is Ann\'s é'}),),
    ((NAME, {}),),
    ((NAME, {KEY: WORD}), (OTHER, {KEY: "second", "wemba": 3})),
)
"""Calls whose text must give them back."""
NO_CALLS = "the chat template writes no calls of tools"
Render = Callable[[Sequence[Message], Sequence[Message], bool], str]
"""Messages, tools and whether to end with a prompt -> text. Raises DataError."""


@dataclass(frozen=True)
class Generic:
    """The reader of published JSON forms, where no form of a template's own is found."""

    def read(self, text: str, tools: Schemas) -> "tuple[int, list[Message]] | None":
        """Where the calls of a text begin, with what templates write around them, and the calls; None without any."""
        calls = list(read_json_calls(text, list(tools)))
        if not calls:
            return None
        begin = min(start for start, _ in calls)
        marker = MARKERS.search(text, 0, begin)
        return (marker.start() if marker else begin), [call for _, call in calls]


@dataclass(frozen=True)
class Reader:
    """What reads back the turns of a template.

    form: how it writes calls; None where no inverse is found, and `why`. text: whether the template takes arguments as
    JSON text. begins: the first letters of a call. lead: what it writes before every
    reply. opens, closes: around thoughts; empty where it writes none.
    """

    render: Render
    form: Form | None
    why: str = ""
    text: bool = False
    begins: str = ""
    lead: str = ""
    opens: str = ""
    closes: str = ""

    def read(self, text: str, tools: Schemas) -> Message:
        """The assistant message in a text without its end-of-turn token; `tools`: see `Schemas`."""
        parsed = self.form.read(text, tools) if self.form else None
        thoughts, content = self._split(text if parsed is None else text[: parsed[0]])
        message: Message = {"role": "assistant", "content": content if parsed is None else content.strip()}
        message |= {"reasoning_content": thoughts} if thoughts else {}
        if parsed is not None:
            return message | {"tool_calls": parsed[1]}
        return message | ({MALFORMED: True} if begins_call(content, list(tools)) else {})

    def _split(self, text: str) -> tuple[str, str]:
        """Thoughts and what stands behind them."""
        if self.closes and self.closes in text:
            thoughts, _, content = text.partition(self.closes)
            return thoughts.strip().removeprefix(self.opens).strip(), content.lstrip()
        bare = text.lstrip()
        return "", bare.removeprefix(self.lead).lstrip() if self.lead and bare.startswith(self.lead) else text

    def gives_back(self, turn: Message, tools: Sequence[Any]) -> bool:
        """Whether what the template writes of a turn's calls reads as these calls."""
        calls = [(call["function"]["name"], call["function"]["arguments"]) for call in turn["tool_calls"]]
        try:
            text = Probes(self.render, self.text, TYPES, tuple(tools)).run(*calls, content=turn["content"] or "")
        except DataError:
            return False
        read = self.form.read(text, schemas_of(tools)) if self.form else None
        return read is not None and [_plain(call["function"]) for call in read[1]] == [
            _plain({"name": name, "arguments": arguments}) for name, arguments in calls
        ]


def _plain(function: Message) -> Any:
    """A call as scores compare it: arguments as texts, so that 5 and "5" of a tool without a schema are the same."""
    arguments = {
        key: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for key, value in function["arguments"].items()
    }
    return function["name"], arguments


def find_reader(render: Render) -> Reader:
    """The reader whose form gives every probe back. render: messages, tools, whether to end with a prompt -> text."""
    faults: list[str] = []
    refusals: list[str] = []
    for text in (False, True):
        probes = Probes(render, text, TYPES)
        try:
            written = probes.run(*PROBES[0])
        except DataError as error:
            refusals.append(str(error))
            continue
        if NAME not in written and WORD in written:
            faults.append(f"{written[:200]!r} does not name the tool")
            continue
        if WORD not in written or (text and '\\"' in written):
            continue
        for form in (*probes.forms(), Generic()):
            fault = _fault(form, probes)
            if fault is None:
                return Reader(render, form, "", text, written[: written.index(NAME)].strip(), *_thoughts(probes))
            faults.append(fault)
    why = f"the chat template's calls cannot be read back: {faults[0]}" if faults else NO_CALLS
    why = refusals[0] if len(refusals) == 2 else why  # neither form of arguments was written
    return Reader(render, None, why, False, "", *_thoughts(Probes(render, False, TYPES)))


def _thoughts(probes: Probes) -> tuple[str, str, str]:
    """What stands before every reply, and around thoughts."""
    try:
        plain, thinking = probes.run(content=SAID), probes.run(content=SAID, thoughts=THOUGHT)
    except DataError:
        return "", "", ""
    lead = plain[: plain.index(SAID)].strip() if SAID in plain else ""
    if THOUGHT not in thinking or SAID not in thinking[thinking.index(THOUGHT) :]:
        return lead, "", ""
    opens, behind = thinking.split(THOUGHT, 1)
    return lead, opens.strip(), behind[: behind.index(SAID)].strip()


def _fault(form: Form, probes: Probes) -> str | None:
    """The first probe that does not come back, with what came instead; None where all do."""
    tools = schemas_of(probe_tools(TYPES))
    rendered = probes.run(content=SAID)
    end = rendered[rendered.rindex(SAID) + len(SAID) :] if SAID in rendered else ""
    for calls in PROBES:
        try:
            text = probes.run(*calls)
        except DataError:  # the template refuses several calls, say, so that no model can write them
            continue
        if len(calls) > 1 and not all(name in text for name, _ in calls):  # it writes the first call alone
            continue
        text = text.removesuffix(end)
        wanted = [{"name": name, "arguments": given} for name, given in calls]
        read = form.read(text, tools)
        if read is None or [call["function"] for call in read[1]] != wanted:
            return f"{text[:200]!r} reads as {[call['function'] for call in read[1]] if read else 'no call'}"
    return None


def schemas_of(tools: Sequence[Any]) -> dict[str, Any]:
    """JSON schemas of functions by name."""
    return {str(tool["function"]["name"]): tool["function"] for tool in tools}
