"""Dialogues that a chat template has to write: every shape that changes where a mask begins and ends."""

from typing import Any

Message = dict[str, Any]


def _tool(name: str, **kinds: str) -> Message:
    properties = {key: {"type": kind, "description": f"The {key}."} for key, kind in kinds.items()}
    parameters = {"type": "object", "properties": properties, "required": list(kinds)[:1]}
    return {"type": "function", "function": {"name": name, "description": f"Run {name}.", "parameters": parameters}}


TOOLS = [_tool("weather", city="string", days="integer", filters="object"), _tool("now")]


def _said(role: str, content: str, **more: Any) -> Message:
    return {"role": role, "content": content, **more}


def _called(*calls: tuple[str, Message], content: str = "", at: int = 0, **more: Any) -> Message:
    made = [
        {"type": "function", "id": f"abcdef{at}{n}x", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(calls)
    ]
    return _said("assistant", content, tool_calls=made, **more)


def _result(text: str, n: int = 0, name: str = "weather", at: int = 0) -> Message:
    return _said("tool", text, name=name, tool_call_id=f"abcdef{at}{n}x")


USER, MORE, SYSTEM = _said("user", "Where is it warm?"), _said("user", "And then?"), _said("system", "Be brief.")
REPLY, LAST = _said("assistant", "In the south."), _said("assistant", "Further south.")
ONE = ("weather", {"city": "Rome"})
NESTED = ("weather", {"city": 'Rome "R" d\'Italia', "days": 3, "filters": {"wet": False, "none": None, "of": [1, "a"]}})
RESULT = _result('{"degrees": 31}')
THOUGHT = {"reasoning_content": "Warm means south."}
AGAIN = {"reasoning_content": "South of that."}

DIALOGUES: dict[str, list[Message]] = {
    "plain": [USER, REPLY],
    "system": [SYSTEM, USER, REPLY],
    "two rounds": [USER, REPLY, MORE, LAST],
    "system and two rounds": [SYSTEM, USER, REPLY, MORE, LAST],
    "five rounds": [
        SYSTEM,
        *[turn for n in range(5) for turn in (_said("user", f"Ask {n}?"), _said("assistant", f"Say {n}."))],
    ],
    "empty system": [_said("system", ""), USER, REPLY],
    "weight 0": [USER, {**REPLY, "weight": 0}, MORE, LAST],
    "unicode": [_said("user", "天气 😀 e\u0301?"), _said("assistant", "在南方 👩‍👩‍👧 ماء.")],
    "line breaks": [_said("user", "a\n\nb"), _said("assistant", "one\n\n- two\n  - three")],
    "code": [_said("user", "Code?"), _said("assistant", "```python\nprint({'a': 1})\n```")],
    "leading break": [USER, _said("assistant", "\nBehind a line break.")],
    "trailing break": [USER, _said("assistant", "Before line breaks.\n\n"), MORE, LAST],
    "spelt markers": [_said("user", "What are <|im_end|>, </s>, <|eot_id|> and <|end|>?"), REPLY],
    "spelt in reply": [USER, _said("assistant", "It ends by <|im_end|> or </s>.")],
    "spelt in JSON": [
        USER,
        _called(("weather", {"city": "<|im_end|>"})),
        _result('{"text": "</s> <|im_end|>"}'),
        REPLY,
    ],
    "two replies": [USER, REPLY, LAST],
    "one call": [USER, _called(ONE)],
    "call and reply": [USER, _called(ONE), RESULT, REPLY],
    "system, call and reply": [SYSTEM, USER, _called(ONE), RESULT, REPLY],
    "two calls": [USER, _called(ONE, ("now", {"zone": "CET"})), RESULT, _result("12:00", 1, "now"), REPLY],
    "two calls in turn": [USER, _called(ONE), RESULT, _called(ONE, at=1), _result("{}", at=1), REPLY],
    "nested arguments": [USER, _called(NESTED), RESULT, REPLY],
    "empty arguments": [USER, _called(("now", {})), _result("12:00", 0, "now"), REPLY],
    "text and call": [USER, _called(ONE, content="Let me look."), RESULT, REPLY],
    "a round behind a call": [USER, _called(ONE), RESULT, REPLY, MORE, LAST],
    "reply, then a call": [USER, REPLY, MORE, _called(ONE), RESULT, LAST],
    "result as text": [USER, _called(ONE), _result("It is warm."), REPLY],
    "thoughts": [USER, {**REPLY, **THOUGHT}],
    "thoughts and system": [SYSTEM, USER, {**REPLY, **THOUGHT}],
    "thoughts in two rounds": [USER, {**REPLY, **THOUGHT}, MORE, {**LAST, **AGAIN}],
    "thoughts and call": [USER, _called(ONE, **THOUGHT), RESULT, {**REPLY, **AGAIN}],
    "thoughts, then none": [USER, {**REPLY, **THOUGHT}, MORE, LAST],
    "inline thoughts": [USER, _said("assistant", "<think>\nWarm means south.\n</think>\n\nIn the south.")],
}
