"""Artifacts up to `encode` -> where the rows are from, where each of them ended, and how labels fall into the parts."""

from collections.abc import Mapping

import pandas as pd
import pyarrow.parquet as pq

from configs.stages import WITH_ROWS

from ..artifact import Artifact
from ..data import ledger as book
from ..data.drops import EXAMPLES
from ..data.rows import classes, content
from .html_elements import Content, Html, element, join, section, table
from .markdown_html import from_markdown

MOST_REASONS, MOST_LABELS = 20, 30
"""Lines of a table; the rest is counted."""
LONGEST = 120
"""Characters of a row that is shown as an example."""


def show_data(stages: Mapping[str, Artifact]) -> Html:
    """Source and licence, rows per stage, and every reason for which rows were dropped, with some of the rows."""
    ledger = _ledger(stages)
    dropped = ledger[ledger["state"] == book.DROPPED]
    kept = {part: int((ledger["state"] == part).sum()) for part in book.PARTS}
    total = " + ".join(f"{count:,} {part}" for part, count in kept.items())
    sentence = element("p", f"{len(ledger):,} raw rows = {total} + {len(dropped):,} dropped.", class_="lead")
    rows: list[list[Content]] = [[name, *_counts(stages[name])] for name in WITH_ROWS]
    steps = table(["stage", "rows in", "kept", "dropped"], rows)
    reasons = _reasons(stages["download"], dropped) if len(dropped) else element("p", "No row was dropped.")
    source, checks = (_page(stages[name]) for name in ("download", "validate"))
    return section(
        "data",
        "Data and dropped rows",
        sentence,
        source,
        steps,
        element("h3", "Dropped rows"),
        reasons,
        element("details", element("summary", "Expectations of the data"), checks),
    )


def _counts(artifact: Artifact) -> list[int]:
    rows = artifact.manifest()["rows"]
    return [rows.get("in", rows["out"]), rows["out"], rows.get("dropped", 0)]


def _ledger(stages: Mapping[str, Artifact]) -> pd.DataFrame:
    return book.read_ledger(stages["encode"].path / "data" / "ledger.parquet")


def _page(artifact: Artifact) -> Html:
    return from_markdown((artifact.records / "summary.md").read_text(encoding="utf-8"))


def _reasons(download: Artifact, dropped: pd.DataFrame) -> Html:
    """A line for each reason, commonest first, with the numbers and contents of a few rows."""
    grouped = sorted(dropped.groupby(["reason", "stage"], sort=False), key=lambda group: -len(group[1]))
    shown = grouped[:MOST_REASONS]
    texts = _contents(download, pd.concat([rows.head(EXAMPLES) for _, rows in shown])["id"])
    lines: list[list[Content]] = []
    for (reason, stage), rows in shown:
        some = rows.head(EXAMPLES)
        examples = [
            element("div", f"{number:,}: {texts[row]}") for number, row in zip(some["number"], some["id"], strict=True)
        ]
        lines.append([str(reason), str(stage), len(rows), join(examples)])
    rest = len(grouped) - len(shown)
    more = element("p", f"and {rest:,} rarer reasons: `temper data` lists them") if rest > 0 else Html()
    return join([table(["reason", "stage", "rows", "such as (row in the source, content)"], lines), more])


def _contents(download: Artifact, ids: pd.Series) -> dict[str, str]:
    """What a few raw rows are about, by id, cut for a table."""
    path = download.path / "data" / "rows.parquet"
    names = pq.read_schema(path).names
    column = "file" if "file" in names else content(pd.DataFrame(columns=names))
    rows = pq.read_table(path, columns=["id", column], filters=[("id", "in", ids.tolist())]).to_pylist()
    return {row["id"]: _cut(row[column]) for row in rows}


def _cut(value: object) -> str:
    text = "(missing)" if value is None else " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def show_splits(stages: Mapping[str, Artifact]) -> Html:
    """How the rows were split, and the parts by label."""
    ledger = _ledger(stages)
    labels = book.parts_by_label(ledger, classes(_labels(stages["download"])))
    labels = labels.assign(all=labels.sum(axis=1)).sort_values("all", ascending=False, kind="stable")
    lines: list[list[Content]] = [
        [label if isinstance(label, str) else "(no label)", *map(int, row)]
        for label, row in zip(labels.index, labels.drop(columns="all").to_numpy(), strict=True)
    ]
    rest = len(lines) - MOST_LABELS
    more = element("p", f"and {rest:,} labels with fewer rows") if rest > 0 else Html()
    shown = table(["label", *book.PARTS, "dropped"], lines[:MOST_LABELS])
    how = ", ".join(
        f"{name}: {value}" for name, value in stages["split"].manifest()["section"].items() if value is not None
    )
    return section(
        "splits", "Splits", element("p", "Section ", element("code", "split"), f" of the recipe: {how}"), shown, more
    )


def _labels(download: Artifact) -> pd.DataFrame:
    path = download.path / "data" / "rows.parquet"
    names = [name for name in ("id", "label") if name in pq.read_schema(path).names]
    rows: pd.DataFrame = pq.read_table(path, columns=names).to_pandas().set_index("id")
    return rows
