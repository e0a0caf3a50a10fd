"""What two states of a source differ in: rows by their ids, and drift by feature."""

from dataclasses import dataclass

import pandas as pd

from .drift import DriftLine, drift_table, profile


@dataclass(frozen=True)
class Difference:
    """Rows that came, went and stayed; a line per feature that drifts (see drift.py)."""

    added: int
    removed: int
    stayed: int
    lines: list[DriftLine]

    @property
    def text(self) -> str:
        """One line of words."""
        moved = [
            f"{line['feature']} {line['verdict']} ({line['change']})"
            for line in self.lines
            if line["verdict"] != "stable"
        ]
        return f"{self.added:,} came, {self.removed:,} went, {self.stayed:,} stayed; {'; '.join(moved) or 'no drift'}"


def difference(before: pd.DataFrame, now: pd.DataFrame) -> Difference:
    """Two tables of raw rows (see rows.py CORE), ids being hashes of content -> what differs."""
    old, new = set(before["id"]), set(now["id"])
    return Difference(len(new - old), len(old - new), len(old & new), drift_table(profile(before), profile(now)))
