"""Dialogues: what is trained is what inference gives, in every family of templates; what the certificate catches."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_families import FAMILIES, TEXTS, TOOL, tokenizer_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sampled import sampled
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

import tasks.text.chat.certificate as certificate_module
from tasks.data.dialogues.messages import Message
from tasks.data.errors import DataError
from tasks.learn.labels import IGNORE_INDEX
from tasks.text.certificate import MaskError
from tasks.text.chat.certificate import DialogueCertificate, certify_dialogues
from tasks.text.chat.chat_template import CHATML, Template
from tasks.text.chat.encoding import (
    NO_TARGET,
    TOO_LONG,
    DialogueEncoding,
    EncodedDialogues,
    encode_dialogues,
    load_dialogue_encoding,
    prompt,
)
from tasks.text.chat.make_encoding import make_dialogue_encoding
from tasks.text.chat.packing import pad_packed
from tasks.text.collation import pad_rows
from tasks.text.tokenizer import TextTokenizer, plain_tokenizer
from tasks.text.vocabulary import learn_bpe

TOKENIZERS = {name: tokenizer_of(family) for name, family in FAMILIES.items()}
UNROLLED = {"qwen3", "mistral", "llama3"}
"""Families that write earlier turns otherwise once others follow; or, Llama's here, whose prompt ends in two line
breaks that this tokenizer joins, as nothing but the end of a text lets it, so that a history has other tokens."""
FIRST = {"qwen3": (2,), "mistral": (2, 4), "llama3": (2,)}


def say(role: str, content: str, **more: Any) -> Message:
    return {"role": role, "content": content, **more}


def call(**arguments: Any) -> Message:
    function = {"name": "search_hotels", "arguments": arguments}
    return say("assistant", "", tool_calls=[{"type": "function", "function": function}])


DIALOGUE = [
    say("system", "You find hotels."),
    say("user", "One near 西湖?\n"),
    call(name='西湖 "x"', facilities=["wifi", "</s>"]),
    say("tool", '[{"name": "湖滨", "rating": 4.6}]'),
    say("assistant", "How about 湖滨?"),
    say("user", " Fine 😀"),
    say("assistant", "Booked."),
    say("user", "And another"),
    call(price="400-500元"),
    say("tool", "[]"),
    say("assistant", "None."),
]
WRITTEN = (2, 4, 6, 8, 10)


def encoding_of(name: str, *, tools: bool = True, **options: Any) -> DialogueEncoding:
    options.setdefault("max_length", 4096)
    return make_dialogue_encoding(FAMILIES[name].template, TOKENIZERS[name], [TOOL] if tools else [], **options)


def runs_of(encoded: EncodedDialogues, sequence: int) -> list[tuple[int, int]]:
    flat = encoded.encoded
    labels = flat.labels[flat.offsets[sequence] : flat.offsets[sequence + 1]]
    edges = np.flatnonzero(np.diff(np.r_[0, labels != IGNORE_INDEX, 0]))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def ids_of(encoded: EncodedDialogues, sequence: int) -> list[int]:
    flat = encoded.encoded
    return flat.ids[flat.offsets[sequence] : flat.offsets[sequence + 1]].tolist()


def supervised_texts(name: str, encoding: DialogueEncoding, dialogue: list[Message]) -> list[str]:
    encoded = encode_dialogues(encoding, TOKENIZERS[name], [dialogue])
    rows = [ids_of(encoded, n)[a:b] for n in range(len(encoded.trained)) for a, b in runs_of(encoded, n)]
    return TOKENIZERS[name].decode(rows)


def mismatches(name: str, encoding: DialogueEncoding, dialogues: list[list[Message]]) -> int:
    """Trained turns whose prompt at inference is not the ids before their supervised run."""
    encoded = encode_dialogues(encoding, TOKENIZERS[name], dialogues)
    wrong = 0
    for n, trained in enumerate(encoded.trained):
        dialogue, ids, runs = dialogues[encoded.origin[n]], ids_of(encoded, n), runs_of(encoded, n)
        assert len(runs) == len(trained) and encoded.starts[n] == 0
        for (begin, _), turn in zip(runs, trained, strict=True):
            wrong += prompt(encoding, TOKENIZERS[name], dialogue[:turn]) != ids[:begin]
    return wrong


def certificate_of(
    name: str, encoding: DialogueEncoding, dialogues: list[list[Message]], encoded: EncodedDialogues | None = None
) -> DialogueCertificate:
    tokenizer: TextTokenizer = TOKENIZERS[name]
    found = encoded or encode_dialogues(encoding, tokenizer, dialogues)
    return certify_dialogues(encoding, tokenizer, found, [f"row{n}" for n in range(len(dialogues))], dialogues)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("packing", [False, True])
def test_every_family_is_certified_and_gives_at_inference_what_it_trained(name: str, packing: bool) -> None:
    encoding = encoding_of(name, packing=packing)
    dialogues = [DIALOGUE, DIALOGUE[:7], DIALOGUE[1:5]]
    encoded = encode_dialogues(encoding, TOKENIZERS[name], dialogues if name != "phi" else dialogues[:2])
    result = certificate_of(name, encoding, dialogues, encoded)
    result.require("train")
    assert result.as_dict()["holds"] and (result.lost, result.turns_removed, result.cut_rows) == (0, 0, 0)
    assert (result.turns, result.calls) == ((8, 3) if name == "phi" else (10, 4))
    assert encoded.trained[0] == FIRST.get(name, WRITTEN)
    assert mismatches(name, encoding, [DIALOGUE, DIALOGUE[:7]]) == 0


def test_what_is_supervised_is_the_turn_and_its_end() -> None:
    written = {name: supervised_texts(name, encoding_of(name), DIALOGUE) for name in FAMILIES}
    assert [written[name][2] for name in ("chatml", "llama3", "mistral", "gemma", "phi", "deepseek")] == [
        "Booked.<|im_end|>",
        "Booked.<|eot_id|>",
        " Booked.</s>",
        "Booked.<end_of_turn>",
        "Booked.<|end|>",
        "Booked.<｜end▁of▁sentence｜>",
    ]
    assert written["qwen3"][2] == "<think>\n\n</think>\n\nBooked.<|im_end|>"
    assert written["glm"][2:4] == ["\nBooked.<|user|>", 'search_hotels\n{"price": "400-500元"}<|observation|>']
    assert written["chatml"][0].startswith('<tool_call>\n{"name": "search_hotels", "arguments": {"name": "西湖 \\"x')


def test_thinking_is_trained_where_it_is_written_and_cut_out_of_what_is_given() -> None:
    thought = "<think>\nhm\n</think>\n\n"
    dialogue = [{**turn, "content": thought + turn["content"]} if n == 4 else turn for n, turn in enumerate(DIALOGUE)]
    encoding = encoding_of("qwen3")
    encoded = encode_dialogues(encoding, TOKENIZERS["qwen3"], [dialogue])
    certificate_of("qwen3", encoding, [dialogue], encoded).require("train")
    texts = TOKENIZERS["qwen3"].decode([ids_of(encoded, n) for n in range(len(encoded.trained))])
    assert [thought + "How about" in text for text in texts] == [turns == (4,) for turns in encoded.trained]
    assert supervised_texts("qwen3", encoding, dialogue)[1] == thought + "How about 湖滨?<|im_end|>"


def test_switches_choose_turns() -> None:
    chosen = {
        (("assistant", "call"), "all"): WRITTEN,
        (("assistant",), "all"): (4, 6, 10),
        (("call",), "all"): (2, 8),
        (("call",), "last"): (8,),
        (("assistant", "call"), "last"): (10,),
    }
    for (train_on, turns), expected in chosen.items():
        encoding = encoding_of("chatml", train_on=train_on, turns=turns)
        encoded = encode_dialogues(encoding, TOKENIZERS["chatml"], [DIALOGUE])
        assert encoded.trained == [expected]
        certificate_of("chatml", encoding, [DIALOGUE], encoded).require("train")
    light = [{**turn, "weight": 0} if n in (2, 10) else turn for n, turn in enumerate(DIALOGUE)]
    for name in FAMILIES:
        encoding = encoding_of(name)
        encoded = encode_dialogues(encoding, TOKENIZERS[name], [light])
        assert sum(encoded.trained, ()) == (4, 6, 8)
        certificate_of(name, encoding, [light], encoded).require("train")
        assert mismatches(name, encoding, [light]) == 0
    nothing = encode_dialogues(encoding_of("chatml", train_on=("call",)), TOKENIZERS["chatml"], [DIALOGUE[4:7]])
    assert nothing.dropped == {0: NO_TARGET} and len(nothing.encoded) == 0


@pytest.mark.parametrize("name", FAMILIES)
def test_truncation_takes_whole_turns_from_the_oldest(name: str) -> None:
    whole = encode_dialogues(encoding_of(name), TOKENIZERS[name], [DIALOGUE])
    longest = int(whole.encoded.lengths.max())
    encoding = encoding_of(name, max_length=longest - 1)
    dialogues = [DIALOGUE, [*DIALOGUE[:5], say("user", "x" * longest), say("assistant", "Oh.")]]
    encoded = encode_dialogues(encoding, TOKENIZERS[name], dialogues)
    assert encoded.dropped == ({} if name in UNROLLED else {1: TOO_LONG})
    assert encoded.encoded.lengths.max() <= longest - 1 and set(encoded.starts.tolist()) <= {0, 5, 7}
    assert encoded.lost == (1 if name in UNROLLED else 5 - len(encoded.trained[0]))
    result = certificate_of(name, encoding, dialogues, encoded)
    result.require("train")
    assert result.cut_rows and result.turns_removed == sum(int(start) - 1 for start in encoded.starts if start)
    last = max(n for n, origin in enumerate(encoded.origin) if origin == 0)
    assert encoded.trained[last] in [(6, 8, 10), (8, 10), (10,)]
    (begin, end), ids = runs_of(encoded, last)[-1], ids_of(encoded, last)
    assert prompt(encoding, TOKENIZERS[name], DIALOGUE[:10], room=end - begin) == ids[:begin]


def test_a_prompt_that_cannot_fit_is_said() -> None:
    encoding = encoding_of("chatml", tools=False, max_length=40)
    with pytest.raises(DataError, match=r"last user turn needs .* tokens, but only 30 are left"):
        prompt(encoding, TOKENIZERS["chatml"], [say("user", "x" * 60)], room=10)


def test_a_system_text_of_the_recipe_is_given_where_a_dialogue_has_none() -> None:
    for name in FAMILIES:
        encoding = encoding_of(name, system="Be brief.")
        encoded = encode_dialogues(encoding, TOKENIZERS[name], [DIALOGUE[1:], DIALOGUE])
        texts = TOKENIZERS[name].decode([ids_of(encoded, n) for n in range(len(encoded.trained))])
        assert ["Be brief." in text for text in texts] == [origin == 0 for origin in encoded.origin]
        certificate_of(name, encoding, [DIALOGUE[1:], DIALOGUE], encoded).require("train")


def with_stripping_tokens() -> TextTokenizer:
    """Special tokens that swallow the white space behind them, as Phi's do."""
    backend = learn_bpe(TEXTS, 420)
    backend.add_special_tokens([AddedToken(text, rstrip=True) for text in FAMILIES["chatml"].special])
    return plain_tokenizer(backend, {"eos": backend.token_to_id("<|im_end|>")})


