"""A row of a recipe's source: as it came in, where it ended, and how one is found among all."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from configs.stages import WITH_ROWS

if TYPE_CHECKING:
    import pandas as pd

    from tasks.artifact import Artifact


IMAGES = "images.parquet"
SHOWN = 8
"""Rows listed where a text fits several."""
WIDTH = 300
"""Characters of a text that are shown."""
SEARCHED = 20_000
"""Up to so many rows are searched for the nearest text where none fits."""
Plain = str | int | float | bool
"""A value that JSON has."""


@dataclass(frozen=True)
class Row:
    """The row that is followed: as it came in, where it ended (`state`; `stage` and `reason` of a dropped one), and
    every raw row's text or file by id, for those that it repeats."""

    id: str
    raw: dict[str, Plain]
    state: str
    stage: str
    reason: str
    contents: "pd.Series"

    @property
    def text(self) -> str | None:
        """None for an image and where it is missing."""
        return self._column("text")

    @property
    def second(self) -> str | None:
        """The second text of a pair."""
        return self._column("text_pair")

    def _column(self, name: str) -> str | None:
        return str(self.raw[name]) if name in self.raw else None

    def reached(self, stage: str) -> bool:
        """Whether the row came into this stage."""
        return self.state != "dropped" or WITH_ROWS.index(stage) <= WITH_ROWS.index(self.stage)


def row_at(stages: "dict[str, Artifact]", at: int) -> Row:
    """The raw row at this position (from 0), with where it ended."""
    from tasks.data.ledger import read_ledger
    from tasks.data.rows import read_rows

    rows = read_rows(stages["download"].file("rows.parquet"))
    ledger = read_ledger(stages["encode"].file("ledger.parquet")).iloc[at]
    raw = {str(name): plain(value) for name, value in rows.iloc[at].dropna().items()}
    contents = contents_of(rows).set_axis(rows["id"])
    state, stage, reason = (str(ledger[name]) for name in ("state", "stage", "reason"))
    return Row(str(raw.pop("id")), raw, state, stage, reason, contents)


def contents_of(rows: "pd.DataFrame") -> "pd.Series":
    """What each row says: its text, both texts of a pair, the words of its dialogue, or its image's file."""
    import pandas as pd

    from tasks.data.dialogues.messages import load_messages, transcript

    if "text_pair" in rows:
        return rows["text"].fillna("") + " | " + rows["text_pair"].fillna("")
    if "messages" not in rows:
        return rows["text" if "text" in rows else "file" if "file" in rows else "image"]
    shown = rows["messages"].map(lambda messages: transcript(load_messages(messages)), na_action="ignore")
    return pd.Series(shown, index=rows.index, dtype="str")


def plain(value: Any) -> Plain:
    """A value as JSON has it; else its text."""
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, str | int | float | bool) else str(value)


def find_row(raw: "pd.DataFrame", wanted: str) -> int:
    """Position of the row of this number (from 1), id, text, unique part of a text, or unique beginning of an id.

    Raises RecipeError.
    """
    from configs.load import RecipeError

    if wanted.isascii() and wanted.isdecimal() and 1 <= int(wanted) <= len(raw):
        return int(wanted) - 1
    contents = contents_of(raw)
    for fits in _looks(raw["id"], contents, wanted):
        positions = fits.to_numpy(dtype=bool).nonzero()[0]
        if len(positions) == 1:
            return int(positions[0])
        if len(positions) > 1:
            lines = [f"\n  {raw['id'].iloc[at]}  {shortened(str(contents.iloc[at]), 80)}" for at in positions[:SHOWN]]
            lines += [f"\n  … and {len(positions) - SHOWN:,} more"] if len(positions) > SHOWN else []
            asked = f"{len(positions):,} rows fit {shortened(wanted)}; give an id or a number:"
            raise RecipeError(asked + "".join(lines))
    raise RecipeError(f"no row has the number, id or text {shortened(wanted)}; {_hint(raw['id'], contents, wanted)}")


def _looks(ids: "pd.Series", contents: "pd.Series", wanted: str) -> "Iterator[pd.Series]":
    """Which rows fit, the closest kind of fit first."""
    yield ids == wanted
    yield contents == wanted
    if wanted.strip() and not wanted.isdecimal():  # a number out of range is a slip, not a part of a text
        yield contents.str.contains(wanted, regex=False, na=False)
        yield ids.str.startswith(wanted)


def _hint(ids: "pd.Series", contents: "pd.Series", wanted: str) -> str:
    numbers = f"rows are numbered from 1 to {len(ids):,}"
    if wanted.isdecimal() or not wanted.strip() or len(ids) > SEARCHED:
        return numbers
    near = difflib.get_close_matches(wanted, [*ids, *contents.dropna()], 1, 0.5)
    return f"did you mean {near[0][:100]!r}?" if near else numbers


def shortened(value: Any, width: int = WIDTH) -> str:
    """A text in quotes, so that blanks and control characters show."""
    return repr(value if len(value) <= width else value[:width] + "…") if isinstance(value, str) else str(value)
