"""A model's encoding and tokenizer -> the tokenizer as transformers has it, which adds what Temper adds to a row."""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerFast

from ...text.pairs import PairForm
from ...text.token_types import TYPE_IDS
from ...text.tokenizer import FILE

ROLES = ("bos", "eos", "unk", "cls", "sep", "mask")
INPUTS = ("input_ids", "attention_mask")


def plain_tokenizer(
    predictor: Any, folder: Path, *, typed: bool, marked: bool, chat_template: str | None = None
) -> PreTrainedTokenizerFast:
    """The tokenizer of a predictor whose files lie in `folder`. typed: whether the model reads token types; marked:
    whether special tokens spelt in a text are those tokens."""
    encoding = predictor.encoding
    backend = Tokenizer.from_file(str(folder / FILE))
    backend.no_truncation()
    backend.no_padding()
    names = {f"{role}_token": backend.id_to_token(encoding.special[role]) for role in ROLES if role in encoding.special}
    if chat_template is None:
        backend.post_processor = frame_of(backend, encoding)
    else:
        known = {f"{role}_token" for role in ROLES}
        names |= {name: text for name, text in encoding.texts.items() if name in known and isinstance(text, str)}
    own = {} if chat_template is None else {"chat_template": chat_template}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=backend.id_to_token(encoding.pad_id),
        model_max_length=encoding.max_length,
        padding_side="right" if chat_template is None else "left",
        truncation_side="right" if chat_template is None else "left",
        split_special_tokens=not marked,
        clean_up_tokenization_spaces=False,
        model_input_names=[*INPUTS, *([TYPE_IDS] if typed else [])],
        **names,
        **own,
    )


def frame_of(backend: Tokenizer, encoding: Any) -> processors.TemplateProcessing:
    """What puts special tokens around one text, and around two where the model reads pairs."""
    special = encoding.special
    before, after = ([special["cls"]], [special["sep"]]) if "cls" in special else ([], [special["eos"]])
    form: PairForm | None = getattr(encoding, "pair", None)
    single = [*_tokens(backend, before, [0]), "$A:0", *_tokens(backend, after, [0])]
    used = {*before, *after}
    if form is None:
        return processors.TemplateProcessing(single=single, pair=None, special_tokens=_named(backend, used))
    b, m = len(form.before), len(form.between)
    pair = [
        *_tokens(backend, form.before, form.types[:b]),
        f"$A:{form.types[b]}",
        *_tokens(backend, form.between, form.types[b + 1 : b + 1 + m]),
        f"$B:{form.types[b + 1 + m]}",
        *_tokens(backend, form.after, form.types[b + 2 + m :]),
    ]
    used |= {*form.before, *form.between, *form.after}
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=_named(backend, used))


def _tokens(backend: Tokenizer, ids: Any, types: Any) -> list[str]:
    """Pieces of a template, each with its type; one type stands for all."""
    given = list(types) * len(ids) if len(types) == 1 else types
    return [f"{backend.id_to_token(number)}:{kind}" for number, kind in zip(ids, given, strict=True)]


def _named(backend: Tokenizer, ids: set[int]) -> list[tuple[str, int]]:
    return [(str(backend.id_to_token(number)), number) for number in sorted(ids)]