def with_metaspace() -> TextTokenizer:
    """White space kept as a sign before words, as in SentencePiece: one is put before a text and taken off again."""
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    backend.decoder = decoders.Metaspace(prepend_scheme="first")
    letters = sorted(set("".join(map(str, [DIALOGUE, TOOL])) + "<|im_start|>\n"))
    backend.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=600, initial_alphabet=letters, special_tokens=["<unk>"])
    )
    backend.add_special_tokens([AddedToken(text) for text in FAMILIES["chatml"].special])
    return plain_tokenizer(backend, {"eos": backend.token_to_id("<|im_end|>")})


@pytest.mark.parametrize("build", [with_stripping_tokens, with_metaspace])
def test_tokenizers_that_do_not_give_white_space_back_are_certified_without_it(build: Any) -> None:
    tokenizer = build()
    encoding = make_dialogue_encoding(FAMILIES["chatml"].template, tokenizer, [TOOL], max_length=4096)
    encoded = encode_dialogues(encoding, tokenizer, [DIALOGUE])
    (text,) = tokenizer.decode([ids_of(encoded, 0)])
    assert text != encoding.script.render(encoding.composed(DIALOGUE, 0, len(DIALOGUE))[0])[: len(text)]
    certify_dialogues(encoding, tokenizer, encoded, ["row0"], [DIALOGUE]).require("train")
    for change, check in (FAULTS["shifted right"], FAULTS["call unsupervised"], FAULTS["system turn supervised"]):
        broken = certify_dialogues(encoding, tokenizer, planted(encoded, change), ["row0"], [DIALOGUE]).violations
        assert broken[check] == ["row0"]
    begin = runs_of(encoded, 0)[1][0]
    assert prompt(encoding, tokenizer, DIALOGUE[:4]) == ids_of(encoded, 0)[:begin]


