"""What published chat templates do and ChatML does not: each is trained as inference needs it, or refused by name; and
the certificate sees each mistake of the encoder by itself."""

import ast
import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import odd_templates as odd
import pandas as pd
import pytest
from chat_families import TOOL
from test_dialogue import call, runs_of, say, with_metaspace, with_stripping_tokens
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, trainers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

import tasks.text.chat.certificate as certificates
import tasks.text.chat.make_encoding as encoding_module
import tasks.text.chat.spans as turns_module
from tasks.data.dialogues.messages import Message, dump_messages
from tasks.data.errors import DataError
from tasks.text.certificate import MaskError
from tasks.text.chat import expected_text, expected_turns
from tasks.text.chat import tokenize_text as whole_text
from tasks.text.chat.call_proof import template_reader
from tasks.text.chat.certificate import DialogueCertificate, certify_dialogues
from tasks.text.chat.chat_template import Template
from tasks.text.chat.encoding import DialogueEncoding, encode_dialogues, load_dialogue_encoding, prompt
from tasks.text.chat.end_of_turn import Ending
from tasks.text.chat.make_encoding import make_dialogue_encoding
from tasks.text.chat.predictor import Predictor
from tasks.text.chat.rows import describe, encode_part
from tasks.text.chat.template_files import template_file
from tasks.text.chat.template_properties import Manners
from tasks.text.chat.turn_faults import TurnFaults
from tasks.text.tokenizer import TextTokenizer, plain_tokenizer
from tasks.text.vocabulary import learn_bpe

SPECIAL = ("<s>", "<|im_start|>", "<|reply|>", "<|/reply|>", "<|im_end|>")
ASKED, ANSWER = say("user", "Where?"), say("assistant", "South.")
THOUGHTFUL = {**ANSWER, "reasoning_content": "It is warm."}
CALLED = [ASKED, call(name="x"), say("tool", "[]"), ANSWER]
NESTED: dict[str, Any] = {"name": 'a "b"', "deep": {"on": True, "off": None}}


def tokenizer() -> TextTokenizer:
    backend = learn_bpe(["Where? South. It is warm.\n"] * 4, 300)
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    ids = {"eos": backend.token_to_id("<|im_end|>")}
    return replace(plain_tokenizer(backend, ids), texts={"bos_token": "<s>", "eos_token": "<|im_end|>"})


TOKENIZER = tokenizer()


def encoding_of(source: str, *, tools: bool = True, own: TextTokenizer = TOKENIZER, **options: Any) -> DialogueEncoding:
    return make_dialogue_encoding(Template(source, {}), own, [TOOL] if tools else [], max_length=4096, **options)


def trained(
    encoding: DialogueEncoding, dialogue: list[Message], own: TextTokenizer = TOKENIZER
) -> tuple[list[str], DialogueCertificate]:
    """The supervised texts, and the certificate on them."""
    made = encode_dialogues(encoding, own, [dialogue])
    flat = made.encoded
    rows = [flat.ids[flat.offsets[n] : flat.offsets[n + 1]].tolist() for n in range(len(flat))]
    runs = [rows[n][a:b] for n in range(len(flat)) for a, b in runs_of(made, n)]
    return own.decode(runs), certify_dialogues(encoding, own, made, ["row0"], [dialogue])


def certified(source: str, dialogue: list[Message], **options: Any) -> list[str]:
    texts, certificate = trained(encoding_of(source, **options), dialogue)
    certificate.require("train")
    return texts


# What is trained -----------------------------------------------------------------------------------------------------


def test_a_template_gets_every_special_token_that_the_tokenizer_names() -> None:
    encoding = encoding_of(odd.WITH_BOS)
    assert TOKENIZER.decode([prompt(encoding, TOKENIZER, [ASKED])])[0].startswith("<s><|im_start|>system")
    certified(odd.WITH_BOS, CALLED)


def test_the_end_is_what_stands_before_the_next_turn() -> None:
    assert certified(odd.TWO_ENDS, [ASKED, ANSWER], tools=False) == ["<|reply|>South.<|/reply|><|im_end|>"]
    assert encoding_of(odd.TWO_ENDS, tools=False).end_ids == (TOKENIZER.special_ids["<|im_end|>"],)
    assert certified(odd.UNASKED, CALLED)[1] == "South.<|im_end|>"
    assert certified(odd.UNASKED, CALLED)[0].endswith("</tool_call><|im_end|>")


