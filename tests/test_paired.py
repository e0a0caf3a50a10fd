"""The paired tests against brute force, and by simulation: how often a false verdict is given, and a true one."""

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binomtest, norm

from tasks.learn import paired

Bools = npt.NDArray[np.bool_]
ALPHA = 0.05


def answers(
    rng: np.random.Generator, shape: tuple[int, int], accuracies: tuple[float, ...], *, seed: float, own: float
) -> list[Bools]:
    """Right answers [trainings, rows] of nets with these accuracies in the long run.

    Rows differ in hardness for all (1.5), for each net (own), and trainings in luck (seed), as standard deviations of
    a latent normal score.
    """
    trainings, rows = shape
    scale = math.sqrt(1 + 1.5**2 + own**2 + seed**2)
    hard = rng.normal(0, 1.5, rows)
    return [
        norm.ppf(accuracy) * scale
        + hard
        + rng.normal(0, own, rows)
        + rng.normal(0, seed, (trainings, 1))
        + rng.normal(0, 1, shape)
        > 0
        for accuracy in accuracies
    ]


def bootstrap(new: Bools, old: Bools, rng: np.random.Generator) -> bool:
    """Whether the percentile interval of a bootstrap over trainings and rows leaves 0 out (Owen 2007)."""
    gain = new.astype(float) - old
    trainings, rows = gain.shape
    by_training = rng.multinomial(rows, np.full(rows, 1 / rows), 300) @ gain.T / rows
    drawn = np.take_along_axis(by_training, rng.integers(0, trainings, (300, trainings)), 1).mean(1)
    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    return bool(low > 0 or high < 0)


def rates(count: int, shape: tuple[int, int], accuracies: tuple[float, float], **spread: float) -> dict[str, float]:
    """Shares of `count` simulated comparisons: a verdict, `helped`, a p of the rows alone below ALPHA."""
    rng = np.random.default_rng(0)
    found = np.zeros(3)
    for _ in range(count):
        old, new = answers(rng, shape, accuracies, **spread)
        pair = paired.compare([(new, old)], np.arange(shape[1]), 1 - ALPHA)[0]
        found += (pair.verdict != "undecided", pair.verdict == "helped", pair.p <= ALPHA)
    return dict(zip(("verdict", "helped", "rows"), found / count, strict=True))


def at_most(level: float, count: int) -> float:
    """What a simulation of `count` may show where the true rate is `level` (three standard errors)."""
    return level + 3 * math.sqrt(level * (1 - level) / count)


@pytest.mark.parametrize(("trainings", "spread"), [(3, 0.3), (5, 0.0)])
def test_the_verdict_keeps_its_level(trainings: int, spread: float) -> None:
    found = rates(200, (trainings, 200), (0.85, 0.85), seed=spread, own=1.0)
    assert found["verdict"] <= at_most(ALPHA, 200), found


def test_what_ignores_the_luck_of_seeds_does_not() -> None:
    """The simulation can fail: rows alone, and a bootstrap over three trainings, find what is not there."""
    found = rates(150, (3, 500), (0.9, 0.9), seed=0.3, own=0.0)
    assert found["rows"] > 0.3
    assert found["verdict"] <= at_most(ALPHA, 150)
    rng = np.random.default_rng(0)
    drawn = [bootstrap(*answers(rng, (3, 500), (0.9, 0.9), seed=0.3, own=0.0), rng) for _ in range(100)]
    assert np.mean(drawn) > at_most(ALPHA, 100)


@pytest.mark.parametrize(("trainings", "least"), [(3, 0.65), (5, 0.85)])
def test_a_planted_difference_is_found(trainings: int, least: float) -> None:
    found = rates(150, (trainings, 500), (0.85, 0.90), seed=0.05, own=0.5)
    assert found["helped"] >= least
    assert found["verdict"] == found["helped"], "never the wrong way round"


