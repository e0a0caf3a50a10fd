"""Artifacts of the stages come in; how many rows each kept and dropped, and why, goes out."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.artifact import Artifact

    from .trace_document import RowCounts, StageRows


def count_rows(stages: "dict[str, Artifact]") -> "RowCounts":
    """Counts of rows over the stages up to split or encode. Raises StageError where rows are not conserved."""
    from tasks.artifact import StageError
    from tasks.data import ledger as book
    from tasks.data.rows import each_label, read_rows

    raw = read_rows(stages["download"].file("rows.parquet"))
    ledger = book.read_ledger(list(stages.values())[-1].file("ledger.parquet"))
    try:
        book.require_ended(ledger, len(raw))
    except ValueError as error:
        raise StageError(str(error)) from None
    flow = book.flow_of_rows(ledger)
    dropped = flow[~flow["outcome"].isin(book.PARTS)].sort_values("rows", ascending=False, kind="stable")
    steps = stages["clean"].records / "steps.json"
    labels = book.parts_by_label(ledger, each_label(raw.set_index("id")))
    return {
        "raw": len(raw),
        "parts": {part: int((ledger["state"] == part).sum()) for part in book.PARTS},
        "dropped": int((ledger["state"] == book.DROPPED).sum()),
        "stages": [_rows(name, artifact) for name, artifact in stages.items()],
        "steps": json.loads(steps.read_text(encoding="utf-8")),
        "warnings": _warnings(stages["validate"]),
        "reasons": dropped.assign(share=dropped["rows"] / len(raw)).to_dict("records"),
        "labels": [
            {"label": label if isinstance(label, str) else None, **row}
            for label, row in zip(labels.index, labels.to_dict("records"), strict=True)
        ],
    }


def commonest_problem(stages: "dict[str, Artifact]") -> str:
    """What most rows were dropped for, up to `encode`; else the first warning of `validate`; else nothing."""
    from tasks.data import ledger as book

    flow = book.flow_of_rows(book.read_ledger(stages["encode"].file("ledger.parquet")))
    gone = flow[~flow["outcome"].isin(book.PARTS)]
    if len(gone):
        first = gone.sort_values("rows", ascending=False, kind="stable").iloc[0]
        most = f"{first['rows']:,} of them in {first['stage']}: {first['outcome']}"
        return f"Dropped: {gone['rows'].sum():,} of {flow['rows'].sum():,} rows, {most}"
    warnings = _warnings(stages["validate"])
    return f"Warning: {warnings[0]['expectation']}: {warnings[0]['found']}" if warnings else ""


def _rows(stage: str, artifact: "Artifact") -> "StageRows":
    counts = artifact.manifest()["rows"]
    return {
        "stage": stage,
        "in": counts.get("in", counts["out"]),
        "kept": counts["out"],
        "dropped": counts.get("dropped", 0),
    }


def _warnings(validate: "Artifact") -> list[dict[str, str]]:
    """What does not hold and does not stop the run either, rows in quarantine aside, which are counted as dropped."""
    lines = json.loads((validate.records / "table.json").read_text(encoding="utf-8"))
    return [
        {name: line[name] for name in ("expectation", "found")}
        for line in lines
        if line["holds"] == "no" and line["severity"] == "warn"
    ]
