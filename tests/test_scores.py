"""Scores of written texts, turns, numbers and tokens: by hand, against the published libraries, on planted faults."""

import math
import re
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from tasks.data.errors import DataError
from tasks.kinds.dialogue.metrics import Turn, arguments, score_turns
from tasks.kinds.masked_lm.metrics import score_tokens
from tasks.kinds.regression.metrics import score_numbers, spearman
from tasks.learn.resampling import Resampling, estimate, ratio
from tasks.text.text_scores import Words, bleu, bleu_statistics, bleu_tokens, rouge_l, score_texts

HOW = Resampling(resamples=200, confidence=0.9, seed=1)
ENGLISH = ["the cat sat on the mat", "a hotel near the river", "no", "it costs 400 a night, breakfast included"]
WRITTEN = ["the cat sat on a mat", "the hotel is near the river", "", "it costs 450 a night, with breakfast"]
CHINESE = ["北京贵都大酒店，价格450元。", "有免费 WiFi 和停车场", "好的，再见！"]
ANSWERED = ["北京贵都酒店，价格是450元。", "有 WiFi", "好的，再见！"]


def call(**arguments: Any) -> dict[str, Any]:
    return calls(("search_hotels", arguments))


def calls(*named: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    made = [{"type": "function", "function": {"name": name, "arguments": values}} for name, values in named]
    return {"role": "assistant", "content": "", "tool_calls": made}


def reply(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def turn(expected: dict[str, Any], written: dict[str, Any], dialogue: str = "a", ended: bool = True) -> Turn:
    return Turn(dialogue, 1, expected, written, ended)


def test_arguments_of_a_call() -> None:
    message = call(
        name="贵都 ", price={"most": 400, "least": None}, facilities=["wifi", "spa", "wifi"], type="", rating=[]
    )
    named = {("name", "贵都"), ("price.most", "400"), ("facilities", "wifi"), ("facilities", "spa")}
    assert arguments(message) == {("search_hotels", *slot) for slot in named}
    assert arguments(reply("no")) == frozenset()


def test_turns_by_hand() -> None:
    turns = [
        turn(call(type="a", price="1", facilities=["x", "y"]), call(price="1", type="a", facilities=["y", "x"])),
        turn(call(type="a", price="1"), call(type="b", price="1", name="n"), "b"),  # 1 of 2 found, 3 written
        turn(call(type="a"), reply("which price?"), "b", ended=False),
        turn(reply("fine hotel"), call(type="a"), "c"),
        turn(reply("fine hotel"), reply("fine hotel "), "c"),
    ]
    found = score_turns(turns, HOW)
    assert {name: found[name] for name in ("dialogues", "turns", "calls_due", "calls_written", "ended")} == {
        "dialogues": 3,
        "turns": 5,
        "calls_due": 3,
        "calls_written": 3,
        "ended": 4,
    }
    assert found["argument_f1"] == 2 * 5 / (7 + 8)
    assert found["call_exact"] == pytest.approx(1 / 3)
    assert found["call_recall"] == found["call_precision"] == pytest.approx(2 / 3)
    assert found["end_of_turn"] == 0.8
    assert (found["reply_texts"], found["reply_empty"], found["reply_exact_match"]) == (2, 1, 0.5)
    assert found["reply_rouge_l"] == 0.5
    for name in ("argument_f1", "call_exact", "call_recall", "end_of_turn"):
        low, high = found[f"{name}_interval"]
        assert low <= found[name] <= high


ELSEWHERE = calls(("book", {"type": "a", "price": "400"}))


@pytest.mark.parametrize(
    ("fault", "falls"),
    [
        (
            lambda t: turn(t.expected, call(type="400", price="a") if t.expected["content"] == "" else t.written),
            {"argument_f1": 0, "call_exact": 0},
        ),
        (lambda t: turn(t.expected, t.written, ended=False), {"end_of_turn": 0}),
        (
            lambda t: turn(t.expected, reply("")),
            {
                "argument_f1": 0,
                "call_exact": 0,
                "call_recall": 0,
                "reply_bleu": 0,
                "reply_rouge_l": 0,
                "reply_exact_match": 0,
                "call_precision": None,
            },
        ),
        (lambda t: turn(t.expected, call(type="a", price="400")), {"call_precision": 0.5, "reply_bleu": 0}),
        (
            lambda t: turn(t.expected, t.written if t.expected["content"] else ELSEWHERE),
            {"argument_f1": 0, "call_exact": 0},
        ),
    ],
    ids=["swapped values", "no end of turn", "empty answers", "calls alone", "another tool"],
)
def test_a_planted_fault_lowers_its_scores_and_no_other(fault: Any, falls: dict[str, float | None]) -> None:
    right = [turn(one, one) for one in (call(type="a", price="400"), reply("a fine hotel by the river"))]
    best = score_turns(right, HOW)
    scores = ["argument_f1", "call_exact", "call_recall", "call_precision", "end_of_turn", "reply_exact_match"]
    assert [best[name] for name in scores] == [1] * 6
    assert best["reply_bleu"] == pytest.approx(100) and best["reply_rouge_l"] == 1
    found = score_turns([fault(one) for one in right], HOW)
    assert {name: found[name] for name in falls} == falls
    if "call_recall" not in falls:
        assert found["call_recall"] == 1
    if "end_of_turn" not in falls:
        assert found["end_of_turn"] == 1


def test_what_is_not_there_has_no_score() -> None:
    talk = score_turns([turn(reply("yes"), reply("yes"))], HOW)
    assert [
        talk[name] for name in ("argument_f1", "argument_f1_interval", "call_exact", "call_recall", "call_precision")
    ] == [None] * 5
    assert (talk["reply_exact_match"], talk["reply_exact_match_interval"]) == (1, None), "of one dialogue no spread"
    searches = score_turns([turn(call(type="a"), call(type="a"))], HOW)
    assert [searches[f"reply_{name}"] for name in ("exact_match", "bleu", "rouge_l", "bleu_interval")] == [None] * 4
    nothing = score_turns([], HOW)
    assert nothing["end_of_turn"] is None and nothing["turns"] == 0
    bare = score_turns([turn(calls(("stop", {})), calls(("stop", {})))] * 2, HOW)
    assert (bare["argument_f1"], bare["call_exact"]) == (None, 1)


def test_two_calls_in_one_turn_in_any_order() -> None:
    both = [("find", {"a": "1"}), ("book", {"b": "2"})]
    assert score_turns([turn(calls(*both), calls(*both[::-1]))], HOW)["call_exact"] == 1
    twice = score_turns([turn(calls(*both), calls(*both, both[0]))], HOW)
    assert (twice["call_exact"], twice["argument_f1"]) == (0, 1)


@pytest.mark.parametrize(("expected", "written", "tokens"), [(ENGLISH, WRITTEN, "13a"), (CHINESE, ANSWERED, "zh")])
def test_texts_as_the_published_libraries_score_them(expected: list[str], written: list[str], tokens: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu import corpus_bleu

    found = score_texts(expected, written, HOW)
    assert found["bleu_tokenizer"] == tokens
    assert found["bleu"] == pytest.approx(corpus_bleu(written, [expected], tokenize=tokens).score)
    own = RougeScorer(["rougeL"], tokenizer=Words() if tokens == "zh" else None)
    wanted = [own.score(a, b)["rougeL"].fmeasure for a, b in zip(expected, written, strict=True)]
    assert rouge_l(expected, written).tolist() == wanted
    assert found["rouge_l"] == pytest.approx(np.mean(wanted))
    assert found["exact_match"] == (1 / 3 if tokens == "zh" else 0)
    assert found["empty"] == (0 if tokens == "zh" else 1)


def test_rouge_by_hand_in_chinese() -> None:
    assert Words().tokenize("有Free WiFi，450元。") == ["有", "free", "wifi", "450", "元"]
    assert rouge_l(["我要订酒店"], ["我想订个酒店"]).tolist() == [pytest.approx(2 * 4 / (5 + 6))]
    from rouge_score.rouge_scorer import RougeScorer

    assert RougeScorer(["rougeL"]).score("我要订酒店", "我要订酒店")["rougeL"].fmeasure == 0, (
        "why it has another tokeniser"
    )


def test_bleu_by_hand() -> None:
    sums = np.array([9, 10, 8, 6, 4, 0, 9, 8, 7, 6], float)
    logs = [math.log(8 / 9), math.log(6 / 8), math.log(4 / 7), math.log(0.5 / 6)]
    assert bleu(sums) == pytest.approx(100 * math.exp(sum(logs) / 4 + 1 - 10 / 9))
    assert bleu(np.zeros(10)).item() != bleu(np.zeros(10)).item(), "nothing expected: NaN"


texts = st.lists(st.text("ab 北京", max_size=9), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(texts, st.data())
def test_bleu_is_sacrebleu_s_of_any_texts(expected: list[str], data: st.DataObject) -> None:
    from sacrebleu import corpus_bleu

    written = data.draw(st.lists(st.text("ab 北京", max_size=9), min_size=len(expected), max_size=len(expected)))
    for tokens in ("13a", "zh", "char"):
        sums = bleu_statistics(expected, written, tokens).sum(0)
        value, wanted = float(bleu(sums)), corpus_bleu(written, [expected], tokenize=tokens).score
        assert value == pytest.approx(wanted) or (math.isnan(value) and sums[1] == 0)


@pytest.mark.parametrize(
    ("texts", "tokens"),
    [
        (ENGLISH, "13a"),
        (CHINESE, "zh"),
        (["ホテルはどこですか。東京です。"], "char"),
        (["โรงแรมอยู่ที่ไหน"], "char"),
        (["Где отель?"], "13a"),
        ([], "13a"),
        (["123"], "13a"),
        (["酒店 with english words mostly"], "13a"),
    ],
)
def test_which_tokens_bleu_counts(texts: list[str], tokens: str) -> None:
    assert bleu_tokens(texts) == tokens


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sacrebleu", "rouge_score"):
        with monkeypatch.context() as patch:
            for loaded in [key for key in sys.modules if key.partition(".")[0] == name]:
                patch.delitem(sys.modules, loaded)
            patch.setitem(sys.modules, name, None)
            message = re.escape(f"scoring written texts needs the package {name}: pip install 'temper[chat]'")
            with pytest.raises(DataError, match=message):
                score_texts(ENGLISH, WRITTEN, HOW)


def brute(values: Sequence[Sequence[float]], dialogues: Sequence[str], how: Resampling) -> tuple[float, float]:
    """A bootstrap over dialogues in plain loops, of the mean of all their values."""
    draw = np.random.default_rng(how.seed + 5)
    names = sorted(set(dialogues))
    of = {
        name: [value for value, dialogue in zip(values, dialogues, strict=True) if dialogue == name] for name in names
    }
    means = [
        np.mean(np.concatenate([of[name] for name in draw.choice(names, len(names))])) for _ in range(how.resamples)
    ]
    low, high = np.quantile(means, [(1 - how.confidence) / 2, (1 + how.confidence) / 2])
    return float(low), float(high)


def test_intervals_are_over_dialogues() -> None:
    """Turns of a dialogue that go right or wrong together: rows as units would give a far narrower interval."""
    how, draw = Resampling(4000, 0.95, 2), np.random.default_rng(0)
    luck = draw.random(40) < 0.6
    dialogues = [f"d{i}" for i in range(40) for _ in range(10)]
    right = np.repeat(luck, 10).astype(float)
    ones = np.ones(400)
    by_dialogue, by_row = (estimate([right, ones], ratio, how, groups) for groups in (dialogues, None))
    assert by_dialogue.value == by_row.value == right.mean()
    assert by_dialogue.interval == pytest.approx(brute(right, dialogues, how), abs=0.015)
    assert np.diff(by_dialogue.interval) > 2.5 * np.diff(by_row.interval)


def test_the_interval_holds_what_it_says() -> None:
    draw, held = np.random.default_rng(3), 0
    for seed in range(200):
        sizes = draw.integers(1, 8, 60)
        rates = draw.beta(4, 2, 60)
        right = draw.binomial(sizes, rates).astype(float)
        found = estimate([right, sizes.astype(float)], ratio, Resampling(400, 0.95, seed))
        low, high = found.interval
        held += low <= 4 / 6 <= high
    assert 0.90 < held / 200 <= 1


def test_intervals_repeat_and_differ_by_seed() -> None:
    first, again, other = (score_texts(ENGLISH, WRITTEN, Resampling(200, 0.95, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first["bleu_interval"] != other["bleu_interval"]


def test_numbers_by_hand_and_as_scikit_learn_and_scipy_have_them() -> None:
    truth, found = np.array([1.0, 2, 3, 6]), np.array([2.0, 2, 5, 5])
    facts = score_numbers(truth, found, HOW)
    assert facts["rmse"] == pytest.approx(math.sqrt(6 / 4)) and facts["mae"] == 1
    assert facts["r2"] == pytest.approx(1 - 6 / 14)
    assert facts["spearman"] == pytest.approx(spearmanr(truth, found).statistic)
    draw = np.random.default_rng(0)
    truth = draw.normal(1e6, 3, 500)
    found = np.round(truth + draw.normal(0, 2, 500))
    facts = score_numbers(truth, found, HOW)
    assert facts["rmse"] == pytest.approx(root_mean_squared_error(truth, found))
    assert facts["mae"] == pytest.approx(mean_absolute_error(truth, found))
    assert facts["r2"] == pytest.approx(r2_score(truth, found), rel=1e-9)
    assert facts["spearman"] == pytest.approx(spearmanr(truth, found).statistic)
    for name in ("rmse", "mae", "r2", "spearman"):
        low, high = facts[f"{name}_interval"]
        assert low < facts[name] < high


def test_a_resample_s_rank_correlation_is_scipy_s() -> None:
    draw = np.random.default_rng(1)
    truth, found = draw.integers(0, 9, 30).astype(float), draw.integers(0, 9, 30).astype(float)
    counts = draw.multinomial(30, np.full(30, 1 / 30), 20)
    wanted = [spearmanr(np.repeat(truth, row), np.repeat(found, row)).statistic for row in counts]
    assert spearman(truth, found, counts) == pytest.approx(wanted)


def test_numbers_without_spread_or_sense() -> None:
    flat = score_numbers(np.full(5, 0.1), np.arange(5.0), HOW)
    assert flat["r2"] is flat["spearman"] is None and flat["mae"] == pytest.approx(1.94)
    assert score_numbers(np.arange(5.0), np.full(5, 2.0), HOW)["spearman"] is None
    assert score_numbers(np.arange(5.0), np.full(5, 2.0), HOW)["r2"] == 0
    one = score_numbers(np.ones(1), np.zeros(1), HOW)
    assert (one["rmse"], one["rmse_interval"], one["spearman"]) == (1, None, None)
    assert score_numbers(np.empty(0), np.empty(0), HOW)["rmse"] is None
    with pytest.raises(ValueError, match="prediction of row 1 is nan"):
        score_numbers(np.zeros(2), np.array([0, np.nan]), HOW)
    with pytest.raises(ValueError, match=r"truth \(2,\) and predictions \(3,\)"):
        score_numbers(np.zeros(2), np.zeros(3), HOW)


def test_tokens_by_hand() -> None:
    found = score_tokens(np.array([math.log(2) * 3, math.log(8)]), np.array([2, 0]), np.array([3, 1]), HOW)
    assert found["perplexity"] == pytest.approx(2 ** (6 / 4)) and found["accuracy"] == 0.5 and found["tokens"] == 4
    low, high = found["perplexity_interval"]
    assert low == pytest.approx(2) and high == pytest.approx(8)
    empty = score_tokens(np.zeros(2), np.zeros(2, int), np.zeros(2, int), HOW)
    assert empty["perplexity"] is empty["accuracy"] is empty["perplexity_interval"] is None
    with pytest.raises(ValueError, match=r"row 1 has the loss 0\.0 and 3 right tokens of 2"):
        score_tokens(np.zeros(2), np.array([0, 3]), np.array([1, 2]), HOW)
    with pytest.raises(ValueError, match="must all be"):
        score_tokens(np.zeros(2), np.zeros(3, int), np.zeros(2, int), HOW)
