"""Over- and under-fitting read off planted curves, and off curves that say nothing."""

import numpy as np
import pytest

from tasks.learn.overfitting import FEWEST, diagnose

STEPS = np.arange(100, 2100, 100)


def history(train: np.ndarray, validation: np.ndarray, accuracy: float = 0.8) -> list[dict[str, float]]:
    """Curves by step, as a training keeps them, with a little noise."""
    noise = np.random.default_rng(0).normal(1, 0.01, (2, len(STEPS)))
    rows: list[dict[str, float]] = []
    for step, loss, held in zip(STEPS, train * noise[0], validation * noise[1], strict=True):
        rows.append({"step": int(step), "loss": float(loss), "learning_rate": 1e-3})
        rows.append({"step": int(step), "eval_loss": float(held), "eval_accuracy": accuracy})
    return rows


FALLING = 0.05 + 0.65 * np.exp(-STEPS / 300)


@pytest.mark.parametrize(
    ("train", "validation", "accuracy", "verdict", "remedies"),
    [
        (FALLING, FALLING + 0.4 * (STEPS / 2000) ** 2, 0.9, "over-fitting: since step ", ("augment", "shrink")),
        (FALLING, FALLING + 0.02, 0.97, "neither over- nor under-fitting shows", ()),
        (1 - STEPS / 2500, 1.02 - STEPS / 2500, 0.6, "under-fitting: in the last quarter", ("train longer", "enlarge")),
        (0 * STEPS + 0.69, 0 * STEPS + 0.695, 0.5, "under-fitting: the training loss fell only", ("unfreeze",)),
        (FALLING + (STEPS > 1200) * 2, FALLING + (STEPS > 1200) * 3, 0.3, "unstable: since step 1,", ("lower the",)),
        (0 * STEPS + 0.02, 0 * STEPS + 0.02, 0.99, "neither", ()),  # a start that knew it all
    ],
)
def test_what_the_curves_say(
    train: np.ndarray, validation: np.ndarray, accuracy: float, verdict: str, remedies: tuple[str, ...]
) -> None:
    said = diagnose(history(train, validation, accuracy))
    assert said.startswith(verdict), said
    assert all(remedy in said for remedy in remedies), said


def test_one_bad_validation_is_noise() -> None:
    """A rise counts from two later validations on, and small ones of a small loss do not."""
    rows = history(FALLING, FALLING)
    rows[-1]["eval_loss"] = 5.0
    assert not diagnose(rows).startswith("over-fitting")
    tiny = history(FALLING / 50, FALLING / 50 + 0.004 * STEPS / 2000, 0.99)
    assert diagnose(tiny).startswith("neither"), diagnose(tiny)


def test_few_points_are_not_judged() -> None:
    """Nor are histories without validation rows."""
    rows = history(FALLING, FALLING)
    assert "cannot be judged from 3 points of the training loss and 3 validations" in diagnose(rows[: 2 * FEWEST - 2])
    assert "and 0 validations" in diagnose([row for row in rows if "loss" in row])
    assert "cannot be judged" in diagnose([])


def test_the_order_of_rows_does_not_count_and_of_one_step_the_last_does() -> None:
    rows = history(FALLING, FALLING + 0.4 * (STEPS / 2000) ** 2)
    assert diagnose(rows[::-1]) == diagnose(rows)
    assert diagnose([{"step": 2000, "eval_loss": 9.0}, *rows]) == diagnose(rows)