def test_an_end_token_within_a_turn_is_refused() -> None:
    encoding = encoding_of(odd.END_WITHIN, tools=False)
    assert encoding.endings.keys() == {"assistant"}
    with pytest.raises(
        DataError, match=r"dialogue 0: the chat template writes '<\|im_end\|>', at which generation has"
    ):
        encode_dialogues(encoding, TOKENIZER, [CALLED])
    assert certified(odd.END_WITHIN, [ASKED, ANSWER], tools=False) == ["South.<|im_end|>"]
    spoken = {**call(name="x"), "content": "Wait."}
    with pytest.raises(
        DataError, match=r"message 2 holds '<\|im_end\|>', at which generation stops, .* leave out the text"
    ):
        encode_dialogues(encoding_of(odd.END_INSIDE), TOKENIZER, [[ASKED, spoken]])


def test_a_call_may_begin_with_the_end_of_the_text_that_it_has_not() -> None:
    encoding = encoding_of(odd.END_INSIDE)
    assert encoding.manners.first == "<|im_end|>" and encoding_of(odd.PLAIN).manners.first == ""
    texts = certified(odd.END_INSIDE, CALLED)
    assert texts[0].startswith("<|im_end|>\ncall\n<tool_call>") and texts[0].endswith("</tool_call><|im_end|>")
    assert texts[1] == "South.<|im_end|>"


def test_a_turn_is_numbered_as_the_data_has_it() -> None:
    for beside in ([], [{"role": "system", "content": None, "tools": [TOOL]}]):
        with pytest.raises(DataError, match="dialogue 0: message 2 is empty"):
            certified(odd.PLAIN, [*beside, ASKED, say("assistant", "")], tools=False)


def test_a_template_that_writes_one_of_two_calls_is_named() -> None:
    two = {**call(name="x"), "tool_calls": [*call(name="x")["tool_calls"], *call(name="y")["tool_calls"]]}
    alone = odd.PLAIN.replace("in message.tool_calls or []", "in (message.tool_calls or [])[:1]")
    with pytest.raises(DataError, match="fewer than the 2 calls of message 2; give each call a turn of its own"):
        certified(alone, [ASKED, two])
    assert certified(odd.PLAIN, [ASKED, two])[0].count("<tool_call>") == 2


def test_a_template_that_rewrites_what_a_turn_says_is_refused_by_the_certificate() -> None:
    assert certified(odd.REWRITTEN, [ASKED, say("assistant", "South.\nWarm.")], tools=False)[0].startswith("South.\nW")
    _, certificate = trained(encoding_of(odd.REWRITTEN, tools=False), [ASKED, say("assistant", "South.\n\nWarm.")])
    assert certificate.violations == {"what a turn says is written otherwise": ["row0"]}
    with pytest.raises(MaskError, match="take a template that writes contents as they are"):
        certificate.require("train")


def test_a_spelt_token_is_written_as_the_template_writes_its_letters() -> None:
    for name in ("<|im_end|>", "a <|im_end|> b", "Rome"):
        texts = certified(odd.ESCAPED, [ASKED, call(name=name), say("tool", "<|im_end|>"), ANSWER])
        value = f"<![CDATA[{name}]]>" if "<" in name else name
        written = f'<call name="search_hotels"><param name="name">{value}</param></call>'
        assert texts == [f"{written}<|im_end|>", "South.<|im_end|>"]


def test_a_header_is_known_where_the_prompt_is_written_unasked() -> None:
    assert certified(odd.UNASKED_PROMPT, [ASKED, ANSWER, ASKED, ANSWER], tools=False) == [" South.\n\n<|im_end|>"] * 2
    with pytest.raises(DataError, match="trained to write its own header, 'Assistant: '"):
        certified(odd.UNASKED_PROMPT, [ASKED, ANSWER, say("assistant", "Yes.")], tools=False)


