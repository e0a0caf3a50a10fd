"""What a model generated becomes a message again: every family's calls, and what only looks like one."""

import pytest
from chat_families import FAMILIES, TOOL, tokenizer_of
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.dialogues.messages import Message
from tasks.learn.labels import IGNORE_INDEX
from tasks.text.chat.call_reader import Generic, Reader
from tasks.text.chat.encoding import encode_dialogues
from tasks.text.chat.make_encoding import make_dialogue_encoding
from tasks.text.chat.parse_reply import MALFORMED

TOOLS = ["search_hotels", "book"]


def read_reply(text: str, tools: list[str]) -> Message:
    """A text as it is read where no form of a template's own is found."""
    return Reader(no_template, Generic()).read(text, {name: {} for name in tools})


def no_template(*_: object) -> str:
    raise AssertionError("reading a reply renders nothing")


def call(tool: str = "search_hotels", /, **arguments: object) -> Message:
    return {"type": "function", "function": {"name": tool, "arguments": arguments}}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_call_is_read_back_from_what_each_family_trains(name: str) -> None:
    wanted = [call(name='西湖 "x" {', facilities=["wifi", "a]b"])]
    dialogue = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "", "tool_calls": wanted}]
    tokenizer = tokenizer_of(FAMILIES[name])
    encoding = make_dialogue_encoding(FAMILIES[name].template, tokenizer, [TOOL] if name != "phi" else [])
    flat = encode_dialogues(encoding, tokenizer, [dialogue]).encoded
    (text,) = tokenizer.decode([flat.ids[flat.labels != IGNORE_INDEX][:-1].tolist()])
    content = "<think>\n\n</think>" if name == "qwen3" else "```tool_call" if name == "gemma" else ""
    assert read_reply(text, TOOLS) == {"role": "assistant", "content": content, "tool_calls": wanted}


def test_published_forms_of_calls_are_read() -> None:
    forms = [
        '<tool_call>\n{"name": "search_hotels", "arguments": {"price": "400"}}\n</tool_call>',
        '{"name": "search_hotels", "parameters": {"price": "400"}}',
        '<|python_tag|>{"type": "function", "function": {"name": "search_hotels", "parameters": {"price": "400"}}}',
        '[TOOL_CALLS][{"name": "search_hotels", "arguments": {"price": "400"}, "id": "abcdefghi"}]',
        '[{"name": "search_hotels", "arguments": "{\\"price\\": \\"400\\"}"}]',
        '<｜tool▁call▁begin｜>function<｜tool▁sep｜>search_hotels\n```json\n{"price": "400"}\n```<｜tool▁call▁end｜>',
        'search_hotels\n{"price": "400"}',
        '[TOOL_CALLS]search_hotels[ARGS]{"price": "400"}',
        '```json\n{"name": "search_hotels", "arguments": {"price": "400"}}\n```',
    ]
    for form in forms:
        assert read_reply(form, TOOLS)["tool_calls"] == [call(price="400")], form
    two = read_reply("One moment.\n" + forms[0] + "\n" + forms[0].replace("search_hotels", "book"), TOOLS)
    assert two["content"] == "One moment." and [c["function"]["name"] for c in two["tool_calls"]] == TOOLS


def test_what_is_no_call_is_a_reply() -> None:
    for text in ["Fine.", "", "{curly} [brackets]", "I use search_hotels for that.", 'JSON is {"name": "x"}']:
        assert read_reply(text, TOOLS) == {"role": "assistant", "content": text}


def test_a_broken_call_is_a_reply_that_says_so() -> None:
    broken = [
        '<tool_call>\n{"name": "search_hotels", "arguments": {"price": \n</tool_call>',
        '<tool_call>\n{"name": "fly", "arguments": {}}\n</tool_call>',
        '{"name": "search_hotels", "arguments": 4}',
        '{"name": "search_hotels", "arguments": "{"}',
        "search_hotels\n{",
        "[TOOL_CALLS] [",
    ]
    for text in broken:
        assert read_reply(text, TOOLS) == {"role": "assistant", "content": text, MALFORMED: True}, text


@given(st.text(alphabet='{}[]":,ab \n<>|tool_callsearch_hotels', max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert read_reply(text, TOOLS)["role"] == "assistant"


def test_brackets_without_end_are_no_call() -> None:
    for text in ('{"name": ' + "[" * 100_000, '{"name": "f", "arguments": "' + "[" * 100_000 + '"}'):
        assert read_reply(text, ["f"]).get("tool_calls") is None
