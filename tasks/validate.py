"""validate: raw rows come in; the same rows and their label set go out, or the run stops and says why."""

import json
from typing import TYPE_CHECKING

from configs.expectations import Validate

from .artifact import Artifact, StageError
from .cached import cached_task
from .store.output import Output

if TYPE_CHECKING:
    from .data.expectations import Verdict


@cached_task(opens={"raw": ("rows.parquet", "ledger.parquet")})
def validate(out: Output, section: Validate, raw: Artifact) -> None:
    """Hold the rows against the recipe's expectations. Raises StageError naming expectation and rows."""
    from .data.expectations import check_rows, label_set
    from .data.ledger import dropped_rows, read_ledger
    from .data.rows import read_rows, write_rows

    rows = read_rows(raw.file("rows.parquet"))
    verdicts, page = check_rows(rows, section)
    (out.records / "data_docs.html").write_text(page, encoding="utf-8")
    out.table([_line(verdict) for verdict in verdicts])
    out.summary(_describe(verdicts, len(rows)))
    broken = [verdict for verdict in verdicts if not verdict.success]
    if broken:
        raise StageError("the data do not hold what the recipe expects\n" + "\n".join(map(_complaint, broken)))
    write_rows(rows, out.data / "rows.parquet")
    (out.data / "labels.json").write_text(json.dumps(label_set(rows, section), ensure_ascii=False), encoding="utf-8")
    out.rows("validate", read_ledger(raw.file("ledger.parquet")), rows["id"], dropped_rows(rows.head(0), ""))


def _line(verdict: "Verdict") -> dict[str, object]:
    return {
        "holds": "yes" if verdict.success else "NO",
        "expectation": verdict.expectation,
        "asked": verdict.asked,
        "found": verdict.found,
        "rows": "; ".join(f"{row}: {value[:80]}" for row, value in verdict.offending[:3]),
    }


def _complaint(verdict: "Verdict") -> str:
    rows = "".join(f"\n    row {row}: {value[:100]!r}" for row, value in verdict.offending[:5])
    return f"  {verdict.expectation} ({verdict.asked}): {verdict.found}{rows}"


def _describe(verdicts: "list[Verdict]", count: int) -> str:
    held = sum(verdict.success for verdict in verdicts)
    lines = [f"# validate: {held} of {len(verdicts)} expectations hold on {count:,} rows", ""]
    lines += ["| holds | expectation | asked | found |", "|---|---|---|---|"]
    for verdict in verdicts:
        mark = "yes" if verdict.success else "**NO**"
        lines.append(f"| {mark} | {verdict.expectation} | {_cell(verdict.asked)} | {_cell(verdict.found)} |")
    for verdict in verdicts:
        if not verdict.success and verdict.offending:
            lines += ["", f"Rows that break `{verdict.expectation}`:", "", "| row | value |", "|---|---|"]
            lines += [f"| {row} | {_cell(value[:200])} |" for row, value in verdict.offending]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