def test_calls_are_written_without_a_content_where_the_template_asks_for_that() -> None:
    encoding = encoding_of(odd.BARE_CALLS)
    assert encoding.manners.null_content and not encoding_of(odd.PLAIN).manners.null_content
    texts = certified(odd.BARE_CALLS, CALLED)
    assert texts[0].startswith("<tool_call>") and texts[1] == "South.<|im_end|>"
    reader = template_reader(encoding)
    assert reader.gives_back(call(name="x"), [TOOL])
    with pytest.raises(DataError, match="does not write the calls of message 2 next to its text"):
        certified(odd.BARE_CALLS, [ASKED, {**call(name="x"), "content": "I look."}])


def test_values_in_brackets_of_their_own_read_back() -> None:
    reader = template_reader(encoding_of(odd.ESCAPED))
    for name in ("Rome", "a <b> & c", "</param></call>", "two\nlines <x"):
        assert reader.gives_back(call(name=name), [TOOL]), name
    two = {**call(name="x"), "tool_calls": [*call(name="a<b")["tool_calls"], *call(name="c")["tool_calls"]]}
    assert reader.gives_back(two, [TOOL])


def test_a_template_that_refuses_calls_is_named_with_its_own_words() -> None:
    why = template_reader(encoding_of(odd.PICKY, tools=False)).why
    assert "Calls need a functions turn" in why and "writes no calls" not in why
    silent = odd.chat(odd.HEAD + odd.SAID + odd.END)
    assert template_reader(encoding_of(silent, tools=False)).why == "the chat template writes no calls of tools"


def test_a_template_may_need_schemas_that_say_what_objects_hold() -> None:
    assert template_reader(encoding_of(odd.TYPED_TOOLS, tools=False)).why == ""


def test_blanks_of_the_prompt_may_be_the_first_of_a_reply() -> None:
    assert certified(odd.INDENTED, [ASKED, say("assistant", "\nSouth.")], tools=False) == ["South.<|im_end|>"]
    with pytest.raises(DataError, match="it does not begin message 2 so"):
        certified(odd.INDENTED, [ASKED, ANSWER], tools=False)


class Scripted(LlamaForCausalLM):
    """Writes one text whatever it is given, and then the same letter for ever."""

    def __init__(self, ids: list[int], size: int, begin: int) -> None:
        super().__init__(
            LlamaConfig(
                vocab_size=size,
                hidden_size=8,
                intermediate_size=8,
                num_hidden_layers=1,
                num_attention_heads=1,
                max_position_embeddings=4096,
            )
        )
        self.ids, self.begin = ids, begin

    def forward(self, input_ids: Tensor, *, position_ids: Tensor, **options: Any) -> Any:
        found = super().forward(input_ids, position_ids=position_ids, **options)
        place = int(position_ids[0, -1]) + 1 - self.begin
        found.logits[:, -1] = 0
        found.logits[:, -1, self.ids[min(place, len(self.ids) - 1)]] = 1
        return found


def predictor(encoding: DialogueEncoding, dialogue: list[Message], text: str) -> Predictor:
    """A model that generates a text behind a dialogue."""
    (ids,) = TOKENIZER.marked_ids([text])
    begin = len(prompt(encoding, TOKENIZER, dialogue))
    return Predictor(encoding, TOKENIZER, Scripted(ids, TOKENIZER.size, begin).eval())


def test_generation_goes_on_behind_the_end_with_which_a_call_begins() -> None:
    encoding = encoding_of(odd.END_INSIDE)
    called = call(name="x")["tool_calls"]
    writing = predictor(encoding, [ASKED], certified(odd.END_INSIDE, [ASKED, call(name="x")])[0] + "<s>more")
    (written,) = writing.write([[ASKED]], longest=200)
    assert written.ended and [one["function"] for one in written.message["tool_calls"]] == [called[0]["function"]]
    assert "".join(writing.stream([ASKED], longest=200)).endswith("</tool_call>")
    replying = predictor(encoding, [ASKED], "South.<|im_end|>\ncall\n")
    (written,) = replying.write([[ASKED]], longest=200)
    assert written.ended and written.message == {"role": "assistant", "content": "South."}
    assert "".join(replying.stream([ASKED], longest=200)) == "South."


