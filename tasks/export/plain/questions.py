"""Test rows -> the same as questions for plain transformers, and the ids that Temper gives the model for each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ...data.dialogues.messages import Message
from ...data.pairs import TEXT, TEXT_PAIR
from ...kinds.spec import Kind
from ...text.chat.chat_template import in_parts, without_content
from ...text.chat.encoding import TooLongError, prompt
from ...text.chat.template_input import compose
from ...text.token_types import TYPE_IDS

OPEN = 2**31 - 1
"""Tokens, where no length is in the way."""
LONGER, SPELT = "longer than the model reads", "spells a special token"


@dataclass(frozen=True)
class Question:
    """given: as program.py takes it. ids, types: what Temper gives the model. why: the reason for which plain
    transformers would be given something else, so that it is not asked; empty where it is."""

    given: Mapping[str, Any]
    ids: list[int]
    types: list[int] | None = None
    why: str = ""


def ask(kind: Kind, predictor: Any, rows: pd.DataFrame, most: int) -> list[Question]:
    """The questions of a kind's rows (as `Origin.asked` has them). most: tokens that a writer may write."""
    if kind.chats:
        questions = [_dialogue(predictor, messages, most) for messages in histories(rows)]
    elif kind.exports:
        questions = [_text(kind, predictor, content) for content in rows["content"]]
    else:
        questions = [_source(predictor, text, most) for text in rows["content"]]
    if not reads_marks(kind):
        return questions
    marks = tuple(predictor.tokenizer.special_ids)
    spelt = [any(mark in content for mark in marks) for content in rows["content"]]
    return [
        replace(question, why=question.why or SPELT) if marked else question
        for question, marked in zip(questions, spelt, strict=True)
    ]


def reads_marks(kind: Kind) -> bool:
    """Whether a plain tokenizer must take special tokens spelt in a text for those tokens: chat templates and masks are
    written so. Temper itself takes what a person types for letters."""
    return kind.chats or kind.masks


def histories(rows: pd.DataFrame) -> list[list[Message]]:
    """What precedes the turn of each row: its own, or the last of its dialogue."""
    turns = rows["turn"] if "turn" in rows else [-1] * len(rows)
    return [json.loads(text)[:turn] for text, turn in zip(rows["content"], turns, strict=True)]


def _dialogue(predictor: Any, messages: Sequence[Message], most: int) -> Question:
    """A turn to write; the messages as OpenAI's interface has them, in the form that the template reads."""
    encoding = predictor.encoding
    composed = compose(
        messages, range(len(messages)), system=None, system_in_user=False, any_id=encoding.manners.any_id
    )
    shaped = composed.messages
    if encoding.manners.null_content:
        shaped = list(map(without_content, shaped))
    if encoding.manners.parts:
        shaped = list(map(in_parts, shaped))
    given = {"messages": shaped, "tools": list(composed.tools) if composed.tools else None, "most": most}
    whole = list(prompt(replace(encoding, max_length=OPEN), predictor.tokenizer, messages))
    try:
        fits = list(predictor.prompt(messages, most)) == whole
    except TooLongError:
        fits = False
    return Question(given, whole, why="" if fits else LONGER)


def _text(kind: Kind, predictor: Any, content: Any) -> Question:
    """A text, or a pair, that a net scores in one pass."""
    pair = getattr(predictor.encoding, "pair", None)
    both = {TEXT: content[TEXT], TEXT_PAIR: content[TEXT_PAIR]} if pair else {TEXT: content}
    cut = "only_second" if pair and pair.truncation == "second_only" else "longest_first"
    given = {**both, "truncation": cut}
    if kind.masks:  # whose inputs hide some of the tokens
        return Question(given, predictor.encoding.encode(predictor.tokenizer, [content]).ids.tolist())
    inputs = predictor.inputs([content])
    if len(inputs["input_ids"]) != 1:
        return Question(given, [], why=LONGER)
    there = np.asarray(inputs["attention_mask"][0], bool)
    types = inputs[TYPE_IDS][0][there].tolist() if TYPE_IDS in inputs else None
    return Question(given, inputs["input_ids"][0][there].tolist(), types)


def _source(predictor: Any, text: str, most: int) -> Question:
    """A text that an encoder reads and a decoder answers."""
    given = {TEXT: predictor.encoding.prefix + text, "truncation": "longest_first", "most": most}
    return Question(given, predictor.encoding.encode(predictor.tokenizer, [text]).ids.tolist())
