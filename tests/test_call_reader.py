"""Calls that a template writes are read back, whatever its form; where none can be, the reader says so."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.data.dialogues.messages import Message
from tasks.text.chat.call_reader import NO_CALLS, Reader, find_reader, schemas_of
from tasks.text.chat.chat_template import Template
from tasks.text.chat.literals import read_literal
from tasks.text.chat.parse_reply import MALFORMED

ROUND = (
    "{%- for m in messages %}<|{{ m.role }}|>{{ m.content }}BODY<|end|>{%- endfor %}"
    "{{ '<|assistant|>' if add_generation_prompt }}"
)
EACH = "{%- for c in m.tool_calls or [] %}CALL{%- endfor %}"
ARGS = "{%- for k, v in c.function.arguments.items() %}ONE{%- endfor %}"
RAW, JSON = "{{ v if v is string else v | tojson }}", "{{ c.function.arguments | tojson }}"


def each(call: str, one: str = "") -> str:
    return EACH.replace("CALL", call).replace("ARGS", ARGS.replace("ONE", one)).replace("NAME", "{{ c.function.name }}")


XML = each("<call>\n<function=NAME>\nARGS</function>\n</call>", f"<parameter={{{{ k }}}}>\n{RAW}\n</parameter>\n")
KEYED = each("<tool>NAME\nARGS</tool>", f"<k>{{{{ k }}}}</k>\n<v>{RAW}</v>\n")
KIND = '{{ "true" if v is string else "false" }}'
MARKED = each('<invoke name="NAME">ARGS</invoke>', f'<p name="{{{{ k }}}}" string="{KIND}">{RAW}</p>')
COMMA = "{{ ', ' if not loop.last }}"
ONE = f"{{{{ k }}}}={{{{ v | tojson }}}}{COMMA}"
PYTHONIC = f"{{%- if m.tool_calls %}}[{each(f'NAME(ARGS){COMMA}', ONE)}]{{%- endif %}}"
CHANNEL = each(f" to=functions.NAME<|channel|>json<|message|>{JSON}")
IDS = each(f"<|begin|>NAME[ID]{{{{ c.id }}}}[ARG]{JSON}<|stop|>")
OBJECTS = "{%- if m.tool_calls %}[TOOLS]{{ m.tool_calls | map(attribute='function') | list | tojson }}{%- endif %}"
TEXTS = each('<c>{"name": "NAME", "arguments": {{ c.function.arguments }}}</c>')
KEYS = each(f'<|tools|>{{"NAME": {JSON}}}<|/tools|>')
BARE = each("call:NAME{{ '{' }}ARGS}", f"{{{{ k }}}}:{{{{ '<q>' + v + '<q>' if v is string else v | tojson }}}}{COMMA}")
COUNTED = each(f"<|call|>fn.NAME:{{{{ loop.index0 }}}}<|args|>{JSON}<|/call|>")
TYPE = (
    "{{ 'string' if v is string else 'boolean' if v is boolean else 'number' if v is number else 'object' "
    "if v is mapping else 'array' }}"
)
TYPED = each('<call="NAME" n="{{ loop.index }}">ARGS</call>', f'<arg="{{{{ k }}}}" type="{TYPE}">{RAW}</arg>')
FORMS = {
    "counted": COUNTED,
    "typed": TYPED,
    "xml": XML,
    "keyed": KEYED,
    "marked": MARKED,
    "pythonic": PYTHONIC,
    "channel": CHANNEL,
    "ids": IDS,
    "objects": OBJECTS,
    "texts": TEXTS,
    "keys": KEYS,
    "bare": BARE,
}
BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Rendering may wait for the processor."""
TYPES = {"shop": "string", "day": "integer", "open": "boolean", "tags": "array"}
TOOL = {
    "type": "function",
    "function": {
        "name": "hours",
        "parameters": {"type": "object", "properties": {key: {"type": kind} for key, kind in TYPES.items()}},
    },
}
OTHER = {"type": "function", "function": {"name": "close_shop", "parameters": {"type": "object", "properties": {}}}}
TOOLS = schemas_of([TOOL, OTHER])


def reader_of(body: str) -> Reader:
    return reader_from(ROUND.replace("BODY", body))


def reader_from(source: str) -> Reader:
    template = Template(source, {})

    def render(messages: Sequence[Message], tools: Sequence[Message], prompt: bool) -> str:
        return template.render(messages, tools, generation=prompt)

    return find_reader(render)


READERS = {name: reader_of(body) for name, body in FORMS.items()}


