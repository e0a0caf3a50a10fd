"""How long two nets take for the same batches, in turns, so that a busy machine is as busy for both."""

import time
from collections.abc import Mapping

import numpy as np

from ..runtime.net import Arrays, Net

ROUNDS = {1: 40, 32: 12}
"""Calls of each net by the rows of a batch."""


def measure(nets: Mapping[str, Net], batches: Mapping[int, Arrays]) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds for one batch, median and 95th percentile (p50, p95): by net, then by rows."""
    taken: dict[str, dict[int, list[float]]] = {name: {rows: [] for rows in batches} for name in nets}
    for rows, batch in batches.items():
        for net in nets.values():
            net(batch)  # the first call prepares what later ones have
        for _ in range(ROUNDS.get(rows, 10)):
            for name, net in nets.items():
                started = time.perf_counter()
                net(batch)
                taken[name][rows].append(1000 * (time.perf_counter() - started))
    return {
        name: {str(rows): dict(zip(("p50", "p95"), np.percentile(values, [50, 95]).tolist(), strict=True))
               for rows, values in by_rows.items()}
        for name, by_rows in taken.items()
    }  # fmt: skip
