"""download: the recipe's source comes in, rows (id, text, label, given split) go out."""

from typing import TYPE_CHECKING

from configs.sources import Source

from .cached import cached_task
from .store.output import Output

if TYPE_CHECKING:
    import pandas as pd


@cached_task(libraries=("pandas", "pyarrow"))
def download(out: Output, section: Source) -> None:
    """Fetch and read the source; every raw row gets its id. Raises DataError."""
    from .data.ledger import open_ledger, write_ledger
    from .data.rows import with_ids, write_rows
    from .data.sources import load_rows

    rows = with_ids(load_rows(section, out.beside))
    write_rows(rows, out.data / "rows.parquet")
    write_ledger(open_ledger(rows["id"]), out.data / "ledger.parquet")
    out.counts = {"out": len(rows)}
    out.summary(_describe(rows, section))


def _describe(rows: "pd.DataFrame", section: Source) -> str:
    counts = rows["label"].value_counts(dropna=False)
    lines = [f"# download: {len(rows):,} rows", f"Source: `{section.kind}`", "", "| label | rows |", "|---|---:|"]
    return "\n".join(lines + [f"| {label} | {count:,} |" for label, count in counts.items()])