@pytest.mark.long
@pytest.mark.parametrize("trainings", [2, 3, 5, 10])
@pytest.mark.parametrize(("rows", "accuracy"), [(100, 0.97), (200, 0.8), (1000, 0.9)])
@pytest.mark.parametrize("seed", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("own", [0.0, 1.5])
def test_level_at_length(trainings: int, rows: int, accuracy: float, seed: float, own: float) -> None:
    found = rates(1000, (trainings, rows), (accuracy, accuracy), seed=seed, own=own)
    print(f"{trainings} trainings, {rows} rows at {accuracy}, seeds {seed}, own {own}: {found}")
    assert found["verdict"] <= at_most(ALPHA, 1000), found


@pytest.mark.long
@pytest.mark.parametrize(("trainings", "accuracy", "least"), [(3, 0.93, 0.75), (5, 0.93, 0.95), (3, 0.95, 0.97)])
def test_power_at_length(trainings: int, accuracy: float, least: float) -> None:
    found = rates(1000, (trainings, 1000), (0.9, accuracy), seed=0.05, own=0.5)
    print(f"{trainings} trainings, 1000 rows, 0.90 against {accuracy}: {found}")
    assert found["helped"] >= least, found


def test_several_pairs_share_one_level() -> None:
    rng, false = np.random.default_rng(1), 0
    for _ in range(100):
        old, *new = answers(rng, (3, 200), (0.85,) * 4, seed=0.3, own=1.0)
        pairs = paired.compare([(one, old) for one in new], np.arange(200), 1 - ALPHA)
        false += any(pair.verdict != "undecided" for pair in pairs)
    assert false / 100 <= at_most(ALPHA, 100)


def test_several_pairs_have_wider_intervals_and_larger_p() -> None:
    old, new = answers(np.random.default_rng(2), (4, 300), (0.7, 0.8), seed=0.0, own=0.5)
    alone = paired.compare([(new, old)], np.arange(300), 0.95)[0]
    among = paired.compare([(new, old)] * 3, np.arange(300), 0.95)[0]
    assert among.difference.mean == alone.difference.mean == pytest.approx(new.mean() - old.mean())
    assert among.difference.low < alone.difference.low
    assert among.p_holm == pytest.approx(3 * alone.p_holm)


def test_rows_of_one_group_are_one_unit() -> None:
    """Eight writers whose rows go the same way: as rows they would prove anything, as writers nothing."""
    rng = np.random.default_rng(3)
    writer = np.repeat(np.arange(8), 50)
    old = np.tile(rng.random(400) < 0.7, (4, 1))
    new = old.copy()
    new[:, (writer < 5) & ~old[0]] = True  # five writers gain,
    new[:, (writer == 5) & old[0]] = False  # one loses everything
    assert paired.compare([(new, old)], np.arange(400), 0.95)[0].verdict == "helped"
    grouped = paired.compare([(new, old)], writer, 0.95)[0]
    assert grouped.verdict == "undecided"
    assert grouped.p > 0.05
    assert grouped.difference.mean == pytest.approx(new.mean() - old.mean())


def test_groups_of_unequal_size_leave_the_mean() -> None:
    right = np.random.default_rng(4).random((3, 60)) < 0.8
    found = paired.accuracy(right, np.repeat([0, 1, 2], [5, 15, 40]), 0.95)
    assert found.mean == pytest.approx(right.mean())
    assert 0 <= found.low < found.mean < found.high <= 1


def test_the_interval_is_students_where_only_one_thing_varies() -> None:
    """Luck of trainings alone: the t interval of their means. Of rows alone: that of the rows."""
    luck = np.repeat([[0.7], [0.8], [0.75]], 50, axis=1)
    found = paired.interval(luck, 0.95)
    assert found.high - found.mean == pytest.approx(4.302653 * 0.05 / math.sqrt(3))
    rows = np.tile([0.0, 1.0] * 25, (3, 1))
    found = paired.interval(rows, 0.95)
    assert found.high - found.mean == pytest.approx(2.009575 * np.std(rows[0], ddof=1) / math.sqrt(50))


@pytest.mark.parametrize("seed", range(5))
def test_sign_flip_is_exact(seed: int) -> None:
    differences = np.random.default_rng(seed).integers(-3, 4, 11)
    total = abs(differences.sum())
    flips = [abs(np.dot(signs, differences)) >= total for signs in itertools.product((-1, 1), repeat=11)]
    assert paired.sign_flip(differences) == pytest.approx(np.mean(flips))


def test_sign_flip_is_mcnemars_exact_test_for_one_training() -> None:
    differences = np.array([1] * 15 + [-1] * 4 + [0] * 300)
    assert paired.sign_flip(differences) == pytest.approx(binomtest(4, 19).pvalue)


def test_nothing_and_everything() -> None:
    none, every = np.zeros((3, 100), bool), np.ones((3, 100), bool)
    same = paired.compare([(every, every)], np.arange(100), 0.95)[0]
    assert (same.verdict, same.p, same.difference) == ("undecided", 1.0, paired.Interval(0.0, 0.0, 0.0))
    better, worse = paired.compare([(every, none), (none, every)], np.arange(100), 0.95)
    assert (better.verdict, worse.verdict) == ("helped", "hurt")
    assert better.p < 1e-20
    assert (better.gained, better.lost, worse.gained, worse.lost) == (100, 0, 0, 100)


def test_many_rows_take_no_time_and_keep_their_digits() -> None:
    """100,000 rows, where a binomial distribution from plain floats would end in 0 or NaN."""
    differences = np.random.default_rng(5).choice([-2, -1, 0, 1, 2], 100_000)
    z = abs(differences.sum()) / math.sqrt((differences**2).sum())
    assert paired.sign_flip(differences) == pytest.approx(2 * norm.sf(z), rel=0.05)


def test_holm() -> None:
    assert paired.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert paired.holm([0.9, 0.8]) == [1.0, 1.0]


def test_one_unit_is_no_sample() -> None:
    right = np.ones((3, 1), bool)
    with pytest.raises(ValueError, match="two are needed"):
        paired.compare([(right, right)], np.arange(1), 0.95)


def test_a_model_that_stands_has_an_interval_for_other_rows_alone() -> None:
    right = np.array([[True] * 80 + [False] * 20])
    found = paired.accuracy(right, np.arange(100), 0.95)
    assert found.high - found.mean == pytest.approx(1.984217 * np.std(right, ddof=1) / 10)
    ours = np.tile(right, (4, 1)) ^ (np.arange(100) == 99)  # one row more, in each of four trainings
    (pair,) = paired.compare([(ours, right)], np.arange(100), 0.95)
    assert (pair.gained, pair.lost, pair.p, pair.verdict) == (1, 0, 1.0, "undecided")
    assert pair.difference.mean == pytest.approx(0.01)
    (same,) = paired.compare([(np.tile(right, (4, 1)), right)], np.arange(100), 0.95)
    assert (same.difference, same.p) == (paired.Interval(0.0, 0.0, 0.0), 1.0)


def against_a_standing_model(simulations: int, gain: float) -> float:
    """How often a recipe of five trainings is said to differ from one model: rows are easy or hard for both, each
    training has luck of its own, and on average over both the recipe is right `gain` more often."""
    rng, said = np.random.default_rng(3), 0
    for _ in range(simulations):
        easy = rng.normal(size=400)
        standing = (easy + rng.normal(size=400) > -1)[None]
        luck = rng.normal(0, 0.1, 5)[:, None]
        ours = easy + rng.normal(size=(5, 400)) > -1 - gain - luck
        (pair,) = paired.compare([(ours, standing)], np.arange(400), 1 - ALPHA)
        said += pair.verdict != "undecided"
    return said / simulations


def test_the_verdict_against_a_model_that_stands_keeps_its_level_and_finds_a_difference() -> None:
    assert against_a_standing_model(300, 0.0) <= at_most(ALPHA, 300)
    assert against_a_standing_model(100, 0.5) >= 0.9
