"""A chat template, a tokenizer and tools -> DialogueEncoding; what the template cannot do is stated at once."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, TypedDict, Unpack

from ...data.dialogues.messages import Message
from ...data.errors import DataError
from ..tokenizer import TextTokenizer
from .chat_template import CHATML, CHATML_TOKENS, Template
from .encoding import DialogueEncoding
from .end_of_turn import Ending, Kind
from .template_properties import Manners, learn

SYSTEM, USER = "Vardim", "Quoz"
"""Words of the probes."""


class Options(TypedDict, total=False):
    """Fields of DialogueEncoding that a recipe sets."""

    system: str | None
    train_on: tuple[Kind, ...]
    turns: Literal["all", "last"]
    max_length: int
    padding: Literal["longest", "max_length"]
    packing: bool
    pad_id: int
    new_tokens: tuple[int, ...]
    template_options: dict[str, Any]


def make_dialogue_encoding(
    template: Template, tokenizer: TextTokenizer, tools: Sequence[Message] = (), **options: Unpack[Options]
) -> DialogueEncoding:
    """Learn by probes how the template ends turns and takes system turns and tools. Raises DataError."""
    specials = tuple(tokenizer.special_ids)
    if template.source == CHATML:
        _need_chatml(specials)
    texts = _texts(tokenizer) | template.texts
    template = replace(template, texts=texts, options=options.get("template_options", {})).in_form()
    endings, manners = learn(template, tools, specials, texts.get("eos_token"))
    takes_system = _takes_system(template, tools)
    if tools:
        _need_tools(template, tools, manners if "call" not in endings else None, takes_system)
    special = tokenizer.special
    chosen: Options = {
        "system": None,
        "train_on": ("assistant", "call", "thoughts"),
        "turns": "all",
        "max_length": 1024,
        "padding": "longest",
        "packing": False,
        "pad_id": special.get("pad", special.get("eos", 0)),
        **options,
    }
    return DialogueEncoding(
        template=template.source,
        texts=template.texts,
        specials=specials,
        endings=endings,
        tools=tuple(tools),
        system_in_user=not takes_system,
        end_ids=(end_ids := _end_ids(tokenizer, endings)),
        special=dict(special),
        manners=manners,
        named=tuple(tokenizer.texts),
        stops=tuple(text for text, number in tokenizer.special_ids.items() if number in end_ids),
        **chosen,
    )


def _texts(tokenizer: TextTokenizer) -> dict[str, Any]:
    """The special tokens by the names that templates use, as transformers hands them over where it knows them."""
    by_id = {number: text for text, number in tokenizer.special_ids.items()}
    named = {f"{role}_token": by_id[number] for role, number in tokenizer.special.items() if number in by_id}
    return named | dict(tokenizer.texts)


def _need_chatml(specials: Sequence[str]) -> None:
    lacking = [token for token in CHATML_TOKENS if token not in specials]
    if lacking:
        raise DataError(
            f"the built-in chat template needs the special token {lacking[0]}, which this tokenizer has not; "
            "add it to the tokenizer or give a template of the model's own"
        )


def _need_tools(template: Template, tools: Sequence[Message], lacking_calls: Manners | None, system: bool) -> None:
    turns = [{"role": "system", "content": SYSTEM}] * system + [{"role": "user", "content": USER}]
    text = template.render(turns, tools, generation=True)
    lacking = [name for tool in tools if (name := tool["function"]["name"]) not in text]
    if lacking:
        raise DataError(
            f"the chat template does not write the tool {lacking[0]!r}; take the model's template for tools, or chatml"
        )
    if lacking_calls is not None:
        raise DataError(lacking_calls.no_calls)


def _takes_system(template: Template, tools: Sequence[Message]) -> bool:
    """Whether a system turn is written; where it is refused or left out, the first user turn carries it."""
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]
    try:
        return SYSTEM in template.render(turns, tools, generation=True)
    except DataError:  # Gemma's way of having no system turn
        return False


def _end_ids(tokenizer: TextTokenizer, endings: dict[str, Ending]) -> tuple[int, ...]:
    """The ids that end a turn, and the tokenizer's own eos behind them, which models may write as well."""
    tokens = tokenizer.marked_ids([ending.token for ending in endings.values()])
    odd = next((ending.token for ending, ids in zip(endings.values(), tokens, strict=True) if len(ids) != 1), None)
    if odd is not None:
        raise DataError(
            f"the end of a turn, {odd!r}, is not one token of the tokenizer; take the tokenizer that belongs to the "
            "template, or chatml, which adds its own"
        )
    eos = [tokenizer.special["eos"]] if "eos" in tokenizer.special else []
    return tuple(dict.fromkeys([*(ids[0] for ids in tokens), *eos]))