def turn(*calls: tuple[str, dict[str, Any]], content: str = "") -> Message:
    made = [{"type": "function", "function": {"name": name, "arguments": given}} for name, given in calls]
    return {"role": "assistant", "content": content, "tool_calls": made}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_calls_has_a_reader_that_is_proved(name: str) -> None:
    reader = READERS[name]
    assert reader.form is not None, reader.why
    wanted = turn(
        ("hours", {"shop": 'the "tea" shop', "day": 7, "tags": ["a b", "c"], "open": True}), ("close_shop", {})
    )
    assert reader.gives_back(wanted, [TOOL, OTHER])
    assert reader.gives_back(turn(("hours", {"shop": "7"}), content="A moment."), [TOOL, OTHER])
    assert reader.gives_back(turn(("close_shop", {}), ("hours", {"day": 1}), ("close_shop", {})), [TOOL, OTHER])


WORDS = st.text("abcXYZ 0123456789.,-é'", min_size=1).filter(lambda text: text == text.strip())
FIELDS = {"shop": WORDS, "day": st.integers(-99, 99), "open": st.booleans(), "tags": st.lists(WORDS, max_size=3)}
ARGUMENTS = st.fixed_dictionaries({}, optional=FIELDS)


@pytest.mark.parametrize("name", FORMS)
@given(arguments=ARGUMENTS)
@BUSY
def test_what_a_form_writes_it_reads(name: str, arguments: dict[str, Any]) -> None:
    assert READERS[name].gives_back(turn(("hours", arguments)), [TOOL, OTHER])


@pytest.mark.parametrize("name", FORMS)
@given(text=st.text(alphabet='{}[]<>()"=:,|hours\n callfunction', max_size=60))
@BUSY
def test_no_text_breaks_a_reader(name: str, text: str) -> None:
    assert READERS[name].read(text, TOOLS)["role"] == "assistant"


def test_a_schema_says_whether_digits_are_a_number() -> None:
    text = "<parameter=shop>\n12\n</parameter><parameter=day>\n12\n</parameter>"
    text = f"<call>\n<function=hours>{text}</function>\n</call>"
    (call,) = READERS["xml"].read(text, TOOLS)["tool_calls"]
    assert call["function"]["arguments"] == {"shop": "12", "day": 12}


def test_tools_that_nobody_declared_are_read_and_others_than_the_declared_are_not() -> None:
    text = '<c>{"name": "tea", "arguments": {"a": 1}}</c>'
    assert READERS["texts"].read(text, {})["tool_calls"][0]["function"]["name"] == "tea"
    assert "tool_calls" not in READERS["texts"].read(text, TOOLS)


def test_thoughts_stand_apart_from_the_reply_and_the_call() -> None:
    thinking = "{%- if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{%- endif %}"
    template = ROUND.replace("{{ m.content }}", thinking + "{{ m.content }}").replace("BODY", XML)
    reader = reader_from(template)
    assert reader.read("<think>\nI know.\n</think>\n\nAt nine.", {}) == {
        "role": "assistant",
        "content": "At nine.",
        "reasoning_content": "I know.",
    }
    called = reader.read("<think>\nAsk.\n</think>\n\n<call>\n<function=hours></function>\n</call>", TOOLS)
    assert (called["reasoning_content"], called["content"]) == ("Ask.", "") and called["tool_calls"]
    assert reader.read("At nine.", {}) == {"role": "assistant", "content": "At nine."}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", NO_CALLS),
        (each("<NAME {{ c.function.arguments.values() | join }}>"), "cannot be read back"),
    ],
)
def test_where_no_inverse_is_the_reader_says_so(body: str, why: str) -> None:
    reader = reader_of(body)
    assert reader.form is None and why in reader.why
    assert reader.read("<tool_call>\n{", TOOLS) == {"role": "assistant", "content": "<tool_call>\n{", MALFORMED: True}
    assert not reader.gives_back(turn(("hours", {"day": 1})), [TOOL])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, -2.5e3, null]}', {"a": [1, -2500.0, None]}),
        ("{'a': 'it\\'s', b: True}", {"a": "it's", "b": True}),
        ("[false, None]", [False, None]),
        ('"\\u00e9"', "é"),
    ],
)
def test_values_of_every_spelling(text: str, value: Any) -> None:
    assert read_literal(text + " rest") == (value, len(text))


@pytest.mark.parametrize("text", ["", "{", "[1", "{1: 2}", "[1 2]", "'a", "word", "[" * 500])
def test_what_is_no_value(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_literal(text)