def test_a_role_header_is_never_supervised() -> None:
    encoding = encoding_of(odd.UNPROMPTED)
    with pytest.raises(
        DataError, match=r"no generation prompt at this place .* its own header, '<\|im_start\|>assistant"
    ):
        encode_dialogues(encoding, TOKENIZER, [CALLED])
    assert len(certified(odd.UNPROMPTED, CALLED[:2])) == 1
    with pytest.raises(DataError, match=r"writes no generation prompt, .* '<\|im_start\|>assistant"):
        encoding_of(odd.PLAIN.replace(odd.PROMPT, ""))
    with pytest.raises(DataError, match="join consecutive turns of the assistant"):
        encode_dialogues(encoding_of(odd.JOINED, tools=False), TOKENIZER, [[ASKED, ANSWER, say("assistant", "Yes.")]])


def test_arguments_come_in_the_form_that_the_template_takes() -> None:
    turns = [ASKED, call(**NESTED)]
    written = json.dumps(NESTED)
    assert encoding_of(odd.PLAIN).manners.arguments == "object"
    assert encoding_of(odd.AS_TEXT).manners.arguments == "text"
    assert certified(odd.PLAIN, turns) == certified(odd.AS_TEXT, turns)
    assert written in certified(odd.AS_TEXT, turns)[0]


def test_content_comes_in_the_form_that_the_template_takes(tmp_path: Path) -> None:
    assert not encoding_of(odd.PLAIN).manners.parts
    turns = [say("system", "Be brief."), *CALLED, ASKED, say("assistant", "'It' is [warm].")]
    assert certified(odd.IN_PARTS, turns) == certified(odd.PLAIN, turns)
    encoding_of(odd.IN_PARTS).save(tmp_path)
    loaded = load_dialogue_encoding(tmp_path / "encoding.json")
    assert loaded.manners.parts and not template_reader(loaded).why
    given = [prompt(one, TOKENIZER, turns[:2]) for one in (loaded, encoding_of(odd.PLAIN))]
    assert given[0] == given[1]
    planted = replace(loaded, manners=replace(loaded.manners, parts=False))
    with pytest.raises(DataError, match="leaves out a part of message 5, what it says"):
        encode_dialogues(planted, TOKENIZER, [turns])


def test_thoughts_are_a_kind_of_their_own() -> None:
    turns = [ASKED, THOUGHTFUL]
    thoughts, rest = "<think>\nIt is warm.\n</think>\n", "South.<|im_end|>"
    assert certified(odd.THINKING, turns) == [thoughts + rest]
    assert certified(odd.THINKING, turns, train_on=("assistant", "call")) == [rest]
    assert certified(odd.THINKING, turns, train_on=("thoughts",)) == [thoughts]
    (both,) = certified(odd.THINKING, [ASKED, {**call(name="x"), "reasoning_content": "It is warm."}])
    assert both.startswith(thoughts + "<tool_call>")
    with pytest.raises(
        DataError, match=r"does not write the thoughts \(reasoning_content\) of message 2; take a template"
    ):
        encode_dialogues(encoding_of(odd.PLAIN), TOKENIZER, [turns])
    assert certified(odd.PLAIN, turns, train_on=("assistant", "call")) == [rest]


def test_options_of_a_template_reach_training_and_inference(tmp_path: Path) -> None:
    turns = [ASKED, ANSWER]
    with pytest.raises(
        DataError, match=r"ends '.*<think>.*', and it does not begin message 2 so; .*enable_thinking: false"
    ):
        encode_dialogues(encoding_of(odd.OPENED, tools=False), TOKENIZER, [turns])
    assert certified(odd.OPENED, [ASKED, THOUGHTFUL], tools=False) == ["It is warm.\n</think>\nSouth.<|im_end|>"]
    options = {"enable_thinking": False}
    assert certified(odd.OPENED, turns, tools=False, template_options=options) == ["South.<|im_end|>"]
    encoding_of(odd.OPENED, tools=False, template_options=options).save(tmp_path)
    loaded = load_dialogue_encoding(tmp_path / "encoding.json")
    assert TOKENIZER.decode([prompt(loaded, TOKENIZER, turns[:1])])[0].endswith("<think>\n\n</think>\n")


def test_the_option_that_lets_a_prompt_begin_its_turn_is_named() -> None:
    turns = [ASKED, ANSWER]
    with pytest.raises(DataError, match=r"message 2 so; .* Set encode.template_options: {enable_thinking: true}, with"):
        certified(odd.SHUT, turns, tools=False)
    assert certified(odd.SHUT, turns, tools=False, template_options={"enable_thinking": True}) == ["South.<|im_end|>"]
    with pytest.raises(DataError, match=r"message 2 so; .* Fix what the template writes at add_generation_prompt"):
        certified(odd.BLANK_PROMPT, turns, tools=False)


