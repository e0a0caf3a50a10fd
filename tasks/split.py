"""split: clean rows come in; train, validation and test rows go out, without near-copies across them."""

from typing import TYPE_CHECKING

from configs.splitting import Split

from .artifact import Artifact
from .cached import cached_task
from .data.escape import markdown
from .output import Output

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 5
"""Absent labels that are named."""
LISTED = 50
"""Labels that the page has a line for, those of most rows first where there are more."""


@cached_task(
    makes="splits",
    opens={"rows": ("rows.parquet", "ledger.parquet", "labels.json", "images.parquet")},
    libraries=("rensa",),
)
def split(out: Output, section: Split, rows: Artifact) -> None:
    """Divide the rows and compare the parts. Raises DataError where a part would be empty."""
    import pandas as pd

    from .data.added_rows import apart, without_empty
    from .data.joined_rows import join
    from .data.leakage import near_copies, reasons, shared_sides
    from .data.ledger import PARTS, dropped_rows, read_ledger
    from .data.rows import each_label, read_rows, write_rows
    from .data.splitting import require_common_labels, require_parts, split_rows
    from .data.train_subset import beyond_train_rows

    table, added = apart(read_rows(rows.file("rows.parquet")))
    parts = split_rows(table, section)
    copies = near_copies(table, parts, section)
    dropped = reasons(copies) if section.near_copies == "drop" else dropped_rows(table.head(0), "")
    table, parts = _without(dropped, table, parts)
    beyond = beyond_train_rows(table, parts, section)
    table, parts = _without(beyond, table, parts)
    joined = join(table, parts, added, section)
    table, parts = joined.rows, joined.parts
    require_parts(parts, section, table)
    labels = each_label(table)
    require_common_labels(labels, parts.loc[labels.index])
    for part in PARTS:
        write_rows(without_empty(table[parts == part]), out.data / f"{part}.parquet")
    out.forward(rows.file("labels.json"))
    if "image" in table:
        out.forward(rows.file("images.parquet"))
    dropped = pd.concat([dropped, beyond, joined.gone], ignore_index=True)
    out.rows("split", read_ledger(rows.file("ledger.parquet")), table["id"], dropped, parts=parts)
    leaks = pd.concat([copies, joined.copies], ignore_index=True) if len(joined.copies) else copies
    leaks.astype({"similarity": "float64"}).to_parquet(out.records / "near_copies.parquet")
    if len(added):
        out.log(f"{len(added) - len(joined.gone):,} of {len(added):,} added rows are for training")
    if len(beyond):
        out.log(f"{len(beyond):,} training rows beyond split.train_rows ({section.train_rows:,}) are dropped")
    searched = "text_pair" in table and section.near_copies != "keep"
    shared = shared_sides(table, parts, section) if searched else None
    if shared is not None:
        shared.astype({"similarity": "float64"}).to_parquet(out.records / "shared_sides.parquet")
    if section.near_copies == "report" and len(copies):
        out.log(f"{len(copies):,} rows are near-copies of a held-out row; `split.near_copies: drop` drops them")
    counts = pd.crosstab(labels.to_numpy(), parts.loc[labels.index].to_numpy())
    for part in counts.columns:
        if absent := counts.index[counts[part] == 0].tolist():
            out.log(f"no {part} row has the label {', '.join(absent[:SHOWN])}{_more(len(absent) - SHOWN)}")
    out.summary(_describe(counts, parts, copies=copies, section=section) + _describe_sides(shared))


def _without(dropped: "pd.DataFrame", rows: "pd.DataFrame", parts: "pd.Series") -> tuple["pd.DataFrame", "pd.Series"]:
    """The rows that stay, and their parts."""
    kept = ~rows["id"].isin(dropped["id"])
    return rows[kept], parts[kept]


def _more(count: int) -> str:
    return f" and {count:,} others" if count > 0 else ""


def _describe(counts: "pd.DataFrame", parts: "pd.Series", *, copies: "pd.DataFrame", section: Split) -> str:
    from .data.drops import first_of
    from .data.ledger import PARTS

    counts = counts.reindex(columns=list(PARTS), fill_value=0)
    shares = ", ".join(f"{part} {(parts == part).mean():.1%}" for part in PARTS)
    lines = [f"# split ({section.kind}): {shares}", "", "| label | train | validation | test |", "|---|---:|---:|---:|"]
    listed = counts if len(counts) <= LISTED else counts.loc[counts.sum(axis=1).nlargest(LISTED).index]
    lines += [
        f"| {markdown(str(label))} | {' | '.join(f'{n:,}' for n in row)} |"
        for label, row in zip(listed.index, listed.to_numpy(), strict=True)
    ]
    if len(listed) < len(counts):
        lines += ["", f"… and {len(counts) - len(listed):,} labels more, of fewer rows."]
    if section.near_copies == "keep":
        return "\n".join([*lines, "", "Near-copies across the parts were not searched for."])
    done = "dropped" if section.near_copies == "drop" else "found and **left in**"
    lines += [
        "",
        f"Near-copies of held-out rows (Jaccard index at least {section.similarity:g}): {len(copies):,} {done}.",
    ]
    for (part, other), pairs in copies.groupby(["part", "other_part"]):
        shown = (
            f"{row} ({similarity:.2f} of {held})"
            for row, similarity, held in zip(pairs["id"], pairs["similarity"], pairs["other"], strict=True)
        )
        lines.append(f"- {len(pairs):,} {part} rows copy a {other} row, such as {first_of(shown)}")
    return "\n".join(lines)


def _describe_sides(shared: "pd.DataFrame | None") -> str:
    """Of pairs of texts: rows that have one text in common with a held-out row."""
    from .data.drops import first_of

    if shared is None:
        return ""
    lines = [
        f"\n\nPairs of which one text nearly copies a text of a held-out pair: {shared['id'].nunique():,} "
        "**left in**; `split.by: group` keeps pairs of one text together."
    ]
    for (part, side, other), copies in shared.groupby(["part", "side", "other_part"]):
        places = zip(copies["id"], copies["other_side"], copies["other"], strict=True)
        examples = first_of(f"{row} (the {held_side} of {held})" for row, held_side, held in places)
        lines.append(f"- {len(copies):,} {part} rows share their `{side}` with a {other} row, such as {examples}")
    return "\n".join(lines)
