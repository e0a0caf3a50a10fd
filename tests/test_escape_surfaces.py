"""Evil labels, texts and names on surfaces of their own: a run's lines, compare, chat, serve, init's recipe."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_escape import LABEL, LABELS, TEXT, clean, inert

from configs.expectations import Expectation, Validate
from configs.load import load_recipe
from flows.cli import chat, init, progress, run, serve
from flows.cli.comparison_table import show_comparison
from flows.cli.console import Console, print_json
from tasks.artifact import Version
from tasks.data.checks.expectations import check_rows
from tasks.data.rows import with_ids
from tasks.learn.comparison import describe
from tasks.store.events import Event

TAG = "\U000e0041"
"""Of the characters beyond four hexadecimal digits that are not seen."""


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What was printed, in which nothing acts, and the words are shown as they are."""
    out, err = capsys.readouterr()
    assert clean(out) and clean(err)
    for word in words:
        assert word in out + err
    return out


def test_a_runs_lines_and_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    display = progress.ProgressDisplay()
    display.show(Event("split", "note", f"{TEXT} {LABEL}"))
    with display:
        display.show(Event(LABEL, "started"))
        display.show(Event("train", "progress", TEXT, 1, 2))
        display.console.print(display.bars)
        display.show(Event(LABEL, "failed"))
        display.show(Event(LABEL, "finished", status="run", key=TEXT, changed=(LABEL,)))
    printed(capsys, "[red]<img src=x", "[/bold]|`x`")
    facts = {
        "shown": ["accuracy", LABEL],
        "scores": {"accuracy": 0.5},
        "intervals": {},
        "kind": "classifier",
        "content": "text",
        "baselines": {LABEL: {"accuracy": 0.9}},
    }
    version = Version("evil", "1", (LABEL,), TEXT, "r", {}, facts, 2, links={"run": TEXT}, example=f"{TEXT}'")
    display.summary(version)
    assert "[/bold]|`x`" in printed(capsys, "[red]<img src=x")
    display.summary(replace(version, report={**facts, "content": "messages"}, aliases=()))
    printed(capsys)


