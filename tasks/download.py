"""download: the recipe's source comes in, rows (id, text or image, label, …) go out."""

from typing import TYPE_CHECKING

from configs.added_rows import MADE_BY
from configs.sources import Source, added_rows

from .auxiliary import noted
from .cached import cached_task
from .data.escape import markdown
from .data.sources.provenance import Intake, describe_provenance, write_provenance
from .output import Outcome, Output

if TYPE_CHECKING:
    import pandas as pd

    from .data.sources.provenance import Provenance


@cached_task(makes="raw", libraries=("pandas", "pyarrow"))
def download(out: Output, section: Source) -> None:
    """Fetch and read the source; every raw row gets its id. Raises DataError."""
    from .data.added_rows import with_added
    from .data.ledger import open_ledger, write_ledger
    from .data.rows import with_ids, write_rows
    from .data.sources.added_artifacts import name_of, opened, table_of
    from .data.sources.read import read_source

    intake = Intake(out.scratch, out.data / "images.parquet", out.secret, out.progress)
    brought = [opened(extra, out.log) for extra in added_rows(section)]
    rows = with_ids(with_added(read_source(section, intake), map(table_of, brought)))
    for artifact in brought:
        intake.note(f"rows of {name_of(artifact)} are added for training")
        noted(Outcome(artifact, "cached"))
    write_rows(rows, out.data / "rows.parquet")
    write_ledger(open_ledger(rows["id"], rows.get(MADE_BY)), out.data / "ledger.parquet")
    about = intake.provenance(section.kind, len(rows))
    write_provenance(about, out.records / "provenance.json")
    out.provenance = about
    for note in intake.notes:
        out.log(note)
    out.counts = {"out": len(rows)}
    out.summary(_describe(rows, intake.notes, about))


def _describe(rows: "pd.DataFrame", notes: list[str], about: "Provenance") -> str:
    from .data.rows import each_label

    counts = each_label(rows).value_counts(dropna=False)
    lines = [f"# download: {len(rows):,} rows", *describe_provenance(about), *(f"- {markdown(note)}" for note in notes)]
    lines += ["", "| label | rows |", "|---|---:|"]
    return "\n".join(lines + [f"| {markdown(str(label))} | {count:,} |" for label, count in counts.items()])
