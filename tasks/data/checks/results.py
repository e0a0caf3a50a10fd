"""Verdicts: what was asked of the rows and what was found, in words that fit a table."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from configs.expectations import Severity

SHOWN = 10
"""Offending rows shown per expectation."""
LONGEST = 200
"""Characters shown of one value."""


@dataclass(frozen=True)
class Verdict:
    """One expectation: what it asked, what was observed, and the first rows that break it (id, value)."""

    expectation: str
    asked: str
    """What it expects, in words."""
    observed: str
    success: bool
    offending: tuple[tuple[str, str], ...] = ()
    severity: Severity = "fail"
    name: str = ""
    """What tables call it: the recipe's name for it, else what it expects in words."""
    place: str = ""
    """The recipe's key behind it, with what would fix it."""
    broken: bool = False
    """Whether it could not be checked at all."""
    rows: "pd.Series[str]" = field(default_factory=lambda: pd.Series([], dtype="str"), compare=False, repr=False)
    """Ids of all rows that break it, in the order of the rows; empty where it concerns no single rows."""

    @property
    def title(self) -> str:
        """Its name, with what it expects."""
        return self.name if self.name == self.asked else f"{self.name} ({self.asked})"

    @property
    def reason(self) -> str:
        """Why a row leaves for it, as the ledger says it."""
        return f"does not hold: {self.name}" if self.name == self.asked else self.name

    @property
    def stops(self) -> bool:
        """Whether the run ends here: it does not hold, and no row that leaves could fix it."""
        return self.broken or (not self.success and self.severity == "fail")


def rows_under(verdicts: list[Verdict], severity: Severity) -> pd.DataFrame:
    """The rows that break expectations of a severity: columns id, expectation; one line per row and expectation."""
    parts = [
        pd.DataFrame({"id": verdict.rows.to_numpy(), "expectation": verdict.name}, dtype="str")
        for verdict in verdicts
        if verdict.severity == severity and len(verdict.rows)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"id": [], "expectation": []}, dtype="str")


def shown(value: object) -> str:
    """A value on one line, cut, without characters that do not print: NULs break databases, marks turn lines round."""
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return "missing"
    text = str(value)
    cut = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    spaced = (" " if char in "\t\r\n" else char for char in cut)
    return "".join(char if char.isprintable() else "\ufffd" for char in spaced)


def observed_in(result: dict[str, Any]) -> str:
    """What GX observed: a count of rows, or the observed value."""
    if "unexpected_count" in result and "element_count" in result:
        count, of = result["unexpected_count"] or 0, result["element_count"] or 0
        return f"{count:,} of {of:,} rows break it ({100 * count / max(of, 1):.2f} %)"
    value = result.get("observed_value")
    if value is None and "partial_missing_list" in result:
        lists = {"absent": result["partial_missing_list"], "too many": result.get("partial_unexpected_list") or []}
        return "; ".join(f"{name}: {shown(', '.join(map(str, some)))}" for name, some in lists.items() if some)
    return f"{value:.4f}" if isinstance(value, float) else "" if value is None else shown(value)