def test_an_encoding_comes_back_from_its_file(tmp_path: Path) -> None:
    for name in FAMILIES:
        encoding = encoding_of(name, system="Be brief.", packing=True)
        encoding.save(tmp_path)
        again = load_dialogue_encoding(tmp_path / "encoding.json")
        assert again == encoding
        assert prompt(again, TOKENIZERS[name], DIALOGUE[:6]) == prompt(encoding, TOKENIZERS[name], DIALOGUE[:6])


def test_a_template_without_calls_refuses_them_with_a_message() -> None:
    mute = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}{% endfor %}"
    mute += "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    encoding = make_dialogue_encoding(Template(mute, {}), TOKENIZERS["chatml"])
    with pytest.raises(DataError, match="dialogue 1: the chat template does not write tool calls"):
        encode_dialogues(encoding, TOKENIZERS["chatml"], [DIALOGUE[5:7], DIALOGUE])


def test_a_generation_prompt_unlike_the_turn_is_refused() -> None:
    source = FAMILIES["chatml"].source.replace("'<|im_start|>assistant\\n' }}", "'<|im_start|>bot\\n' }}")
    encoding = make_dialogue_encoding(Template(source, {}), TOKENIZERS["chatml"])
    with pytest.raises(DataError, match=r"generation prompt ends .*bot.*, and it does not begin message 5 so"):
        encode_dialogues(encoding, TOKENIZERS["chatml"], [DIALOGUE])


