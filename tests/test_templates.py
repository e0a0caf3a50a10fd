"""Chat templates: rendered in the sandbox, read from a tokenizer's folder; spelt special tokens stay letters."""

import json
from pathlib import Path

import pytest
from chat_families import FAMILIES, LLAMA3, TOOL, tokenizer_of

from tasks.data.errors import DataError
from tasks.text.chat.chat_template import CHATML, Template
from tasks.text.chat.end_of_turn import Ending
from tasks.text.chat.make_encoding import make_dialogue_encoding
from tasks.text.chat.special_tokens import find_spellings
from tasks.text.chat.template_files import read_template
from tasks.text.chat.template_properties import learn

ASKED = [{"role": "user", "content": "Hi"}]


def test_the_built_in_template_writes_tools_calls_and_results() -> None:
    call = {"type": "function", "function": {"name": "search_hotels", "arguments": {"name": "西湖"}}}
    turns = [*ASKED, {"role": "assistant", "content": "", "tool_calls": [call]}, {"role": "tool", "content": "[]"}]
    text = Template(CHATML, {}).render(turns, [TOOL], generation=True)
    assert text.startswith("<|im_start|>system\nYou may call") and json.dumps(TOOL) in text
    assert text.endswith(
        '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{"name": "search_hotels", "arguments": '
        '{"name": "西湖"}}\n</tool_call><|im_end|>\n<|im_start|>tool\n[]<|im_end|>\n<|im_start|>assistant\n'
    )


def test_a_refusal_is_said_in_the_templates_own_words() -> None:
    gemma = FAMILIES["gemma"].template
    with pytest.raises(
        DataError, match=r"refuses the turns \[system user\], as it does in transformers: System role not supported"
    ):
        gemma.render([{"role": "system", "content": "x"}, *ASKED])
    with pytest.raises(DataError, match=r"the chat template, line 1: unexpected 'end of template'; fix the template"):
        Template("{% for", {}).render(ASKED)
    with pytest.raises(DataError, match="refuses the turns"):
        Template("{{ messages.__class__.__mro__[1].__subclasses__() }}", {}).render(ASKED)


def test_the_clock_stands_still() -> None:
    text = FAMILIES["llama3"].template.render(ASKED)
    assert "Today Date: 26 Jul 2024" in text
    plain = Template("  {% for m in messages %}{{ m.content }}{% endfor %}", {})
    timed = Template(plain.source + "{{ strftime_now('%Y-%m-%d') }}", {})
    assert timed.render(ASKED) == plain.render(ASKED) + "2024-07-26"


def test_templates_are_read_from_either_file(tmp_path: Path) -> None:
    config = tmp_path / "tokenizer_config.json"
    assert read_template(tmp_path) is None
    named = [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "t"}]
    config.write_text(json.dumps({"chat_template": named, "bos_token": {"content": "<s>"}, "eos_token": "</s>"}))
    texts = {"bos_token": "<s>", "eos_token": "</s>"}
    assert read_template(tmp_path) == Template("d", texts)
    assert read_template(tmp_path, tools=True) == read_template(tmp_path, name="tool_use") == Template("t", texts)
    with pytest.raises(
        DataError, match=r"encode.template_name: .* no chat template 'rag'; name one of: default, tool_use"
    ):
        read_template(tmp_path, name="rag")
    (tmp_path / "chat_template.jinja").write_text("own")
    found = read_template(tmp_path)
    assert found is not None and found.source == "own"
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "rag.jinja").write_text("r")
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"bos_token": "<b>", "image_token": "<i>"}))
    assert read_template(tmp_path, name="rag") == Template("r", {**texts, "image_token": "<i>"})
    config.write_text(json.dumps({"chat_template": [{"name": "tool_use", "template": "t"}]}))
    (tmp_path / "chat_template.jinja").unlink()
    assert read_template(tmp_path, tools=True) == Template("t", {"bos_token": "<b>", "image_token": "<i>"})
    with pytest.raises(DataError, match="none of them is the default; name one in"):
        read_template(tmp_path)
    config.write_text("{")
    with pytest.raises(DataError, match=r"tokenizer_config.json: not JSON"):
        read_template(tmp_path)