def test_a_refusal_names_the_row_and_the_message_as_the_data_count_them() -> None:
    turns = [
        say("system", "Be brief."),
        {**ASKED, "content": "Where is it warm in May, and where in June?"},
        THOUGHTFUL,
    ]
    rows = pd.DataFrame({"id": ["a7", "b8"], "messages": [dump_messages([ASKED, ANSWER]), dump_messages(turns)]})
    said = r"^row b8 \('Where is it warm in May, and where in Ju'\): .* of message 3; take"
    with pytest.raises(DataError, match=said):
        encode_part(encoding_of(odd.PLAIN), TOKENIZER, rows)
    bare = pd.DataFrame({"id": ["b8"], "messages": [dump_messages(turns[1:])]})
    with pytest.raises(DataError, match=r"^row b8 .* of message 2; take"):
        encode_part(encoding_of(odd.PLAIN, system="Be brief."), TOKENIZER, bare)


def test_a_template_file_with_a_syntax_error_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "own.jinja"
    for before, line in (("", 2), ("{{ strftime_now('%Y') }}\n", 3)):
        path.write_text(before + "{% for m in messages %}\n{{ m.content }\n{% endfor %}", encoding="utf-8")
        with pytest.raises(DataError, match=rf"own\.jinja, line {line}: .*; fix the template"):
            make_dialogue_encoding(template_file(path), TOKENIZER)
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(DataError, match=r"own\.jinja: no text in UTF-8 .*; write the chat template again"):
        template_file(path)


REFUSALS = ("DataError(", "TooLongError(", "MaskError(")
PASSED_ON = ("sequences.py: : ", "recipe_tools.py: : ")
"""Refusals whose words, with the fix, come from what was raised below."""


