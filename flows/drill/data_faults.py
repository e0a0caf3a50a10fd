"""Faults of the data: copies of held-out rows in other parts, and a secret in a row."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .fault import Copy, Fault, NotApplicable, Uncaught
from .planting import planted

if TYPE_CHECKING:
    import pandas as pd

COPIES = 100
"""Rows of which a copy is planted."""
PLANTED = "drill"
"""How ids of planted rows begin."""
SECRET = "ghp_" + "Dr1LL" * 8
"""A text that looks like a token of GitHub's, and is none."""


def plant_copies(copy: Copy) -> str:
    """Rows that stand in the data again with one character more, which no step of `clean` has seen."""
    import pandas as pd

    from tasks.data.ledger import DROPPED, PARTS, read_ledger
    from tasks.data.rows import content, read_rows

    before: dict[str, str] = {}
    for part in PARTS:
        before |= dict.fromkeys(read_rows(copy.artifacts["split"].file(f"{part}.parquet"))["id"], part)

    def edit(data: Path) -> None:
        rows = read_rows(data / "rows.parquet").copy()
        known = rows[rows["id"].isin(list(before))]
        what = content(known)
        longest = known[what].str.len().sort_values(kind="stable").index[-COPIES:]
        chosen = known.loc[longest]
        more = {"text": _with_a_dot, "messages": _to_last_turn(_with_a_dot)}.get(what, str)
        ids = [f"{PLANTED}-{number}-{row}" for number, row in enumerate(chosen["id"])]
        copies = chosen.assign(id=ids)
        copies[what] = chosen[what].map(more)
        if "group" in copies:
            copies["group"] = pd.Series(None, index=copies.index, dtype="str")
        if "split" in copies and copies["split"].notna().any():
            given = copies["split"].to_numpy()
            other = {name: "test" if name != "test" else "train" for name in {*given} if isinstance(name, str)}
            copies["split"] = copies["split"].map(other).where(copies["split"].notna())
        _write_more(data, rows, copies)

    result = copy.run("split", rows=planted(copy.artifacts["clean"], edit)).result
    ledger = read_ledger(result.file("ledger.parquet")).set_index("id")
    ours = [row for row in ledger.index if row.startswith(PLANTED)]
    state = ledger["state"]
    pairs = [(row, row.split("-", 2)[2]) for row in ours]
    across = [(a, b) for a, b in pairs if DROPPED not in (state[a], state[b]) and state[a] != state[b]]
    dropped = [a for pair in pairs for a in pair if state[a] == DROPPED]
    if not across and not dropped:
        raise NotApplicable("no copy came into another part than its original")
    listed = pd.read_parquet(result.records / "near_copies.parquet") if across else pd.DataFrame()
    reported = {*listed["id"], *listed["other"]} if across and len(listed) else set()
    through = [pair for pair in across if not {*pair} & reported]
    if through:
        raise Uncaught(f"{len(through)} copies stand in another part than their originals, such as {through[0][0]}")
    if across:
        return f"{len(across)} copies in other parts are reported (split.near_copies: report)"
    return f"{len(dropped)} rows dropped: {ledger['reason'][dropped[0]]}"


def _write_more(data: Path, rows: "pd.DataFrame", more: "pd.DataFrame") -> None:
    """The rows with more behind them, and a ledger that knows these."""
    import pandas as pd

    from tasks.data.ledger import IN, read_ledger, write_ledger
    from tasks.data.rows import write_rows

    write_rows(pd.concat([rows, more], ignore_index=True), data / "rows.parquet")
    ledger = read_ledger(data / "ledger.parquet")
    first = int(ledger["number"].max()) + 1
    lines = pd.DataFrame({"id": more["id"].to_numpy(), "number": range(first, first + len(more))})
    known = ledger[ledger["state"] == IN].iloc[0]
    lines = lines.assign(state=IN, stage=known["stage"], reason=known["reason"])
    write_ledger(pd.concat([ledger, lines[list(ledger)]], ignore_index=True), data / "ledger.parquet")


def plant_secret(copy: Copy) -> str:
    """A token in the text of the first row."""
    import pandas as pd

    from tasks.artifact import StageError
    from tasks.data.rows import content, read_rows, write_rows

    chosen: list[str] = []

    def edit(data: Path) -> None:
        rows = read_rows(data / "rows.parquet").copy()
        what = content(rows)
        if what == "image":
            raise NotApplicable("the rows are images, which hold no text")
        at = rows.index[rows[what].notna()][0]
        chosen.append(str(rows.loc[at, "id"]))
        add = _to_last_turn(_with_secret) if what == "messages" else _with_secret
        rows.loc[at, what] = add(rows.loc[at, what])
        write_rows(rows, data / "rows.parquet")

    raw = planted(copy.artifacts["download"], edit)
    try:
        result = copy.run("validate", raw=raw).result
    except StageError as error:
        if chosen[0] in str(error):
            return str(error).splitlines()[-1].strip()
        raise Uncaught(f"validate stopped for another reason: {str(error).splitlines()[0]}") from None
    for name in ("warned", "quarantined"):
        path = result.records / f"{name}.parquet"
        if path.exists():
            lines = pd.read_parquet(path)
            named = lines.loc[(lines["id"] == chosen[0]) & lines["expectation"].str.contains("secret"), "expectation"]
            if len(named):
                return f"row {chosen[0]} is {name}: {named.iloc[0]}"
    raise Uncaught(f"validate names no secret in row {chosen[0]}")


def _with_secret(text: str) -> str:
    return f"{text} {SECRET}"


def _with_a_dot(text: str) -> str:
    return f"{text}."


def _to_last_turn(change: Callable[[str], str]) -> Callable[[str], str]:
    """A change of the last turn of a dialogue that has a text."""

    def changed(messages: str) -> str:
        turns = json.loads(messages)
        at = next(number for number in reversed(range(len(turns))) if isinstance(turns[number].get("content"), str))
        turns[at]["content"] = change(turns[at]["content"])
        return json.dumps(turns, ensure_ascii=False)

    return changed


def faults() -> list[Fault]:
    """In the order of the pipeline."""
    return [
        Fault("a secret in a row", "validate: rule secrets", plant_secret),
        Fault("duplicates across the splits", "split: near-copies", plant_copies),
    ]
