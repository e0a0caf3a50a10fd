"""What cleaning did: counts and examples of each step in, a page for a person and plain values out."""

from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

import pandas as pd

from ..escape import code, markdown

EXAMPLES = 5
REASONS = 10
"""So many reasons are shown with examples."""
WIDTH = 80
"""Characters of an example."""


@dataclass(frozen=True)
class Done:
    """One step: how many texts it changed and rows it dropped, with examples, what it lists, and how long it took."""

    step: str
    changed: int = 0
    dropped: int = 0
    changes: tuple[tuple[str, str, str], ...] = ()
    """Id, text before, text after."""
    losses: tuple[tuple[str, str, str], ...] = ()
    """Reason, id, content; up to EXAMPLES of a reason."""
    listed: pd.DataFrame | None = None
    note: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Cleaned:
    """Rows that are left; dropped rows: id, reason, other (id of the row repeated or contradicted), text (as the steps
    before had left it; null for images); a line per step."""

    rows: pd.DataFrame
    dropped: pd.DataFrame
    done: tuple[Done, ...] = field(default=())

    @property
    def before(self) -> int:
        """Rows there were."""
        return len(self.rows) + len(self.dropped)


def describe(cleaned: Cleaned) -> str:
    """Counts per step and reason, then examples of what changed and of what was dropped."""
    lines = [f"# clean: {len(cleaned.rows):,} of {cleaned.before:,} rows kept", ""]
    lines += ["| step | texts changed | rows dropped | rows listed |", "|---|---:|---:|---:|"]
    lines += [f"| {done.step} | {done.changed:,} | {done.dropped:,} | {_listed(done)} |" for done in cleaned.done]
    counts = cleaned.dropped["reason"].value_counts()
    if len(counts):
        lines += ["", "| dropped because | rows |", "|---|---:|"]
        lines += [f"| {markdown(str(reason))} | {count:,} |" for reason, count in counts.items()]
    for done in cleaned.done:
        if done.changes:
            lines += ["", f"Changed by {done.step}:", "", "| row | before | after |", "|---|---|---|"]
            lines += [f"| {row} | {code(a)} | {code(b)} |" for row, a, b in map(_difference, done.changes)]
        if done.listed is not None and len(done.listed):
            lines += ["", f"Listed by {done.step} ({done.note}), all of them in `{done.step}.parquet`:", ""]
            lines += _table(done.listed)
    lost = [loss for done in cleaned.done for loss in done.losses]
    for reason in counts.index[:REASONS]:
        shown = [(row, content) for why, row, content in lost if why == reason][:EXAMPLES]
        lines += ["", f"Dropped because {markdown(str(reason))}:", "", "| row | content |", "|---|---|"]
        lines += [f"| {row} | {code(content[:WIDTH])} |" for row, content in shown]
    return "\n".join(lines)


class StepCounts(TypedDict):
    """A step in steps.json; listed: rows in its table, where it has one."""

    step: str
    changed: int
    dropped: int
    seconds: float
    listed: NotRequired[int]


def counted(cleaned: Cleaned) -> list[StepCounts]:
    """Per step its counts and its seconds."""
    return [_counts(done) for done in cleaned.done]


def _counts(done: Done) -> StepCounts:
    counts: StepCounts = {
        "step": done.step,
        "changed": done.changed,
        "dropped": done.dropped,
        "seconds": round(done.seconds, 3),
    }
    return counts if done.listed is None else {**counts, "listed": len(done.listed)}


def _listed(done: Done) -> str:
    return "" if done.listed is None else f"{len(done.listed):,}"


def _table(listed: pd.DataFrame) -> list[str]:
    lines = [f"| {' | '.join(map(markdown, listed.columns))} |", "|---" * listed.shape[1] + "|"]
    for row in listed.head(EXAMPLES).itertuples(index=False):
        cells = [f"{cell:.3f}" if isinstance(cell, float) else code(str(cell)[:WIDTH]) for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _difference(change: tuple[str, str, str]) -> tuple[str, str, str]:
    """The part of a change that is shown: from shortly before the first letter that differs."""
    row, before, after = change
    same = next((at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(after))
    start = max(same - WIDTH // 4, 0)
    lead = "…" if start else ""
    return row, lead + before[start : start + WIDTH], lead + after[start : start + WIDTH]
