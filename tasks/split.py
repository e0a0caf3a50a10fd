"""split: clean rows come in; train, validation and test rows go out."""

import shutil
from typing import TYPE_CHECKING

from configs.splitting import Split

from .artifact import Artifact
from .cached import cached_task
from .store.output import Output

if TYPE_CHECKING:
    import pandas as pd


@cached_task(opens={"rows": ("rows.parquet", "ledger.parquet", "labels.json")})
def split(out: Output, section: Split, rows: Artifact) -> None:
    """Divide the rows, stratified by label. Raises DataError where a part would be empty."""
    from .data.ledger import dropped_rows, read_ledger
    from .data.rows import read_rows, write_rows
    from .data.splitting import PARTS, split_rows

    table = read_rows(rows.file("rows.parquet"))
    parts = split_rows(table, section)
    for part in PARTS:
        write_rows(table[parts == part], out.data / f"{part}.parquet")
    shutil.copyfile(rows.file("labels.json"), out.data / "labels.json")
    out.rows(
        "split", read_ledger(rows.file("ledger.parquet")), table["id"], dropped_rows(table.head(0), ""), parts=parts
    )
    out.summary(_describe(table, parts, section))


def _describe(table: "pd.DataFrame", parts: "pd.Series", section: Split) -> str:
    import pandas as pd

    from .data.splitting import PARTS

    counts = pd.crosstab(table["label"], parts).reindex(columns=list(PARTS), fill_value=0)
    shares = ", ".join(f"{part} {(parts == part).mean():.1%}" for part in PARTS)
    lines = [f"# split ({section.kind}): {shares}", "", "| label | train | validation | test |", "|---|---:|---:|---:|"]
    return "\n".join(lines + [f"| {label} | {a:,} | {b:,} | {c:,} |" for label, (a, b, c) in
                              zip(counts.index, counts.to_numpy(), strict=True)])  # fmt: skip