def test_every_refusal_names_a_fix() -> None:
    silent, told_to_the_model = [], "there is no tool "
    for path in sorted(Path(turns_module.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and node.exc and ast.unparse(node.exc).startswith(REFUSALS):
                words = [one.value for one in ast.walk(node.exc) if isinstance(one, ast.Constant)]
                said = "".join(word for word in words if isinstance(word, str))
                silent += [f"{path.name}: {said}"] if said and not re.search("; |[.] [A-Z]", said) else []
    assert [one for one in silent if told_to_the_model not in one and one not in PASSED_ON] == []


def test_every_broken_check_of_a_template_names_a_fix() -> None:
    certificate = DialogueCertificate(violations={"thoughts are missing": ["a7"]})
    with pytest.raises(DataError, match=r"such as \['a7'\]; take a template that writes thoughts"):
        certificate.require("train")
    files = [Path(one.__file__).read_text(encoding="utf-8") for one in (expected_turns, expected_text, certificates)]
    files[2] = files[2].split("OTHER = ")[1]
    assert [words for words in certificates.FIXES if words not in "".join(files)] == []


def test_an_encoding_saved_before_a_key_was_there_is_read_by_defaults(tmp_path: Path) -> None:
    encoding = encoding_of(odd.PLAIN)
    encoding.save(tmp_path)
    path = tmp_path / "encoding.json"
    saved = json.loads(path.read_text(encoding="utf-8"))
    for key in ("first", "parts"):
        del saved["manners"][key]
    path.write_text(json.dumps(saved), encoding="utf-8")
    assert load_dialogue_encoding(path) == encoding
    for key in ("manners", "stops", "named", "template_options", "packing", "new_tokens"):
        del saved[key]
    path.write_text(json.dumps({**saved, "train_on": ["assistant", "call"]}), encoding="utf-8")
    loaded = load_dialogue_encoding(path)
    assert loaded.manners == Manners() and loaded.train_on == ("assistant", "call", "thoughts")
    for turn in (1, 3):
        assert prompt(loaded, TOKENIZER, CALLED[:turn]) == prompt(encoding, TOKENIZER, CALLED[:turn])


def test_a_prompt_that_differs_further_up_is_what_is_trained() -> None:
    encoding = encoding_of(odd.LAST_DIFFERS)
    texts, certificate = trained(encoding, CALLED)
    certificate.require("train")
    assert texts[1] == "South.<|im_end|>"
    made = encode_dialogues(encoding, TOKENIZER, [CALLED])
    assert made.trained == [(1, 3)]
    begin, ids = runs_of(made, 0)[1][0], made.encoded.ids.tolist()
    assert "[]\n" not in TOKENIZER.decode([ids])[0] and "[]\n" in encoding.script.render(
        encoding.composed(CALLED, 0, 4)[0]
    )
    assert ids[:begin] == prompt(encoding, TOKENIZER, CALLED[:3])


def test_generation_blocks_may_cover_the_prompt() -> None:
    assert certified(odd.MARKED, [ASKED, ANSWER], tools=False) == ["South.<|im_end|>"]


def test_blanks_that_a_prompt_takes_from_a_reply_are_not_missed() -> None:
    assert certified(odd.BLANK_PROMPT, [ASKED, say("assistant", "\nSouth.")], tools=False) == ["South.<|im_end|>"]
    with pytest.raises(DataError, match="does not begin message 2 so"):
        encode_dialogues(encoding_of(odd.BLANK_PROMPT, tools=False), TOKENIZER, [[ASKED, ANSWER]])


def test_a_system_turn_that_the_template_leaves_out_is_counted() -> None:
    encoding, turns = encoding_of(odd.SYSTEM_LAST), [say("system", "Be brief."), *CALLED]
    texts, certificate = trained(encoding, turns)
    certificate.require("train")
    assert certificate.unsystemed == 1 and texts[1] == "South.<|im_end|>"
    assert "leaves out the system turn" in describe(encoding, TOKENIZER, {"train": certificate})
    assert trained(encoding_of(odd.PLAIN), turns)[1].unsystemed == 0


def test_inline_thoughts_that_the_template_takes_apart_are_trained() -> None:
    texts = certified(odd.TAKEN_APART, [ASKED, say("assistant", "<think>\nWarm.\n</think>\nSouth.")], tools=False)
    assert texts == ["Warm.</think>South.<|im_start|>"]


def test_inline_thoughts_keep_their_markers() -> None:
    own = tokenizer()
    own.backend.add_special_tokens(["<think>", "</think>"])
    own = replace(plain_tokenizer(own.backend, own.special), texts=own.texts)
    content = "<think>\nWarm.\n</think>\nSouth of <think>."
    encoding = encoding_of(odd.PLAIN, own=own, tools=False)
    texts, certificate = trained(encoding, [ASKED, say("assistant", content)], own)
    certificate.require("train")
    ids = encode_dialogues(encoding, own, [[ASKED, say("assistant", content)]]).encoded.ids.tolist()
    marks = [own.special_ids[text] for text in ("<think>", "</think>")]
    assert texts == [content + "<|im_end|>"] and [ids.count(mark) for mark in marks] == [2, 1]


def test_ids_of_calls_are_the_datas_or_counted() -> None:
    own = {**call(name="x"), "tool_calls": [{**call(name="x")["tool_calls"][0], "id": "call_a1B2c3D4e5F6"}]}
    texts, certificate = trained(encoding_of(odd.WITH_IDS), [ASKED, own])
    assert "call_a1B2c3D4e5F6" in texts[0] and certificate.own_ids == 0
    texts, certificate = trained(encoding_of(odd.WITH_IDS), [ASKED, call(name="x")])
    assert "call00000" in texts[0] and certificate.own_ids == 1
    strict = (
        "{%- for m in messages %}{%- for c in m.tool_calls or [] %}{%- if c.id | length != 9 %}"
        "{{- raise_exception('nine') }}{%- endif %}{%- endfor %}{%- endfor %}" + odd.WITH_IDS
    )
    texts, certificate = trained(encoding_of(strict), [ASKED, own])
    assert "call00000" in texts[0] and certificate.own_ids == 1
    assert trained(encoding_of(odd.PLAIN), [ASKED, call(name="x")])[1].own_ids == 0


def test_a_dialogues_own_tools_win() -> None:
    other = {**TOOL, "function": {**TOOL["function"], "name": "weather"}}
    turns = [{"role": "system", "content": None, "tools": [other]}, ASKED, call(name="x"), say("tool", "[]"), ANSWER]
    for tools in (True, False):
        encoding = encoding_of(odd.PLAIN, tools=tools, system="Be brief.")
        trained(encoding, turns)[1].require("train")
        given = TOKENIZER.decode([prompt(encoding, TOKENIZER, turns[:2])])[0]
        assert "weather" in given and "search_hotels" not in given and "Be brief." in given


# Tokens --------------------------------------------------------------------------------------------------------------


def legacy() -> TextTokenizer:
    """SentencePiece as transformers' `legacy: true` has it: a sign before each text between special tokens."""
    backend = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Replace("▁", " ")
    letters = sorted(set('Where? South. It is warm.\nuserasintol[]{}":_' + json.dumps(TOOL) + "<tool_call>/"))
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=[*letters, "▁"], special_tokens=["<unk>"])
    backend.train_from_iterator(["Where? South. It is warm.\n"] * 4, trainer)
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    return plain_tokenizer(backend, {"eos": backend.token_to_id("<|im_end|>")})


@pytest.mark.parametrize("build", [tokenizer, legacy, with_metaspace, with_stripping_tokens])
def test_ids_are_those_of_the_whole_text(build: Callable[[], TextTokenizer]) -> None:
    own = build()
    encoding = encoding_of(odd.PLAIN, own=own)
    made = encode_dialogues(encoding, own, [CALLED])
    certify_dialogues(encoding, own, made, ["row0"], [CALLED]).require("train")
    whole = encoding.script.render(encoding.composed(CALLED, 0, len(CALLED)).messages).removesuffix("\n")
    assert made.encoded.ids.tolist() == own.marked_ids([whole])[0] and made.split == 0
    for (begin, _), turn in zip(runs_of(made, 0), (1, 3), strict=True):
        assert prompt(encoding, own, CALLED[:turn]) == made.encoded.ids[:begin].tolist()


def test_where_a_token_would_reach_over_a_prompt_the_prompt_wins() -> None:
    spaced = odd.chat(
        "{{- message.role + ':' + ' ' + message.content + '<|im_end|>' }}",
        before="",
        prompt="{%- if add_generation_prompt %}{{- 'assistant: ' }}{%- endif %}",
    )
    own = tokenizer()
    encoding = encoding_of(spaced, own=own, tools=False)
    dialogue = [ASKED, ANSWER, ASKED, ANSWER]
    made = encode_dialogues(encoding, own, [dialogue])
    certificate = certify_dialogues(encoding, own, made, ["row0"], [dialogue])
    certificate.require("train")
    assert made.trained == [(1,), (3,)] and certificate.split == 2
    flat = made.encoded
    for n, turn in enumerate((1, 3)):
        ((begin, _),) = runs_of(made, n)
        ids = flat.ids[flat.offsets[n] : flat.offsets[n + 1]].tolist()
        assert ids[:begin] == prompt(encoding, own, dialogue[:turn]) == own.marked_ids(own.decode([ids[:begin]]))[0]
        assert own.decode([ids[begin:]]) == ["South.<|im_end|>"]


# The certificate ------------------------------------------------------------------------------------------------------


def broken(encoding: DialogueEncoding, dialogue: list[Message], own: TextTokenizer = TOKENIZER) -> set[str]:
    return set(trained(encoding, dialogue, own)[1].violations)


def test_a_lost_bos_is_caught() -> None:
    encoding = encoding_of(odd.WITH_BOS)
    lost = replace(encoding, texts={"eos_token": "<|im_end|>"})
    assert "the template reads bos_token, which it is not given" in broken(lost, CALLED)


def test_a_lost_system_turn_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding, turns = encoding_of(odd.PLAIN), [say("system", "Be brief."), *CALLED]
    assert "the system turn is missing" not in broken(encoding, turns)

    def bare(self: DialogueEncoding, dialogue: Any, start: int, stop: int) -> Any:
        found = composed(self, dialogue, start, stop)
        return found._replace(messages=found.messages[1:], moved=found.moved - 1)

    composed = DialogueEncoding.composed
    monkeypatch.setattr(DialogueEncoding, "composed", bare)
    assert "the system turn is missing" in broken(encoding, turns)


def test_a_wrong_end_is_caught() -> None:
    encoding = encoding_of(odd.TWO_ENDS, tools=False)
    early = Ending("<|/reply|>", "<|im_end|>\n", False)
    short = replace(
        encoding, endings={"assistant": early}, stops=("<|/reply|>",), end_ids=(TOKENIZER.special_ids["<|/reply|>"],)
    )
    assert "what ends the turn is not what generation stops at" in broken(short, [ASKED, ANSWER])
    late = replace(
        encoding_of(odd.UNASKED, tools=False), endings={"assistant": Ending("<|im_start|>", "assistant\n", False)}
    )
    assert "what ends the turn is not what generation stops at" in broken(replace(late, stops=()), [ASKED, ANSWER])


def test_letters_of_a_marker_that_a_user_says_are_no_given_turn() -> None:
    marked = odd.PLAIN.replace("'<tool_call>{", "'<tool_call>{ ")
    assert certified(marked, [say("user", "al"), call(name="x")])


def test_an_end_within_a_run_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    within = "an end-of-turn token stands within what is supervised"
    encoding = encoding_of(odd.END_WITHIN, tools=False)
    planted = replace(encoding, endings={**encoding.endings, "call": encoding.endings["assistant"]})
    monkeypatch.setattr(TurnFaults, "need_one_end", lambda *given: None)
    assert within in broken(planted, CALLED[:2])
    inside = encoding_of(odd.END_INSIDE)
    assert within not in broken(inside, CALLED[:2])
    assert within in broken(replace(inside, manners=replace(inside.manners, first="")), CALLED[:2])
    assert within in broken(inside, [ASKED, {**call(name="x"), "content": "Wait."}])


def test_a_supervised_header_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TurnFaults, "need_prompt", lambda *given: None)
    assert "a role header is supervised" in broken(encoding_of(odd.UNPROMPTED), CALLED)
    turns = [ASKED, ANSWER, say("assistant", "Yes.")]
    assert "a role header is supervised" in broken(encoding_of(odd.UNASKED_PROMPT, tools=False), turns)
    monkeypatch.setattr(TurnFaults, "need_own_words", lambda *given: None)
    turns = [ASKED, ANSWER, say("assistant", "Yes.")]
    assert "a supervised run is not what the model generates" in broken(encoding_of(odd.JOINED, tools=False), turns)


