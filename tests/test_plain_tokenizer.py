"""What a plain folder's tokenizer and chat template make of rows: the ids that Temper gives the model, in every family.

transformers reads the tokenizer back from files, without Temper's encoding. The whole path, weights included, is in
test_export_plain.py.
"""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from chat_families import FAMILIES, TOOL, tokenizer_of
from registered import IDS, WORDS
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer

from tasks.data.dialogues.messages import Message
from tasks.data.errors import DataError
from tasks.export.plain.plain_tokenizer import plain_tokenizer
from tasks.export.plain.questions import ask
from tasks.export.plain.template import self_contained
from tasks.kinds.spec import open_kind
from tasks.text.chat.encoding import DialogueEncoding, prompt
from tasks.text.chat.make_encoding import make_dialogue_encoding
from tasks.text.encoding import Encoding
from tasks.text.pairs import pair_form
from tasks.text.tokenizer import TextTokenizer
from tasks.text.tokenizer import plain_tokenizer as temper_tokenizer

TOKENIZERS = {name: tokenizer_of(family) for name, family in FAMILIES.items()}
ASKED: list[Message] = [{"role": "user", "content": "One near 西湖?\n"}]
LONG: list[Message] = [
    {"role": "system", "content": 'You find hotels, or {{ "none" }}.'},
    *ASKED,
    {"role": "assistant", "content": "How about 湖滨?"},
    {"role": "user", "content": "  Fine 😀"},
]
SYSTEM = "Say \"yes\" or 'no' {%- if x %}\n\\n…😀"


def read_back(name: str, encoding: DialogueEncoding, folder: Path) -> Any:
    """The tokenizer of an encoding as transformers reads it from its files."""
    TOKENIZERS[name].save(folder)
    predictor = SimpleNamespace(encoding=encoding)
    source = self_contained(encoding)
    plain_tokenizer(predictor, folder, typed=False, marked=True, chat_template=source).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def ids_of(tokenizer: Any, encoding: DialogueEncoding, messages: list[Message]) -> list[int]:
    given = [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in messages]
    shown = given if encoding.manners.parts else messages
    ids: list[int] = tokenizer.apply_chat_template(shown, add_generation_prompt=True, return_dict=True)["input_ids"]
    return ids


def made(name: str, **options: Any) -> DialogueEncoding:
    """An encoding of a family with tools and a system text of the recipe's, as far as its template has them."""
    for tools in ([TOOL], []):
        for system in (SYSTEM, None):
            try:
                return make_dialogue_encoding(
                    FAMILIES[name].template, TOKENIZERS[name], tools, system=system, max_length=4096, **options
                )
            except DataError:
                continue
    raise AssertionError(name)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_template_alone_writes_what_training_had(name: str, tmp_path: Path) -> None:
    """The recipe's tools and system text included, also where the template has no system turn."""
    encoding = made(name)
    tokenizer = read_back(name, encoding, tmp_path)
    for messages in (ASKED, LONG):
        assert ids_of(tokenizer, encoding, messages) == list(prompt(encoding, TOKENIZERS[name], messages))


def test_a_template_without_the_recipes_tools_has_other_ids(tmp_path: Path) -> None:
    """The fault that the check of tokens is for: a template as it stands on a model's page."""
    encoding = made("qwen2.5")
    assert encoding.tools and encoding.system
    tokenizer = read_back("qwen2.5", encoding, tmp_path)
    tokenizer.chat_template = encoding.template
    assert ids_of(tokenizer, encoding, ASKED) != list(prompt(encoding, TOKENIZERS["qwen2.5"], ASKED))


def test_options_and_the_clock_are_in_the_template(tmp_path: Path) -> None:
    encoding = made("qwen3", template_options={"enable_thinking": False})
    plain = read_back("qwen3", encoding, tmp_path)
    assert ids_of(plain, encoding, ASKED) == list(prompt(encoding, TOKENIZERS["qwen3"], ASKED))
    other = replace(encoding, template_options={})
    assert self_contained(other) in self_contained(encoding) != self_contained(other)
    dated = replace(encoding, template="{{ strftime_now('%Y') }}" + encoding.template)
    assert ids_of(read_back("qwen3", dated, tmp_path), dated, ASKED) == list(prompt(dated, TOKENIZERS["qwen3"], ASKED))


def words() -> TextTokenizer:
    backend = Tokenizer(models.WordLevel(IDS, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return temper_tokenizer(backend, {"cls": IDS["[CLS]"], "sep": IDS["[SEP]"], "pad": 0})


@pytest.mark.parametrize("truncation", ["longest_first", "second_only"])
def test_pairs_have_their_separators_types_and_truncation(truncation: Any, tmp_path: Path) -> None:
    tokenizer = words()
    form = pair_form(tokenizer, truncation)
    special = {"cls": IDS["[CLS]"], "sep": IDS["[SEP]"]}
    encoding = Encoding("classifier", ("no", "yes"), (), special, 16, "longest", 0, pair=form)
    tokenizer.save(tmp_path)
    predictor = SimpleNamespace(
        encoding=encoding, inputs=lambda texts: inputs_of(encoding, tokenizer, texts), tokenizer=tokenizer
    )
    plain_tokenizer(predictor, tmp_path, typed=True, marked=False).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    plain = AutoTokenizer.from_pretrained(tmp_path)
    texts = ["good row", "never again [SEP] bad " * 4, " ".join(WORDS[5:16])]
    pairs = [{"text": a, "text_pair": b} for a in texts for b in texts if truncation != "second_only" or a == texts[0]]
    for question in ask(open_kind("classifier"), predictor, pd.DataFrame({"content": pairs}), 1):
        given = question.given
        both = plain(given["text"], given["text_pair"], truncation=given["truncation"])
        assert (both["input_ids"], both["token_type_ids"]) == (question.ids, question.types)


def inputs_of(encoding: Encoding, tokenizer: TextTokenizer, texts: Any) -> Any:
    from tasks.text.scoring import one_batch

    return one_batch(encoding.encode(tokenizer, texts), encoding.pad_id)
