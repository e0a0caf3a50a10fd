"""clean: validated rows come in; normalised rows go out, the others are dropped with a reason."""

import shutil

from configs.schema import Clean

from .artifact import Artifact, StageError
from .cached import cached_task
from .store.output import Output


@cached_task(opens={"checked": ("rows.parquet", "labels.json")})
def clean(out: Output, section: Clean, checked: Artifact) -> None:
    """Normalise texts and drop what must not be trained on. Raises StageError where nothing is left."""
    from .data.cleaning import clean_rows
    from .data.rows import read_rows, write_rows

    raw = read_rows(checked.file("rows.parquet"))
    rows, dropped = clean_rows(raw, section)
    out.rows(raw["id"], rows["id"], dropped)
    changed = int((rows["text"] != raw.set_index("id")["text"].reindex(rows["id"]).to_numpy()).sum())
    reasons = dropped["reason"].value_counts()
    out.summary(
        f"# clean: {len(rows):,} of {len(raw):,} rows kept, {changed:,} texts normalised\n\n"
        "| dropped because | rows |\n|---|---:|\n"
        + "\n".join(f"| {reason} | {count:,} |" for reason, count in reasons.items())
    )
    if rows["label"].nunique() < 2:
        raise StageError(
            f"clean left {len(rows)} rows with {rows['label'].nunique()} label(s); see `clean` in the recipe"
        )
    write_rows(rows, out.data / "rows.parquet")
    shutil.copyfile(checked.file("labels.json"), out.data / "labels.json")