def test_arguments_of_python_are_caught() -> None:
    encoding = encoding_of(odd.AS_TEXT)
    planted = replace(encoding, manners=replace(encoding.manners, arguments="object"))
    assert "a call's arguments are Python's text of an object" in broken(planted, [ASKED, call(**NESTED)])


def test_lost_thoughts_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding = encoding_of(odd.THINKING)
    turns = [ASKED, THOUGHTFUL]
    made = encode_dialogues(encoding, TOKENIZER, [[ASKED, ANSWER]])
    found = certify_dialogues(encoding, TOKENIZER, made, ["row0"], [turns]).violations
    assert "a supervised run is not what the model generates" in found
    monkeypatch.setattr(turns_module.Conversation, "_span_of", lambda self, turn, whole: (len(whole) - 1, len(whole)))
    left = "the template leaves out part of what the model generates"
    assert {"thoughts are missing", left} <= broken(encoding_of(odd.PLAIN), turns)


def test_texts_that_are_tokenised_piece_by_piece_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def alone(self: Any, tokens: Any, text: str, borders: Any, spellings: Any) -> whole_text.Tokens:
        cuts = [0, *borders, len(text)]
        pieces = [(a, self.tokenizer.placed_ids([text[a:b]])[0]) for a, b in pairwise(cuts)]
        ids = [token for _, piece in pieces for token in piece[0]]
        return whole_text.Tokens(ids, [a + at for a, piece in pieces for at in piece[1]])

    own = legacy()
    encoding = encoding_of(odd.PLAIN, own=own)
    assert broken(encoding, CALLED, own) == set()
    monkeypatch.setattr(whole_text.WholeText, "_bordered", alone)
    assert broken(encoding, CALLED, own) == {"token ids are not those of the whole text"}


def test_every_text_of_the_tokenizer_is_handed_over() -> None:
    own = replace(TOKENIZER, texts={**TOKENIZER.texts, "image_token": "<img>"})
    assert encoding_module.make_dialogue_encoding(Template(odd.PLAIN, {}), own).texts["image_token"] == "<img>"
