"""Transcripts: true and written turns side by side, arguments marked, whatever the texts hold."""

import json
import re
from html.parser import HTMLParser
from typing import Any

from tasks.kinds.dialogue.metrics import Turn
from tasks.kinds.dialogue.transcripts import LONGEST, Transcript, markdown, page, sample_transcripts


def call(**arguments: Any) -> dict[str, Any]:
    made = [{"type": "function", "function": {"name": "search_hotels", "arguments": arguments}}]
    return {"role": "assistant", "content": "", "tool_calls": made}


USER = {"role": "user", "content": "一家 *cheap* | hotel <b>\n请"}
TRUE = call(type="经济型", price="400-500元")
WRITTEN = call(type="经济型", price="500元", name="如家")
RECORDS = {"role": "tool", "content": json.dumps([{"name": "如家"}] * 200, ensure_ascii=False)}
LAST = {"role": "assistant", "content": "如家 is <cheap> & good"}
DIALOGUE = [USER, TRUE, RECORDS, LAST]
TURNS = [Turn("d<1>", 1, TRUE, WRITTEN, True), Turn("d<1>", 3, LAST, {"role": "assistant", "content": ""}, False)]


class Cells(HTMLParser):
    """The texts of a page's cells, row by row; fails at a tag that is closed out of turn."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if set(self.open) & {"td", "th"}:
            self.rows[-1][-1] += data


def test_a_page_shows_both_sides() -> None:
    cells = Cells()
    cells.feed(page([Transcript("d<1>", DIALOGUE, {turn.position: turn for turn in TURNS})]))
    assert cells.open == []
    head, user, search, records, last = cells.rows
    assert head == ["", "true", "written"]
    assert user == ["user", USER["content"]]
    assert search == [
        "assistant",
        "search_hotels✗ price = 400-500元✓ type = 经济型",
        "search_hotels✗ name = 如家✗ price = 500元✓ type = 经济型",
    ]
    assert records[1].startswith(RECORDS["content"][:LONGEST]) and records[1].endswith("(3,200 letters)")
    assert last == ["assistant", LAST["content"], "emptyno end of turn"]


def test_a_table_has_three_columns_whatever_is_said() -> None:
    text = markdown([Transcript("d<1>", DIALOGUE, {turn.position: turn for turn in TURNS})])
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(DIALOGUE)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}
    assert r"一家 \*cheap\* \| hotel &lt;b&gt;<br>请" in rows[2]
    assert "✗ **price = 500元**<br>✓ type = 经济型" in rows[3]
    assert rows[5].endswith("| *empty*<br>*no end of turn* |")


def test_scripts_in_a_dialogue_stay_text() -> None:
    evil = {"role": "assistant", "content": "<script>alert(1)</script>"}
    shown = Transcript("<script>", [evil, call(**{"<img src=x>": "<i>"})], {0: Turn("<script>", 0, evil, evil, True)})
    for text in (page([shown]), markdown([shown])):
        assert not re.search("<(script|img|i)", text)


def test_a_given_call_is_not_marked() -> None:
    text = markdown([Transcript("d", [TRUE, LAST], {1: Turn("d", 1, LAST, LAST, True)})])
    assert "*search\\_hotels*<br>price = 400-500元<br>type = 经济型 |" in text and "✓" not in text


def test_a_sample_is_of_dialogues_with_written_turns() -> None:
    dialogues = {f"d{i}": DIALOGUE for i in range(20)}
    turns = [Turn(f"d{i}", 1, TRUE, WRITTEN, True) for i in range(1, 20)]
    found = sample_transcripts(dialogues, turns, 5, seed=1)
    names = [one.dialogue for one in found]
    assert len(names) == 5 and "d0" not in names and names == sorted(names, key=lambda name: int(name[1:]))
    assert names == [one.dialogue for one in sample_transcripts(dialogues, turns, 5, seed=1)]
    assert names != [one.dialogue for one in sample_transcripts(dialogues, turns, 5, seed=2)]
    assert len(sample_transcripts(dialogues, turns, 99, seed=1)) == 19
    assert found[0].turns[1].written == WRITTEN
