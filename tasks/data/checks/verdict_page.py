"""What validate shows of verdicts: a page, lines of a table, why a run stops, and the rows that break expectations."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..escape import code, markdown
from .results import Verdict, rows_under


def line_of(verdict: Verdict) -> dict[str, object]:
    """A line of the table that Prefect shows."""
    return {
        "holds": _mark(verdict),
        "severity": verdict.severity,
        "expectation": verdict.name,
        "asked": _asked(verdict),
        "found": verdict.observed,
        "rows": "; ".join(f"{row}: {value[:80]}" for row, value in verdict.offending[:3]),
    }


def _mark(verdict: Verdict) -> str:
    return "yes" if verdict.success else "NO" if verdict.stops else "no"


def complaint(verdict: Verdict) -> str:
    """Why a run stops: the expectation, what was observed, and rows that break it."""
    rows = "".join(f"\n    row {row}: {value!r}" for row, value in verdict.offending[:5])
    fix = f"\n    see {verdict.place}" if verdict.place else ""
    named = f"\n    in Great Expectations' words: {verdict.expectation}" if verdict.expectation != verdict.name else ""
    return f"  {verdict.title}: {verdict.observed}{rows}{fix}{named}"


def _asked(verdict: Verdict) -> str:
    """What a table says next to the name: what is expected, or Great Expectations' name where the name says it."""
    return verdict.expectation if verdict.name == verdict.asked else verdict.asked


def describe(verdicts: list[Verdict], count: int) -> str:
    """Each expectation with what was observed on so many rows, and the first rows that break it."""
    held = sum(verdict.success for verdict in verdicts)
    lines = [f"# validate: {held} of {len(verdicts)} expectations hold on {count:,} rows", "", *_leaving(verdicts)]
    lines += ["| holds | severity | expectation | asked | found |", "|---|---|---|---|---|"]
    for verdict in verdicts:
        mark = f"**{_mark(verdict)}**" if verdict.stops else _mark(verdict)
        cells = (verdict.severity, markdown(verdict.name), markdown(_asked(verdict)), markdown(verdict.observed))
        lines.append(f"| {mark} | {' | '.join(cells)} |")
    for verdict in verdicts:
        if verdict.offending and (verdict.severity != "fail" or not verdict.success):
            lines += ["", f"Rows that break {code(verdict.name)}:", "", "| row | value |", "|---|---|"]
            lines += [f"| {row} | {markdown(value)} |" for row, value in verdict.offending]
    return "\n".join(lines)


def _leaving(verdicts: list[Verdict]) -> list[str]:
    """How many rows leave, and for what; a row that breaks several expectations counts in each."""
    leaving = [verdict for verdict in verdicts if verdict.severity == "quarantine"]
    if not leaving:
        return []
    gone = len({row for verdict in leaving for row in verdict.rows})
    lines = [f"Rows that leave under quarantine: {gone:,}", "", "| expectation | rows that break it |", "|---|---:|"]
    return [*lines, *(f"| {markdown(verdict.name)} | {len(verdict.rows):,} |" for verdict in leaving), ""]


def write_rows_that_break(verdicts: list[Verdict], records: Path) -> None:
    """Every row that breaks an expectation, one Parquet file (id, expectation) per severity that has some."""
    failed = [verdict for verdict in verdicts if not verdict.success]
    for name, lines in (
        ("failed", rows_under(failed, "fail")),
        ("quarantined", rows_under(verdicts, "quarantine")),
        ("warned", rows_under(verdicts, "warn")),
    ):
        if len(lines):
            table = pa.Table.from_pandas(lines, preserve_index=False).replace_schema_metadata(None)
            pq.write_table(table, records / f"{name}.parquet", compression="zstd")