def test_json_documents_hold_the_data_as_it_is_and_nothing_that_acts(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = Version(LABEL, "1", (), TEXT, "r", {}, {}, 2)
    stages = [{"stage": "download", "status": "run", "key": "k", "changed": [LABEL, f"section.path: {TEXT}{TAG}"]}]
    print_json(run.document(stages, version))
    read = json.loads(printed(capsys))
    assert (read["stages"], read["verdict"], read["model"]["name"]) == (stages, TEXT, LABEL)


def compared() -> dict[str, Any]:
    interval = {"mean": 0.1, "low": 0.0, "high": 0.2}
    side = {"accuracy": interval, "spread": 0.1, "trainings": [{"seed": 1, "accuracy": 0.5}]}
    pair = {
        "recipe": LABEL,
        "against": TEXT,
        "difference": interval,
        "p": 0.5,
        "p_holm": 0.5,
        "gained": 1,
        "lost": 1,
        "verdict": "undecided",
    }
    return {
        "rows": 4,
        "groups": 4,
        "confidence": 0.95,
        "recipes": [side | {"name": LABEL}, side | {"name": TEXT}],
        "pairs": [pair],
        "cached": 0,
        "trained": 2,
        "artifacts": "file:///a/%1b[31m%5b/bold%5d",
    }


def test_a_comparison_at_the_terminal_and_as_a_page(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a distillation too: with sizes and times."""
    costs = {"bytes": 4, "milliseconds": {"1": {"p50": 1.0, "p95": 2.0}}}
    plain = compared()
    for report in (plain, {**plain, "recipes": [side | costs for side in plain["recipes"]]}):
        show_comparison(report)
        printed(capsys, "[/bold]", "[red]<img src=x")
        assert inert(describe(report))


class Parrot:
    """Says a text in pieces, after one search, as a dialogue model of the registry does."""

    def __init__(self) -> None:
        self.searched = False

    def stream(self, messages: Sequence[dict[str, Any]], longest: int) -> Iterator[str]:
        yield from TEXT + LABEL

    def may_be_call(self, text: str) -> bool:
        return not self.searched

    def read(self, text: str) -> dict[str, Any]:
        call = {"function": {"name": LABEL, "arguments": {LABEL: [TEXT]}}}
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if not self.searched:
            message["tool_calls"] = [call]
        self.searched = True
        return message

    def answers(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"role": "tool", "content": json.dumps([{"name": f"{LABEL}{TEXT}"}])}]


def test_a_conversation(capsys: pytest.CaptureFixture[str]) -> None:
    parrot: Any = Parrot()  # of the protocol what a conversation calls
    chat.Conversation(parrot, Console(), 10).talk([TEXT, LABEL], echo=True)
    out = printed(capsys)
    assert out.count("[red]<img src=x") >= 4 and "model  > =cmd()" in out


def test_a_servers_example_is_shown_harmless_and_sends_what_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    row = f"{TEXT} 'a' $(id) `id` {TAG}"
    line = serve.curl({"dataframe_split": {"columns": ["text"], "data": [[row], [LABEL]]}}, 5001)
    serve._say(line)
    shown = capsys.readouterr().err
    assert clean(shown)
    *_, body = shlex.split(shown)
    assert json.loads(body)["dataframe_split"]["data"] == [[row]]
    done = subprocess.run(["sh", "-c", f"printf %s {shlex.quote(body)}"], capture_output=True, text=True, check=True)
    assert done.stdout == body


EXPECTED: list[tuple[str, dict[str, Any]]] = [
    ("expect_column_values_to_be_in_set", {"column": LABEL, "value_set": [LABEL, "x"]}),
    ("expect_column_values_to_match_regex", {"column": LABEL, "regex": "<script>alert.2"}),
    ("expect_column_to_exist", {"column": "<script>alert(3)"}),
    ("expect_column_distinct_values_to_equal_set", {"column": LABEL, "value_set": ["<script>alert(4)"]}),
    ("expect_column_most_common_value_to_be_in_set", {"column": LABEL, "value_set": ["<script>alert(5)"]}),
    ("expect_column_pair_values_to_be_equal", {"column_A": LABEL, "column_B": "text"}),
    ("expect_table_columns_to_match_set", {"column_set": ["<script>alert(7)"]}),
]


def test_the_page_of_expectations() -> None:
    rows = pd.DataFrame(
        {"text": [f"{TEXT} {n}" for n in range(20)], "label": [LABELS[n % 2] for n in range(20)], LABEL: [TEXT] * 20}
    )
    asked = tuple(
        Expectation(expect=name, arguments=arguments, name="<script>alert(8)") for name, arguments in EXPECTED
    )
    section = Validate(labels=("[neg]", "other"), min_rows=5, max_duplicates=1.0, expectations=asked)
    verdicts, page = check_rows(with_ids(rows), section)
    assert sum(not verdict.success for verdict in verdicts) >= len(EXPECTED)
    assert "absent: <script>alert(4); too many: =cmd()" in " ".join(verdict.observed for verdict in verdicts)
    assert clean(page) and not re.search("<script>alert|<img src=x", page)
    assert all(f"alert({number})" in page for number in (1, 3, 4, 5, 7))


@pytest.mark.parametrize("kind", ["label_word", "classifier"])
def test_a_starter_recipe_is_read_back_whatever_the_labels_and_columns_are(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = "# no: 'key', \"x\"\nname: planted\r\x85\u2028- [a] {b} & *c !d %e @f"
    labels = [*LABELS, odd, "yes", "null", "1", "~", "é" * 5]
    rows = {odd: [f"{TEXT} {number}" for number in range(240)], LABEL: [labels[n % len(labels)] for n in range(240)]}
    pd.DataFrame(rows).to_json(tmp_path / "evil.json", orient="records")
    init.command(str(tmp_path / "evil.json"), str(tmp_path / "a.yaml"), text=odd, label=LABEL, kind=kind)
    printed(capsys)
    written = (tmp_path / "a.yaml").read_text(encoding="utf-8")
    assert clean(written) and not re.search("^name: planted", written, re.MULTILINE)
    recipe = load_recipe(tmp_path / "a.yaml")
    assert recipe.name == "a" and (recipe.download.columns.text, recipe.download.columns.label) == (odd, LABEL)  # type: ignore[union-attr]
    assert set(recipe.validate.labels or ()) == set(labels)
