"""temper data and temper trace: every row accounted for, and one row's whole way, on a small real recipe."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer import Exit

from tasks.data.ledger import advance, flow_of_rows, open_ledger, require_ended

RECIPE = """
name: traced
download: {kind: file, path: rows.csv}
validate:
  labels: [bad, good]
  expectations:
  - expect: expect_column_values_to_not_match_regex
    arguments: {column: text, regex: "^SPAM"}
    severity: quarantine
  - expect: expect_column_values_to_not_match_regex
    arguments: {column: text, regex: "[!]$"}
    severity: warn
clean:
  steps: [html, whitespace, missing, contradictions, duplicates]
encode: {kind: generative, tokenizer: {kind: train, vocab_size: 400}, max_length: 32}
train: {model: {kind: new, family: gpt2, config: {n_layer: 1, n_head: 1, n_embd: 8, n_positions: 32}}}
register: {model: traced}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """60 rows of their own; then a quarantined one, a duplicate pair, a contradictory pair, one with entities and !."""
    rows = [(f"{'dull' if n % 2 else 'bright'} {n * 7919} {'x' * (n % 9)} story", "bad" if n % 2 else "good")
            for n in range(60)]  # fmt: skip
    rows += [("SPAM buy this", "bad"), ("the same again", "good"), ("the same again", "good")]
    rows += [("so and so", "good"), ("so and so", "bad"), ("fish &amp; chips!", "good")]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / "data" / "rows.csv", index=False)
    path = tmp_path / "traced.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def traced(recipe: Path, row: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    from flows import trace

    capsys.readouterr()
    trace.command(recipe, row, [], True)
    way: dict[str, Any] = json.loads(capsys.readouterr().out)
    return way


def test_every_row_is_accounted_for(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flows import data

    data.command(recipe, [], "encode", True)
    found = json.loads(capsys.readouterr().out)
    assert found["raw"] == 66 == sum(found["parts"].values()) + found["dropped"]
    assert {(line["stage"], line["outcome"]): line["rows"] for line in found["reasons"]} == {
        ("validate", "expect_column_values_to_not_match_regex (text)"): 1,
        ("clean", "duplicate"): 1,
        ("clean", "contradictory label"): 2,
    }
    assert [line["stage"] for line in found["stages"]] == ["download", "validate", "clean", "split", "encode"]
    assert [(line["in"], line["kept"], line["dropped"]) for line in found["stages"][:3]] == [
        (66, 66, 0), (66, 65, 1), (65, 62, 3),
    ]  # fmt: skip
    assert next(step for step in found["steps"] if step["step"] == "html")["changed"] == 1
    for line in found["labels"]:
        assert sum(line[part] for part in ("train", "validation", "test", "dropped")) in (32, 34)
    data.command(recipe, [], "split", False)
    shown = capsys.readouterr().out
    assert "66 raw rows = " in shown and "+ 4 dropped" in shown and "contradictory label" in shown


def test_a_row_is_followed_by_number_id_text_and_part_of_it(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    way = traced(recipe, "66", capsys)
    assert way["raw"] == {"text": "fish &amp; chips!", "label": "good"}
    assert way["validate"] == {"quarantined": [], "warned": ["expect_column_values_to_not_match_regex (text)"]}
    assert way["clean"] == {"text": "fish & chips!", "changed": True, "repeats": [], "listed by": []}
    assert way["split"]["part"] == way["end"]["state"] and "hash is 0." in way["split"]["because of"]
    assert "".join(way["encode"]["tokens"]).startswith("fish & chips!")
    assert sum(label >= 0 for label in way["encode"]["labels"]) == 1 and way["encode"]["class"] == "good"
    assert way["answer"] == {}
    for name in (way["id"], "fish &amp; chips!", "& chi".replace("&", "&amp;")):
        assert traced(recipe, name, capsys) == way


def test_a_dropped_row_ends_where_it_was_dropped(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quarantined = traced(recipe, "SPAM buy this", capsys)
    assert quarantined["end"]["stage"] == "validate" and "clean" not in quarantined
    assert quarantined["validate"]["quarantined"] == ["expect_column_values_to_not_match_regex (text)"]
    first, second = traced(recipe, "62", capsys), traced(recipe, "63", capsys)
    assert second["end"] == {"state": "dropped", "stage": "clean", "reason": "duplicate"}
    assert second["clean"]["repeats"] == [first["id"]] and "split" not in second
    assert traced(recipe, "64", capsys)["clean"]["repeats"] == [traced(recipe, "65", capsys)["id"]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("the same again", "2 rows fit 'the same again'; give an id:"),
        ("0", "no row of 66 has the number, id or text '0'"),
        ("the sane agian", "did you mean 'the same again'?"),
        ("story", "and 52 more"),
    ],
)
def test_a_row_that_cannot_be_told_ends_with_code_2(
    recipe: Path, capsys: pytest.CaptureFixture[str], row: str, message: str
) -> None:
    from flows import trace

    with pytest.raises(Exit) as ended:
        trace.command(recipe, row, [], False)
    assert ended.value.exit_code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert message in said if row != "0" else "rows fit '0'" in said or message in said


def test_a_person_sees_the_way(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flows import trace

    trace.command(recipe, "66", [], False)
    shown = capsys.readouterr().out
    for word in (
        "row 66",
        "warned: expect_column_values",
        "now 'fish & chips!'",
        "hash is",
        "→ good",
        "not trained yet",
    ):
        assert word in shown


def test_a_ledger_with_a_lost_an_unended_or_a_doubled_row_is_refused() -> None:
    ids = pd.Series(["a", "b", "c"], dtype="str")
    none = pd.DataFrame({"id": [], "reason": []}, dtype="str")
    ended = advance(open_ledger(ids), "split", ids, none, parts=pd.Series(["train", "test", "train"]))
    require_ended(ended, 3)
    for broken in (ended[:2], open_ledger(ids), pd.concat([ended[:2], ended[:1]]),
                   ended.assign(state="dropped")):  # fmt: skip
        with pytest.raises(ValueError, match="not conserved"):
            require_ended(broken, 3)


def test_the_flow_of_rows_is_in_the_order_of_the_stages() -> None:
    ids = pd.Series(list("abcde"), dtype="str")
    gone = pd.DataFrame({"id": ["a"], "reason": ["duplicate"]}, dtype="str")
    ledger = advance(open_ledger(ids), "clean", ids[1:], gone)
    ledger = advance(ledger, "split", ids[1:], gone[:0], parts=pd.Series(["train", "train", "test", "train"]))
    assert flow_of_rows(ledger).to_numpy().tolist() == [
        ["clean", "duplicate", 1], ["split", "train", 3], ["split", "test", 1],
    ]  # fmt: skip


def test_both_commands_are_on_the_command_line() -> None:
    from flows.cli import MODULES

    assert {"flows.data", "flows.trace"} <= {module.__name__ for module in MODULES}