def planted(encoded: EncodedDialogues, change: Any) -> EncodedDialogues:
    """The first sequence's labels changed in place of a copy."""
    flat = replace(encoded.encoded, labels=encoded.encoded.labels.copy())
    change(flat.ids, flat.labels, runs_of(encoded, 0))
    return replace(encoded, encoded=flat)


def shift(by: int) -> Any:
    def change(ids: Any, labels: Any, runs: list[tuple[int, int]]) -> None:
        marked = np.roll(labels != IGNORE_INDEX, by)
        labels[:] = np.where(marked, ids, IGNORE_INDEX)

    return change


def supervise_given(at: int) -> Any:
    def change(ids: Any, labels: Any, runs: list[tuple[int, int]]) -> None:
        span = slice(runs[at - 1][1] if at else 0, runs[at][0])
        labels[span] = ids[span]

    return change


def silence(part: slice, run: int) -> Any:
    def change(ids: Any, labels: Any, runs: list[tuple[int, int]]) -> None:
        begin, end = runs[run]
        labels[begin:end][part] = IGNORE_INDEX

    return change


WRONG_RUN, MISSING = "a supervised run is not what the model generates", "supervised runs are not the trained turns"
FAULTS = {
    "shifted right": (shift(1), WRONG_RUN),
    "shifted left": (shift(-1), WRONG_RUN),
    "end unsupervised": (silence(slice(-1, None), 2), "an end-of-turn token is not supervised"),
    "tool results supervised": (supervise_given(1), MISSING),
    "user turn supervised": (supervise_given(2), MISSING),
    "system turn supervised": (supervise_given(0), WRONG_RUN),
    "call unsupervised": (silence(slice(None), 0), MISSING),
    "other labels": (lambda ids, labels, runs: labels.__setitem__(runs[0][0], 5), "label ids differ from input ids"),
    "nothing supervised": (lambda ids, labels, runs: labels.fill(IGNORE_INDEX), "no supervised token"),
    "another text": (lambda ids, labels, runs: ids.__setitem__(3, 70), "the text is not the dialogue's"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", sorted(set(FAMILIES) - UNROLLED))
def test_planted_faults_of_the_mask_are_caught_by_name(name: str, fault: str) -> None:
    encoding = encoding_of(name)
    encoded = encode_dialogues(encoding, TOKENIZERS[name], [DIALOGUE])
    encoded = replace(encoded, encoded=replace(encoded.encoded, ids=encoded.encoded.ids.copy()))
    change, check = FAULTS[fault]
    broken = certificate_of(name, encoding, [DIALOGUE], planted(encoded, change))
    assert broken.violations[check] == ["row0"]
    with pytest.raises(MaskError, match="train: 1 rows break the mask check"):
        broken.require("train")


@pytest.mark.parametrize("name", sorted(UNROLLED))
@pytest.mark.parametrize("fault", ["shifted right", "shifted left", "system turn supervised", "nothing supervised"])
def test_planted_faults_are_caught_where_a_dialogue_is_several_sequences(name: str, fault: str) -> None:
    encoding = encoding_of(name)
    encoded = encode_dialogues(encoding, TOKENIZERS[name], [DIALOGUE])
    assert len(encoded.trained) > 1
    change, check = FAULTS[fault]
    assert certificate_of(name, encoding, [DIALOGUE], planted(encoded, change)).violations[check] == ["row0"]


def test_a_shortened_dialogue_without_its_system_turn_is_caught() -> None:
    for name in sorted(set(FAMILIES) - UNROLLED - {"phi"}):
        encoding = encoding_of(name)
        encoded = encode_dialogues(encoding, TOKENIZERS[name], [DIALOGUE[5:]])
        claimed = replace(encoded, starts=np.array([5]), trained=[(6, 8, 10)])
        assert "the text is not the dialogue's" in certificate_of(name, encoding, [DIALOGUE], claimed).violations


def test_pads_masked_by_id_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding = encoding_of("chatml", padding="max_length")
    assert encoding.pad_id in encoding.end_ids

    def by_id(*given: Any) -> Any:
        batch = pad_rows(*given)
        return batch | {"attention_mask": (batch["input_ids"] != encoding.pad_id).astype(np.int64)}

    assert certificate_of("chatml", encoding, [DIALOGUE]).pad_is_eos
    monkeypatch.setattr(certificate_module, "pad_rows", by_id)
    broken = certificate_of("chatml", encoding, [DIALOGUE]).violations
    assert broken.keys() == {"attention is not the row's length", "an end-of-turn token is not attended"}


def test_packed_rows_that_run_into_one_another_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding = encoding_of("chatml", packing=True)
    certificate_of("chatml", encoding, [DIALOGUE] * 3).require("train")

    def joined(*given: Any) -> Any:
        batch = pad_packed(*given)
        return batch | {"position_ids": np.broadcast_to(np.arange(batch["input_ids"].shape[1]), batch["labels"].shape)}

    monkeypatch.setattr(certificate_module, "pad_packed", joined)
    broken = certificate_of("chatml", encoding, [DIALOGUE] * 3)
    assert "attention is not the row's length" in broken.violations


def test_an_empty_assistant_turn_is_caught() -> None:
    empty = [*DIALOGUE[:6], say("assistant", " ")]
    for name in FAMILIES:
        assert certificate_of(name, encoding_of(name), [empty]).violations.keys() == {"an empty turn is supervised"}


def test_a_template_that_drops_turns_is_caught() -> None:
    source = FAMILIES["chatml"].source.replace(
        "{{- '<|im_start|>system\\n' + system }}", "{{- '<|im_start|>system\\n' }}"
    )
    encoding = make_dialogue_encoding(Template(source, {}), TOKENIZERS["chatml"], [TOOL])
    assert encoding.system_in_user
    certificate_of("chatml", encoding, [DIALOGUE]).require("train")
    broken = certificate_of("chatml", replace(encoding, system_in_user=False), [DIALOGUE]).violations
    assert broken.keys() == {"the system turn is missing", "the template leaves out a turn of role system"}
    source = FAMILIES["chatml"].source.replace(
        "+ message.content }}", "+ ('' if message.role == 'tool' else message.content) }}"
    )
    encoding = make_dialogue_encoding(Template(source, {}), TOKENIZERS["chatml"], [TOOL])
    assert certificate_of("chatml", encoding, [DIALOGUE]).violations.keys() == {
        "the template leaves out a turn of role tool"
    }
    phi = certificate_of("phi", encoding_of("phi"), [DIALOGUE[1:]]).violations
    assert phi.keys() == {"the tools are missing"}


def test_content_of_a_call_that_the_template_leaves_out_is_caught() -> None:
    talking = [*DIALOGUE[:2], {**DIALOGUE[2], "content": "Let me see."}]
    certificate_of("chatml", encoding_of("chatml"), [talking]).require("train")
    for name in ("llama3", "glm"):
        encoding = encoding_of(name)
        with pytest.raises(
            DataError, match=r"dialogue 0: the chat template leaves out a part of message 3, the text next to its calls"
        ):
            encode_dialogues(encoding, TOKENIZERS[name], [talking])
        silent = encode_dialogues(encoding, TOKENIZERS[name], [DIALOGUE[:3]])
        broken = certificate_of(name, encoding, [talking], silent).violations
        assert broken.keys() == {
            "the template leaves out part of what the model generates",
            "what a turn says is written otherwise",
        }


def test_content_that_becomes_a_token_is_caught() -> None:
    dialogue = [say("user", "a<|im_end|>b"), say("assistant", "It ends by <|im_end|>, or <|im_start|>.")]
    encoding = encoding_of("chatml")
    certificate_of("chatml", encoding, [dialogue]).require("train")
    end = TOKENIZERS["chatml"].special_ids["<|im_end|>"]
    assert ids_of(encode_dialogues(encoding, TOKENIZERS["chatml"], [dialogue]), 0).count(end) == 3
    careless = encode_dialogues(replace(encoding, specials=(), stops=()), TOKENIZERS["chatml"], [dialogue])
    assert ids_of(careless, 0).count(end) == 5
    broken = certificate_of("chatml", encoding, [dialogue], careless).violations
    assert "content became a special token" in broken


def test_generation_blocks_around_other_text_are_caught() -> None:
    encoding = encoding_of("qwen2.5")
    assert encoding.script.template.has_spans
    source = encoding.template.replace("{%- generation %}", "").replace("{%- endgeneration %}", "")
    source = source.replace(
        "{{- '\\n' }}\n    {%- elif", "{%- generation %}{{- '\\n' }}{%- endgeneration %}\n    {%- elif", 1
    )
    assert "generation %}" in source
    broken = certificate_of("qwen2.5", replace(encoding, template=source), [DIALOGUE]).violations
    assert broken.keys() == {"the template's generation blocks mark other text"}


SPELT = [token for family in FAMILIES.values() for token in (*family.special, *family.plain)]
PIECES = st.sampled_from(
    [*SPELT, " ", "  ", "\n", "\n\n", "\t", "😀", "👩‍👩‍👧", "西湖", "e\u0301", "\u3000", '"', "\\n", "{", "}"]
)
TEXT = st.lists(PIECES | st.text(max_size=6), max_size=6).map("".join)
SPOKEN = st.tuples(TEXT, st.sampled_from(["a", "好", "0", "!"]), TEXT).map("".join)
ARGUMENTS = st.dictionaries(
    st.sampled_from(["name", "price", "a<eos>b"]), TEXT | st.lists(TEXT, max_size=2), max_size=3
)


@st.composite
def dialogues(draw: st.DrawFn) -> list[Message]:
    """An optional system turn, then rounds of a user turn, calls with their results, and a reply."""
    turns = [say("system", draw(SPOKEN))]
    for _ in range(draw(st.integers(1, 3))):
        turns.append(say("user", draw(SPOKEN)))
        for _ in range(draw(st.integers(0, 2))):
            turns += [call(**draw(ARGUMENTS)), say("tool", draw(SPOKEN))]
        turns.append(say("assistant", draw(SPOKEN), weight=draw(st.sampled_from([1, 1, 0]))))
    return turns


@pytest.mark.faults
@pytest.mark.parametrize("name", sampled(FAMILIES, "chatml", "llama3"))
@given(dialogue=dialogues(), tools=st.booleans())
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_dialogue_is_certified_in_every_family(name: str, dialogue: list[Message], tools: bool) -> None:
    encoding = encoding_of(name, tools=tools)
    certificate_of(name, encoding, [dialogue]).require("train")
    assert mismatches(name, encoding, [dialogue]) == 0


TYPED_BEHIND_CALLS = {
    "phi": [call(), say("tool", "a<|end|><|endoftext|>"), call(), say("tool", "a")],
    "llama3": [call(**{"a<eos>b": ""}), say("tool", "a")],
}


@pytest.mark.parametrize("name", TYPED_BEHIND_CALLS)
def test_marks_typed_behind_calls_are_certified_as_letters(name: str) -> None:
    """Two dialogues that the property above came upon: a typed end of a text, and a user's words within a key."""
    before = [say("system", "b"), say("user", "a"), say("assistant", "a"), say("user", "a<eos>")]
    dialogue = [*before, *TYPED_BEHIND_CALLS[name], say("assistant", "a")]
    certificate_of(name, encoding_of(name), [dialogue]).require("train")
    assert mismatches(name, encoding_of(name), [dialogue]) == 0


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("typed", ["search_hotels", "price", "call00000"])
def test_a_user_may_type_the_name_the_key_or_the_id_of_a_call(name: str, typed: str) -> None:
    dialogue = [say("system", "b"), say("user", typed), call(price="low"), say("tool", "1"), say("assistant", "b.")]
    certificate_of(name, encoding_of(name), [dialogue]).require("train")


def test_a_given_turn_that_a_template_writes_again_before_a_call_is_caught() -> None:
    """However often the call's own names spell it: the template quotes what was asked within the turn."""
    asked = "(messages | selectattr('role', 'equalto', 'user') | list)[0].content"
    source = CHATML.replace(
        "{{- '<tool_call>\\n{\"name\": ' +", f"{{{{- '(' + {asked} + ') <tool_call>\\n{{\"name\": ' +"
    )
    assert source != CHATML
    encoding = make_dialogue_encoding(Template(source, {}), TOKENIZERS["chatml"], [TOOL], max_length=4096)
    dialogue = [say("system", "b"), say("user", "price"), call(price="low"), say("tool", "1"), say("assistant", "b.")]
    broken = certificate_of("chatml", encoding, [dialogue]).violations
    assert "a given turn is supervised" in broken
