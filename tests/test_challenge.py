"""A challenger against the champion on the same rows: what the paired test says, how often it errs, what N is worth."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import binomtest, norm
from sklearn.metrics import f1_score

from tasks.data.errors import DataError
from tasks.kinds.outcomes import align, changed, outcomes
from tasks.learn.champion_test import Contest, Rule, contest, slices, student_interval, tango
from tasks.learn.resampling import Outcomes, Resampling, ratio

HOW = Resampling(500, 0.95, 0)
BETTER, NOT_WORSE = Rule(HOW), Rule(HOW, 0.02)


def side(right: object) -> Outcomes:
    values = np.asarray(right, float)
    return Outcomes(np.stack([values, np.ones(len(values))], axis=1), ratio)


def shares(rows: int, fixed: int, broken: int, rule: Rule = BETTER) -> Contest:
    """The challenger fixes some rows and breaks some; the rest both get right."""
    new, old = np.ones(rows), np.ones(rows)
    old[:fixed], new[fixed : fixed + broken] = 0, 0
    return contest(side(new), side(old), rule)


def drawn(rows: int, gained: float, lost: float, seed: int) -> tuple[Outcomes, Outcomes]:
    """Rows that the challenger fixes, breaks, or answers as the champion does, drawn with these probabilities."""
    kind = np.random.default_rng(seed).choice(3, rows, p=(gained, lost, 1 - gained - lost))
    return side(kind != 1), side(kind != 0)


@pytest.mark.parametrize(
    ("fixed", "broken", "finding"),
    [(40, 10, "better"), (10, 40, "worse"), (20, 20, "undecided"), (0, 0, "undecided"), (5, 0, "undecided")],
)
def test_planted_differences_are_found(fixed: int, broken: int, finding: str) -> None:
    found = shares(1000, fixed, broken)
    assert (found.finding, found.test) == (finding, "McNemar, exact")
    assert found.p == pytest.approx(binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0)
    assert found.difference.mean == pytest.approx((fixed - broken) / 1000)
    assert (found.more is not None) == (finding == "undecided" and fixed != broken)


def test_not_worse_needs_rows_that_bound_the_harm() -> None:
    """Identical answers on few rows prove nothing; on many they do. A small loss within the tolerance passes."""
    assert shares(50, 0, 0, NOT_WORSE).finding == "undecided"
    assert shares(1000, 0, 0, NOT_WORSE).finding == "not worse"
    assert shares(10_000, 100, 150, NOT_WORSE).finding == "not worse"
    assert shares(10_000, 100, 600, NOT_WORSE).finding == "worse"
    assert shares(1000, 20, 30, NOT_WORSE).finding == "undecided"


@pytest.mark.parametrize(("rows", "gained", "lost"), [(50, 12, 2), (400, 0, 7), (30, 25, 0), (1000, 300, 290)])
def test_the_score_interval_ends_where_the_likelihood_says(rows: int, gained: int, lost: int) -> None:
    """At both ends the score statistic, with the nuisance share maximised numerically, is the normal quantile."""
    gains = np.r_[np.ones(gained), -np.ones(lost), np.zeros(rows - gained - lost)]
    for end in tango(gains, 0.95)[0]:

        def minus_log(share: float, shift: float = end) -> float:
            cells = np.array([share + shift, share, 1 - 2 * share - shift])
            return -float(xlogy([gained, lost, rows - gained - lost], np.maximum(cells, 1e-300)).sum())

        bounds = (max(0.0, -end) + 1e-12, (1 - end) / 2 - 1e-12)
        wrong = float(minimize_scalar(minus_log, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x)
        spread = rows * (2 * wrong + end - end**2)
        assert abs(gained - lost - rows * end) / math.sqrt(spread) == pytest.approx(1.959964, rel=1e-3)


def test_the_score_interval_has_a_width_where_no_row_differs() -> None:
    z = 1.959964**2
    for rows in (20, 500):
        (low, high), error = tango(np.zeros(rows), 0.95)
        assert (low, high, error) == (pytest.approx(-z / (rows + z), rel=1e-4), pytest.approx(-low), 0.0)


def test_an_equal_model_is_promoted_as_rarely_as_promised() -> None:
    """2.5 % at most: the other half of the error is a false `worse`."""
    findings = [contest(*drawn(300, 0.08, 0.08, seed), BETTER).finding for seed in range(800)]
    assert findings.count("better") <= 800 * 0.025 + 3 * math.sqrt(800 * 0.025 * 0.975)
    assert findings.count("better") + findings.count("worse") > 0


def test_a_model_at_the_edge_of_the_tolerance_passes_as_rarely_as_promised() -> None:
    """The lower end of a 95 % interval lets 2.5 % through; score intervals are exact on average only, hence 4 %."""
    found = [contest(*drawn(400, 0.05, 0.07, seed), NOT_WORSE).finding for seed in range(800)]
    assert found.count("not worse") / 800 < 0.04


@pytest.mark.parametrize(("gained", "lost", "rule"), [(0.07, 0.05, BETTER), (0.05, 0.05, NOT_WORSE)])
def test_the_rows_that_are_said_to_be_needed_decide(gained: float, lost: float, rule: Rule) -> None:
    """At the N that is named for the difference seen, four tests of five decide."""
    rows = 400
    found = shares(rows, round(rows * gained), round(rows * lost), rule)
    assert found.finding == "undecided" and found.more is not None
    wanted = "better" if rule is BETTER else "not worse"
    decided = [contest(*drawn(rows + found.more, gained, lost, seed), rule).finding for seed in range(300)]
    assert 0.7 < decided.count(wanted) / 300 < 0.9
    before = [contest(*drawn(rows, gained, lost, seed), rule).finding for seed in range(300)]
    assert before.count(wanted) / 300 < 0.5


def test_the_power_of_the_paired_test_is_that_of_theory() -> None:
    """At 95 %, by simulation, beside the normal approximation for McNemar's test (Connor 1987); the exact test, which
    stays below its level, needs a few rows more. With rows enough it is above 95 %, with few near nothing."""
    gained, lost, draws = 0.08, 0.04, 400
    both, apart = gained + lost, gained - lost
    powers = []
    for rows in (50, 200, 400, 800, 1600):
        found = [contest(*drawn(rows, gained, lost, seed), BETTER).finding for seed in range(draws)]
        powers.append(found.count("better") / draws)
        wanted = norm.cdf((apart * math.sqrt(rows) - 1.959964 * math.sqrt(both)) / math.sqrt(both - apart**2))
        slack = 3 * math.sqrt(max(wanted * (1 - wanted), 0.01) / draws)
        assert wanted - slack - 0.08 < powers[-1] < wanted + slack, (rows, powers[-1], wanted)
        assert found.count("worse") <= draws * 0.025
    assert powers == sorted(powers) and powers[0] < 0.15 and powers[-1] > 0.95


def test_groups_are_the_units() -> None:
    """The same rows decide where each is one, and do not where a few writers hold them."""
    new, old = np.ones(600), np.ones(600)
    old[:60] = 0
    writers = [f"w{at // 60}" for at in range(600)]
    assert contest(side(new), side(old), BETTER).finding == "better"
    found = contest(side(new), side(old), BETTER, writers)
    assert (found.finding, found.units, found.rows) == ("undecided", 10, 600)
    spread = np.random.default_rng(0).permutation(600)
    found = contest(side(new[spread]), side(old[spread]), BETTER, writers)
    assert found.finding == "better" and found.p is not None and found.p < 0.01
    with pytest.raises(DataError, match="one group"):
        student_interval(np.ones(1), np.ones(1), 0.95)


def labelled(rows: int, accuracy: float, seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    label = draw.choice(["a", "b", "c"], rows, p=(0.6, 0.3, 0.1))
    wrong = draw.random(rows) > accuracy
    return pd.DataFrame(
        {
            "id": [f"r{at}" for at in range(rows)],
            "label": label,
            "predicted": np.where(wrong, draw.choice(["a", "b", "c"], rows), label),
        }
    )


def test_macro_f1_is_scikit_learns_and_has_a_bootstrap() -> None:
    new = labelled(800, 0.95, 0)
    old = align(new, new.assign(predicted=labelled(800, 0.5, 0)["predicted"]), "classifier")
    sides = [outcomes(table, "classifier", "macro_f1", ["a", "b", "c"]) for table in (new, old)]
    found = contest(*sides, BETTER)
    assert found.challenger == pytest.approx(f1_score(new["label"], new["predicted"], average="macro"))
    assert (found.finding, found.test, found.p) == ("better", "paired bootstrap", None)
    same = contest(sides[0], sides[0], Rule(HOW, 0.05))
    assert (same.finding, same.more) == ("undecided", None), "no row differs: a bootstrap of nothing has no width"


def test_errors_count_the_other_way_round() -> None:
    draw = np.random.default_rng(0)
    truth = draw.normal(size=500)
    near, far = (
        pd.DataFrame({"id": range(500), "true": truth, "value": truth + noise * draw.normal(size=500)})
        for noise in (0.5, 1.0)
    )
    for score in ("rmse", "mae"):
        found = contest(*(outcomes(table, "regression", score) for table in (near, far)), Rule(HOW, sign=-1))
        assert found.finding == "better" and found.difference.mean > 0 > found.challenger - found.champion
    with pytest.raises(DataError, match="no paired test of spearman"):
        outcomes(near, "regression", "spearman")
    assert changed(near, far, "regression")["fixed"] > 250


def test_tokens_and_texts_are_paired_too() -> None:
    """By the columns that seq2seq and masked reports keep; what is no function of the rows is refused."""
    pytest.importorskip("sacrebleu")
    ids = [f"r{at}" for at in range(80)]
    texts = pd.DataFrame({"id": ids, "true": ["a long way home"] * 80, "written": ["a long way home"] * 80})
    short = align(texts, texts.assign(written=[*["a way"] * 40, *texts["written"][40:]]), "seq2seq")
    for score, full in (("exact", 1), ("bleu", 100), ("rouge_l", 1)):
        found = contest(*(outcomes(table, "seq2seq", score) for table in (texts, short)), BETTER)
        assert (found.finding, found.challenger) == ("better", pytest.approx(full)), score
    draw = np.random.default_rng(0)
    tokens = pd.DataFrame({"id": ids, "tokens": draw.integers(3, 9, 80)})
    near, far = (
        tokens.assign(right=tokens["tokens"] - lost, loss=tokens["tokens"] * mean)
        for lost, mean in ((0, 1.0), (1, 1.5))
    )
    for score, sign in (("perplexity", -1), ("loss", -1), ("accuracy", 1)):
        found = contest(*(outcomes(table, "masked", score) for table in (near, far)), Rule(HOW, sign=sign))
        assert found.finding == "better", score
    with pytest.raises(DataError, match="has 'tokens' = 8 for one model and 1"):
        align(near, far.assign(tokens=1), "masked")
    with pytest.raises(DataError, match="no paired test of loss for models"):
        outcomes(texts, "seq2seq", "loss")


def test_dialogues_are_the_units_of_their_turns() -> None:
    pytest.importorskip("sacrebleu")
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "search", "arguments": {"area": "north"}}}]}
    empty = {"role": "assistant", "tool_calls": [{"function": {"name": "search", "arguments": {}}}]}
    reply = {"role": "assistant", "content": "It is in the north."}
    new = pd.DataFrame(
        [
            {"id": f"d{row}", "turn": turn, "true": json.dumps(true), "written": json.dumps(true), "ended": True}
            for row in range(60)
            for turn, true in ((1, call), (3, reply))
        ]
    )
    old = new.assign(written=[json.dumps(empty) if row % 3 else row_ for row, row_ in enumerate(new["written"])])
    for score in ("argument_f1", "call_exact", "reply_bleu", "reply_rouge_l"):
        sides = [outcomes(table, "dialogue", score) for table in (new, align(new, old, "dialogue"))]
        found = contest(*sides, BETTER, new["id"].tolist())
        assert (found.finding, found.units, found.rows) == ("better", 60, 120), score
        assert found.challenger == pytest.approx(100 if score == "reply_bleu" else 1)
    assert changed(new, old, "dialogue")["fixed"] == sum(row % 3 > 0 for row in range(120))


def test_a_slice_that_regresses_is_named_and_small_ones_are_not_judged() -> None:
    rows = 600
    new, old = np.ones(rows), np.ones(rows)
    old[:100], new[300:330] = 0, 0
    table = pd.DataFrame({"area": ["north"] * 300 + ["south"] * 290 + [None] * 10})
    assert contest(side(new), side(old), BETTER).finding == "better"
    found = slices((side(new), side(old)), BETTER, groups=None, rows=table, smallest={"area": 50})
    assert {one.value: (one.rows, one.regressed, one.contest is None) for one in found} == {
        "north": (300, False, False),
        "south": (290, True, False),
        None: (10, False, True),
    }
    with pytest.raises(DataError, match="no column 'size'"):
        slices((side(new), side(old)), BETTER, groups=None, rows=table, smallest={"size": 1})
    with pytest.raises(DataError, match="no value of 'area' has 1000 test rows"):
        slices((side(new), side(old)), BETTER, groups=None, rows=table, smallest={"area": 1000})


def test_an_undefined_score_is_no_draw() -> None:
    none = Outcomes(np.zeros((20, 2)), ratio)
    with pytest.raises(DataError, match="undefined"):
        contest(side(np.ones(20)), none, BETTER)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("a row is missing", "1 of 40 test rows"),
        ("another truth", "has .label. = "),
        ("twice", "predicted twice"),
        ("no column", "no column 'predicted'"),
    ],
)
def test_predictions_that_do_not_pair_are_refused(fault: str, said: str) -> None:
    new = labelled(40, 0.9, 0)
    old = {
        "a row is missing": new.drop(index=3),
        "another truth": new.assign(label=[*new["label"][:-1], "z"]),
        "twice": pd.concat([new, new.head(1)]),
        "no column": new.drop(columns="predicted"),
    }[fault]
    assert len(align(new, new.sample(frac=1, random_state=0), "classifier")) == 40
    with pytest.raises(DataError, match=said):
        align(new, old, "classifier")
