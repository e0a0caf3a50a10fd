"""validate: raw rows come in; those that may stay and their label set go out, or the run stops and says why."""

import json

from configs.expectations import Validate

from .artifact import Artifact, StageError
from .cached import cached_task
from .output import Output

IMAGES = "images.parquet"


@cached_task(makes="checked", opens={"raw": ("rows.parquet", "ledger.parquet", IMAGES)})
def validate(out: Output, section: Validate, raw: Artifact) -> None:
    """Check the rows by the recipe's expectations. Raises StageError naming expectation and rows, DataError."""
    import pandas as pd

    from .data.added_rows import apart
    from .data.checks.added_row_checks import added_leaving
    from .data.checks.expectations import check_rows, label_set
    from .data.checks.results import rows_under
    from .data.checks.verdict_page import complaint, describe, line_of, write_rows_that_break
    from .data.drift import profile
    from .data.ledger import read_ledger
    from .data.rows import read_rows, write_rows

    rows, added = apart(read_rows(raw.file("rows.parquet")))
    (out.records / "profile.json").write_text(json.dumps(profile(rows), ensure_ascii=False), encoding="utf-8")
    verdicts, page = check_rows(rows, section)
    (out.records / "data_docs.html").write_text(page, encoding="utf-8")
    out.table([line_of(verdict) for verdict in verdicts])
    out.summary(describe(verdicts, len(rows)))
    write_rows_that_break(verdicts, out.records)
    for verdict in verdicts:
        if verdict.severity == "warn" and not verdict.success:
            out.log(f"does not hold: {verdict.title}: {verdict.observed}")
    stopping = [verdict for verdict in verdicts if verdict.stops]
    if stopping:
        raise StageError("the data do not hold what the recipe expects\n" + "\n".join(map(complaint, stopping)))
    leaving = rows_under(verdicts, "quarantine").drop_duplicates("id").rename(columns={"expectation": "reason"})
    leaving["reason"] = leaving["reason"].replace({verdict.name: verdict.reason for verdict in verdicts})
    kept = rows[~rows["id"].isin(leaving["id"])]
    labels = label_set(kept, section)
    gone = added_leaving(added, section, labels)
    if len(added):
        kept = pd.concat([kept, added[~added["id"].isin(gone["id"])]])
        leaving = pd.concat([leaving, gone])
    write_rows(kept, out.data / "rows.parquet")
    (out.data / "labels.json").write_text(json.dumps(labels, ensure_ascii=False), encoding="utf-8")
    out.rows("validate", read_ledger(raw.file("ledger.parquet")), kept["id"], leaving)
    if "image" in rows:
        out.forward(raw.file(IMAGES))
