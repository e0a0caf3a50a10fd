"""Summed losses, correct predictions and tokens per row -> perplexity and accuracy of a model, with intervals."""

import numpy as np

from ...learn.metrics import Floats, Ids
from ...learn.resampling import Measures, Resampling, estimate, ratio


def score_tokens(losses: Floats, right: Ids, tokens: Ids, how: Resampling) -> Measures:
    """Scores of tokens that carry loss (masked or supervised ones), with intervals over rows.

    losses: summed over each row's tokens, in nats [rows]. right: of these tokens, those at which the likeliest one is
    the true one [rows]. tokens: their number [rows]. perplexity: exp(losses / tokens); of masked tokens it can be
    compared only at the same rate of masking, and is not the pseudo-perplexity of Salazar et al. (2020). accuracy:
    right / tokens. None where no token carries loss. Raises ValueError for counts that cannot be.
    """
    if not losses.shape == right.shape == tokens.shape:
        raise ValueError(f"losses {losses.shape}, right {right.shape} and tokens {tokens.shape} must all be [rows]")
    odd = np.flatnonzero((right < 0) | (right > tokens) | ~np.isfinite(losses))
    if len(odd):
        row = int(odd[0])
        raise ValueError(f"row {row} has the loss {losses[row]} and {right[row]} right tokens of {tokens[row]}")
    counts = tokens.astype(float)
    return {
        "tokens": int(tokens.sum()),
        **estimate([losses, counts], perplexity, how).facts("perplexity"),
        **estimate([right.astype(float), counts], ratio, how).facts("accuracy"),
    }


def perplexity(sums: Floats) -> Floats:
    """exp of the first sum over the second, [..., 2] to [...]; NaN where there is no token."""
    return np.exp(ratio(sums))