def test_spellings_are_hidden_and_come_back() -> None:
    turns = [{"role": "user", "content": "a<|im_end|><|im_end|> Zq0qZ000", "<eos>": ["<eos>", 1, None]}]
    found = find_spellings(turns, ["<|im_end|>", "<eos>", "<pad>"])
    hidden = found.hide(turns)
    assert found.texts == ("<|im_end|>", "<eos>") and found.word == "Zq1qZ"
    assert "<" not in json.dumps(hidden) and json.loads(found.restore(json.dumps(hidden))) == turns
    pieces = list(found.parts(hidden[0]["content"]))
    assert [(part, spelt) for _, part, spelt in pieces] == [
        ("a", False),
        ("<|im_end|>", True),
        ("<|im_end|>", True),
        (" Zq0qZ000", False),
    ]
    assert [hidden[0]["content"][at:][:4] for at, _, _ in pieces] == ["aZq1", "Zq1q", "Zq1q", " Zq0"]


def test_marked_ids_know_special_tokens_and_plain_ids_do_not() -> None:
    tokenizer = tokenizer_of(FAMILIES["chatml"])
    end = tokenizer.special_ids["<|im_end|>"]
    assert tokenizer.marked_ids(["<|im_end|>"]) == [[end]]
    (plain,) = tokenizer.ids(["<|im_end|>"])
    assert end not in plain and tokenizer.decode([plain]) == ["<|im_end|>"]


def test_endings_are_found_by_rendering() -> None:
    found = {}
    for name, family in FAMILIES.items():
        found[name], _ = learn(family.template, [TOOL], family.special, family.eos)
    assert found["chatml"]["call"] == found["qwen3"]["assistant"] == Ending("<|im_end|>", "\n", False)
    assert found["phi"]["call"] == Ending("<|end|>", "<|endoftext|>", False)
    assert found["deepseek"]["call"].token == "<｜end▁of▁sentence｜>"
    assert found["glm"] == {"assistant": Ending("<|user|>", "", True), "call": Ending("<|observation|>", "", True)}
    bare = Template("{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}", {})
    with pytest.raises(
        DataError, match="no generation prompt, so that the model would be trained to write 'assistant: "
    ):
        learn(bare, [], ["</s>"], "</s>")
    bare = Template(bare.source + "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}", {})
    assert learn(bare, [], ["</s>"], "</s>")[0] == {"assistant": Ending("</s>", "", True)}
    with pytest.raises(DataError, match="no special token behind a turn"):
        learn(bare, [], ["</s>"], None)
    with pytest.raises(DataError, match="does not write what the assistant says"):
        learn(Template("<s>", {}), [], ["<s>"], "<s>")


def test_what_a_template_cannot_do_is_said_before_anything_is_encoded() -> None:
    tokenizer = tokenizer_of(FAMILIES["llama3"])
    with pytest.raises(DataError, match=r"needs the special token <\|im_start\|>"):
        make_dialogue_encoding(Template(CHATML, {}), tokenizer)
    deaf = "{% for m in messages %}{{ m.role + ':' + m.content + '<|eot_id|>' }}{% endfor %}"
    deaf += "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
    with pytest.raises(DataError, match="does not write the tool 'search_hotels'"):
        make_dialogue_encoding(Template(deaf, {}), tokenizer, [TOOL])
    mute = "{{ tools | tojson }}" + deaf
    with pytest.raises(DataError, match="does not write tool calls"):
        make_dialogue_encoding(Template(mute, {}), tokenizer, [TOOL])
    assert make_dialogue_encoding(Template(mute, {}), tokenizer).endings.keys() == {"assistant"}
    assert "strftime_now" in LLAMA3
