"""validate: raw rows come in; those that may stay and their label set go out, or the run stops and says why."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from configs.expectations import Validate

from .artifact import Artifact, StageError
from .cached import cached_task
from .data.escape import code, markdown
from .output import Output

if TYPE_CHECKING:
    import pandas as pd

    from .data.checks.results import Verdict

IMAGES = "images.parquet"


@cached_task(makes="checked", opens={"raw": ("rows.parquet", "ledger.parquet", IMAGES)})
def validate(out: Output, section: Validate, raw: Artifact) -> None:
    """Check the rows by the recipe's expectations. Raises StageError naming expectation and rows, DataError."""
    from .data.checks.expectations import check_rows, label_set
    from .data.checks.results import rows_under
    from .data.drift import profile
    from .data.ledger import read_ledger
    from .data.rows import read_rows, write_rows

    rows = read_rows(raw.file("rows.parquet"))
    (out.records / "profile.json").write_text(json.dumps(profile(rows), ensure_ascii=False), encoding="utf-8")
    verdicts, page = check_rows(rows, section)
    (out.records / "data_docs.html").write_text(page, encoding="utf-8")
    out.table([_line(verdict) for verdict in verdicts])
    out.summary(_describe(verdicts, len(rows)))
    _record(out.records, verdicts)
    for verdict in verdicts:
        if verdict.severity == "warn" and not verdict.success:
            out.log(f"does not hold: {verdict.title}: {verdict.observed}")
    stopping = [verdict for verdict in verdicts if verdict.stops]
    if stopping:
        raise StageError("the data do not hold what the recipe expects\n" + "\n".join(map(_complaint, stopping)))
    leaving = rows_under(verdicts, "quarantine").drop_duplicates("id").rename(columns={"expectation": "reason"})
    leaving["reason"] = leaving["reason"].replace({verdict.name: verdict.reason for verdict in verdicts})
    kept = rows[~rows["id"].isin(leaving["id"])]
    write_rows(kept, out.data / "rows.parquet")
    (out.data / "labels.json").write_text(json.dumps(label_set(kept, section), ensure_ascii=False), encoding="utf-8")
    out.rows("validate", read_ledger(raw.file("ledger.parquet")), kept["id"], leaving)
    if "image" in rows:
        out.forward(raw.file(IMAGES))


def _record(records: Path, verdicts: "list[Verdict]") -> None:
    """Every row that breaks an expectation, one Parquet file (id, expectation) per severity that has some."""
    from .data.checks.results import rows_under

    failed = [verdict for verdict in verdicts if not verdict.success]
    for name, lines in (
        ("failed", rows_under(failed, "fail")),
        ("quarantined", rows_under(verdicts, "quarantine")),
        ("warned", rows_under(verdicts, "warn")),
    ):
        if len(lines):
            _write(lines, records / f"{name}.parquet")


def _write(lines: "pd.DataFrame", path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(lines, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, path, compression="zstd")


def _line(verdict: "Verdict") -> dict[str, object]:
    return {
        "holds": _mark(verdict),
        "severity": verdict.severity,
        "expectation": verdict.name,
        "asked": _asked(verdict),
        "found": verdict.observed,
        "rows": "; ".join(f"{row}: {value[:80]}" for row, value in verdict.offending[:3]),
    }


def _mark(verdict: "Verdict") -> str:
    return "yes" if verdict.success else "NO" if verdict.stops else "no"


def _complaint(verdict: "Verdict") -> str:
    rows = "".join(f"\n    row {row}: {value!r}" for row, value in verdict.offending[:5])
    fix = f"\n    see {verdict.place}" if verdict.place else ""
    named = f"\n    in Great Expectations' words: {verdict.expectation}" if verdict.expectation != verdict.name else ""
    return f"  {verdict.title}: {verdict.observed}{rows}{fix}{named}"


def _asked(verdict: "Verdict") -> str:
    """What a table says next to the name: what is expected, or Great Expectations' name where the name says it."""
    return verdict.expectation if verdict.name == verdict.asked else verdict.asked


def _describe(verdicts: "list[Verdict]", count: int) -> str:
    held = sum(verdict.success for verdict in verdicts)
    lines = [f"# validate: {held} of {len(verdicts)} expectations hold on {count:,} rows", "", *_leaving(verdicts)]
    lines += ["| holds | severity | expectation | asked | found |", "|---|---|---|---|---|"]
    for verdict in verdicts:
        mark = f"**{_mark(verdict)}**" if verdict.stops else _mark(verdict)
        cells = (verdict.severity, _cell(verdict.name), _cell(_asked(verdict)), _cell(verdict.observed))
        lines.append(f"| {mark} | {' | '.join(cells)} |")
    for verdict in verdicts:
        if verdict.offending and (verdict.severity != "fail" or not verdict.success):
            lines += ["", f"Rows that break {code(verdict.name)}:", "", "| row | value |", "|---|---|"]
            lines += [f"| {row} | {_cell(value)} |" for row, value in verdict.offending]
    return "\n".join(lines)


def _leaving(verdicts: "list[Verdict]") -> list[str]:
    """How many rows leave, and for what; a row that breaks several expectations counts in each."""
    leaving = [verdict for verdict in verdicts if verdict.severity == "quarantine"]
    if not leaving:
        return []
    gone = len({row for verdict in leaving for row in verdict.rows})
    lines = [f"Rows that leave under quarantine: {gone:,}", "", "| expectation | rows that break it |", "|---|---:|"]
    return [*lines, *(f"| {_cell(verdict.name)} | {len(verdict.rows):,} |" for verdict in leaving), ""]


def _cell(text: str) -> str:
    return markdown(text)
