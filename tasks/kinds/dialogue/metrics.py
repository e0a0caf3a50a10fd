"""Generated turns and the true ones -> F1 of arguments, exact calls, BLEU, ROUGE-L, ends, with intervals."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.dialogues.messages import Message
from ...learn.metrics import Floats
from ...learn.resampling import Metric, Resampling, divide, estimate, ratio
from ...text.text_scores import TextMeasures, score_texts, text_statistics

Argument = tuple[str, str, str]
"""Tool, argument, value."""


@dataclass(frozen=True)
class Turn:
    """A turn of the model: what it wrote after the true history, and what was due.

    dialogue: its id. position: of the turn in its dialogue. expected, written: canonical messages; a call that could
    not be read is written as a reply. ended: whether the model generated its end-of-turn token.
    """

    dialogue: str
    position: int
    expected: Message
    written: Message
    ended: bool


def score_turns(turns: Sequence[Turn], how: Resampling) -> TextMeasures:
    """Scores of written turns, each with an `_interval` over dialogues; None where nothing is there to be scored.

    argument_f1: F1 over the arguments of all calls together (micro, as MultiWOZ and CrossWOZ score inform slots); an
    argument counts as found where tool, name and value are all the same, in the same turn. call_exact: share of the
    due calls that are written with the same tools and arguments. call_recall: share of the due calls at which any call
    is written; call_precision: share of the written calls that were due. end_of_turn: share of turns with an end token.
    reply_exact, reply_bleu, reply_rouge_l: of the replies' texts (see `score_texts`), a call in place of one being an
    empty text. Also counts. Raises DataError without the extra `chat`.
    """
    due, called = _called(turns)
    facts: TextMeasures = {"dialogues": len({turn.dialogue for turn in turns}), "turns": len(turns)}
    facts |= {"calls_due": sum(due), "calls_written": sum(called), "ended": sum(turn.ended for turn in turns)}
    groups = [turn.dialogue for turn in turns]
    for name, (columns, metric) in _statistics(turns).items():
        facts |= estimate([np.asarray(column, float) for column in columns], metric, how, groups).facts(name)
    return facts | {f"reply_{name}": value for name, value in _replies(turns, how).items()}


def turn_statistics(turns: Sequence[Turn], score: str) -> tuple[list[Any], Metric] | None:
    """What a score of `score_turns` is a function of: columns of a value per turn, and the metric of their sums.

    A turn that has no part in it counts 0. None for a score that is no such function. Raises DataError without the
    extra `chat`.
    """
    if not score.startswith("reply_"):
        return _statistics(turns).get(score)
    replies = np.array([not turn.expected.get("tool_calls") for turn in turns])
    statistics = text_statistics(score.removeprefix("reply_"), *_reply_texts(turns))
    if statistics is None:
        return None
    columns, metric = statistics
    spread = np.zeros((len(columns), len(turns)))
    spread[:, replies] = np.stack([np.asarray(column, float) for column in columns])
    return list(spread), metric


def _called(turns: Sequence[Turn]) -> tuple[list[bool], list[bool]]:
    """Whether a call is due, and whether one is written."""
    due, called = ([bool(message.get("tool_calls")) for message in side] for side in _sides(turns))
    return due, called


def _statistics(turns: Sequence[Turn]) -> dict[str, tuple[list[Any], Metric]]:
    due, called = _called(turns)
    expected, written = ([arguments(message) for message in side] for side in _sides(turns))
    exact = [a and _calls(turn.expected) == _calls(turn.written) for a, turn in zip(due, turns, strict=True)]
    common_arguments = [len(a & b) for a, b in zip(expected, written, strict=True)]
    return {
        "argument_f1": ([common_arguments, [*map(len, expected)], [*map(len, written)]], f1),
        "call_exact": ([exact, due], ratio),
        "call_recall": ([np.logical_and(due, called), due], ratio),
        "call_precision": ([np.logical_and(due, called), called], ratio),
        "end_of_turn": ([[turn.ended for turn in turns], np.ones(len(turns))], ratio),
    }


def _sides(turns: Sequence[Turn]) -> tuple[list[Message], list[Message]]:
    return [turn.expected for turn in turns], [turn.written for turn in turns]


def _replies(turns: Sequence[Turn], how: Resampling) -> TextMeasures:
    replies = [turn.dialogue for turn in turns if not turn.expected.get("tool_calls")]
    return score_texts(*_reply_texts(turns), how, replies)


def _reply_texts(turns: Sequence[Turn]) -> tuple[list[str], list[str]]:
    """Due and written texts of the turns in which a reply is due."""
    replies = [turn for turn in turns if not turn.expected.get("tool_calls")]
    written = ["" if turn.written.get("tool_calls") else turn.written["content"] for turn in replies]
    return [turn.expected["content"] for turn in replies], written


def arguments(message: Message) -> frozenset[Argument]:
    """Tool, name and value of each argument of a message's calls; of a reply none.

    A list is several values of its argument, an object's fields are arguments of their own (`price.most`), and what is
    empty (null, "", [], {}) is no value. Values are compared as text, without white space at the ends.
    """
    return frozenset(argument for call in _functions(message) for argument in _call_arguments(call))


def f1(sums: Floats) -> Floats:
    """2 * found / (expected + written), of sums [..., 3]; NaN where nothing is expected."""
    scored = divide(2 * sums[..., 0], sums[..., 1] + sums[..., 2])
    return np.where(sums[..., 1] == 0, np.nan, scored)


def _calls(message: Message) -> Counter[tuple[str, frozenset[Argument]]]:
    """A message's calls in any order."""
    return Counter((call["name"], frozenset(_call_arguments(call))) for call in _functions(message))


def _functions(message: Message) -> list[dict[str, Any]]:
    return [call["function"] for call in message.get("tool_calls") or ()]


def _call_arguments(function: dict[str, Any]) -> Iterator[Argument]:
    for name, value in _leaves("", function["arguments"]):
        yield function["name"], name, value


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            own = str(name).replace("\\", r"\\").replace(".", r"\.")  # a key with a dot in it is no object in an object
            yield from _leaves(f"{path}.{own}" if path else own, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(path, inner)
    else:
        text = value.strip() if isinstance(value, str) else json.dumps(value)
        if value is not None and text:
            yield path, text
