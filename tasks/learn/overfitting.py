"""Over- and under-fitting, read off a training's history: a sentence that names it, with the usual remedies."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FEWEST = 4
"""Validations from which on a course can be distinguished from noise."""
RISE = 0.1
"""Share by which each of the last validation losses (up to three, two at least) must stand above the lowest one, and
by 0.01 at least, to count as risen."""
STILL = 0.05
"""Share that the validation loss must lose in the last quarter of the steps to count as falling still."""
LEARNED = 0.1
"""Share that the training loss must lose to count as learned from, where the accuracy is below 0.9."""


def diagnose(history: Sequence[dict[str, float]]) -> str:
    """What the losses say, with the usual remedies (Goodfellow, Bengio and Courville, "Deep Learning", chapters 5, 7).

    Takes rows {step, loss} and {step, eval_loss, eval_accuracy} as a training keeps them. Over-fitting: the validation
    loss has risen from its lowest point while the training loss went on falling. Under-fitting: the validation loss
    is falling still, or the training loss hardly fell. Thresholds are the module's constants.
    """
    train, validation = _curve(history, "loss"), _curve(history, "eval_loss")
    if len(validation) < FEWEST or len(train) < FEWEST:
        return (
            f"over- or under-fitting cannot be judged from {len(train)} points of the training loss and "
            f"{len(validation)} validations; at least {FEWEST} of each can: lower train.logging_steps, train.eval_steps"
        )
    steps, losses = validation.T
    low = int(losses.argmin())
    late = float(losses[low + 1 :][-3:].min()) if len(losses) - low > 2 else float(losses[low])  # one alone is noise
    before, after = (float(value) for value in _smooth(train, [steps[low], steps[-1]]))
    if late > losses[low] * (1 + RISE) and late > losses[low] + 0.01:
        rose = f"since step {steps[low]:,.0f} the validation loss rose from {losses[low]:.3f} to {late:.3f}"
        if after > before * (1 + RISE):
            return f"unstable: {rose}, and the training loss from {before:.3f} to {after:.3f}; lower the learning rate"
        return (
            f"over-fitting: {rose} while the training loss came to {after:.3f}; augment, regularise (dropout, weight "
            "decay, label smoothing), shrink the model, add rows; train.patience stops earlier"
        )
    return _under(history, train, validation)


def _under(
    history: Sequence[dict[str, float]], train: npt.NDArray[np.float64], validation: npt.NDArray[np.float64]
) -> str:
    steps, losses = validation.T
    earlier = float(np.interp(steps[-1] - (steps[-1] - steps[0]) / 4, steps, losses))
    first, last = float(train[0, 1]), float(_smooth(train, [steps[-1]])[0])
    accuracy = max((row["eval_accuracy"] for row in history if "eval_accuracy" in row), default=0.0)
    if first - last < LEARNED * first and accuracy < 0.9:
        return (
            f"under-fitting: the training loss fell only from {first:.3f} to {last:.3f}; raise the learning rate, "
            "unfreeze more of the model, enlarge it"
        )
    if earlier - losses[-1] > max(STILL * earlier, 0.01):
        return (
            f"under-fitting: in the last quarter of the steps the validation loss fell from {earlier:.3f} to "
            f"{losses[-1]:.3f} and was falling still; train longer, or unfreeze more of the model, enlarge it"
        )
    return (
        f"neither over- nor under-fitting shows: validation loss {losses.min():.3f} at its lowest, {losses[-1]:.3f} at "
        f"the end, training loss {last:.3f}"
    )


def _curve(history: Sequence[dict[str, float]], name: str) -> npt.NDArray[np.float64]:
    """Steps and values [points, 2]; of one step the last."""
    points = {row["step"]: row[name] for row in history if name in row}
    return np.array(sorted(points.items()), float).reshape(-1, 2)


def _smooth(curve: npt.NDArray[np.float64], steps: Sequence[float]) -> npt.NDArray[np.float64]:
    """A curve at these steps, each the mean of up to five points that end there."""
    ends = np.searchsorted(curve[:, 0], steps, side="right").clip(1)
    return np.array([curve[max(0, end - 5) : end, 1].mean() for end in ends])
