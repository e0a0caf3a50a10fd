"""clean: validated rows come in; normalised rows go out, the others are dropped with a reason."""

import shutil
from typing import TYPE_CHECKING

from configs.cleaning import Clean

from .artifact import Artifact, StageError
from .cached import cached_task
from .store.output import Output

if TYPE_CHECKING:
    from .data.cleaning import Cleaned


@cached_task(opens={"checked": ("rows.parquet", "ledger.parquet", "labels.json")})
def clean(out: Output, section: Clean, checked: Artifact) -> None:
    """Normalise texts and drop what must not be trained on. Raises StageError where nothing is left."""
    from .data.cleaning import clean_rows
    from .data.ledger import read_ledger
    from .data.rows import read_rows, write_rows

    raw = read_rows(checked.file("rows.parquet"))
    cleaned = clean_rows(raw, section)
    out.rows("clean", read_ledger(checked.file("ledger.parquet")), cleaned.rows["id"], cleaned.dropped)
    out.summary(_describe(len(raw), cleaned))
    labels = cleaned.rows["label"].nunique()
    if labels < 2:
        raise StageError(f"clean left {len(cleaned.rows)} rows with {labels} label(s); see `clean` in the recipe")
    write_rows(cleaned.rows, out.data / "rows.parquet")
    shutil.copyfile(checked.file("labels.json"), out.data / "labels.json")


def _describe(before: int, cleaned: "Cleaned") -> str:
    lines = [f"# clean: {len(cleaned.rows):,} of {before:,} rows kept", ""]
    lines += ["| step | texts changed | rows dropped |", "|---|---:|---:|"]
    lines += [f"| {done.step} | {done.changed:,} | {done.dropped:,} |" for done in cleaned.done]
    reasons = cleaned.dropped["reason"].value_counts()
    if len(reasons):
        lines += ["", "| dropped because | rows |", "|---|---:|"]
        lines += [f"| {reason} | {count:,} |" for reason, count in reasons.items()]
    return "\n".join(lines)
