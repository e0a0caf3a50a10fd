"""How long models take for the same batches, in turns, so that a busy machine is as busy for both."""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

Batch = TypeVar("Batch")
ROUNDS = {1: 40, 32: 12}
"""Calls of each model by the rows of a batch."""


def measure(
    models: Mapping[str, Callable[[Batch], object]], batches: Mapping[int, Batch]
) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds for one batch, median and 95th percentile (p50, p95): by model, then by rows."""
    taken: dict[str, dict[int, list[float]]] = {name: {rows: [] for rows in batches} for name in models}
    for rows, batch in batches.items():
        for model in models.values():
            model(batch)  # the first call prepares what later ones have
        for _ in range(ROUNDS.get(rows, 10)):
            for name, model in models.items():
                started = time.perf_counter()
                model(batch)
                taken[name][rows].append(1000 * (time.perf_counter() - started))
    return {
        name: {str(rows): dict(zip(("p50", "p95"), np.percentile(values, [50, 95]).tolist(), strict=True))
               for rows, values in by_rows.items()}
        for name, by_rows in taken.items()
    }  # fmt: skip
