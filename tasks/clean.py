"""clean: validated rows come in; normalised rows go out, the others are dropped with a reason."""

import json
from typing import TYPE_CHECKING

from configs.cleaning import Clean

from .artifact import Artifact, StageError
from .cached import cached_task
from .output import Output

if TYPE_CHECKING:
    from .data.cleaning.report import Cleaned

IMAGES = "images.parquet"


@cached_task(
    makes="rows",
    opens={"checked": ("rows.parquet", "ledger.parquet", "labels.json", IMAGES)},
    libraries=lambda section: section.packages,
)
def clean(out: Output, section: Clean, checked: Artifact) -> None:
    """Normalise texts and drop what must not be trained on. Raises DataError, StageError where too little is left."""
    from .data.added_rows import apart
    from .data.cleaning.added_texts import clean_apart
    from .data.cleaning.pipeline import clean_rows, require_rest, require_whole
    from .data.cleaning.report import describe
    from .data.ledger import read_ledger
    from .data.rows import classes, read_rows, write_rows

    raw = read_rows(checked.file("rows.parquet"))
    own, added = apart(raw)
    mine = clean_rows(own, section, checked.file(IMAGES) if "image" in raw else None)
    cleaned = clean_apart(mine, added, section)
    out.summary(describe(cleaned))
    _record(out, cleaned)
    require_rest(mine, section)
    require_whole(cleaned)
    labels = classes(cleaned.rows).nunique()
    if cleaned.rows.empty or (labels < 2 and "label" in raw):
        raise StageError(f"clean left {len(cleaned.rows)} rows with {labels} label(s); see `clean` in the recipe")
    out.rows("clean", read_ledger(checked.file("ledger.parquet")), cleaned.rows["id"], cleaned.dropped)
    write_rows(cleaned.rows, out.data / "rows.parquet")
    out.forward(checked.file("labels.json"))
    if "image" in raw:
        out.forward(checked.file(IMAGES))


def _record(out: Output, cleaned: "Cleaned") -> None:
    """Counts per step; what steps list; of dropped rows the texts and which row each repeats or contradicts."""
    from .data.cleaning.report import counted

    (out.records / "steps.json").write_text(json.dumps(counted(cleaned), indent=1), encoding="utf-8")
    partners = cleaned.dropped[["id", "other"]].dropna()
    partners.to_parquet(out.records / "partners.parquet", index=False)
    cleaned.dropped[["id", "text"]].to_parquet(out.records / "dropped.parquet", index=False)
    for done in cleaned.done:
        if done.listed is not None:
            done.listed.to_parquet(out.records / f"{done.step}.parquet", index=False)
            out.log(f"{done.step} lists {len(done.listed):,} rows")
