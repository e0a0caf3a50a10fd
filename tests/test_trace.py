"""temper data and temper trace: every row accounted for, and one row's whole way, on a small real recipe."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer import Exit

from tasks.artifact import Artifact, StageError
from tasks.data.flow_picture import describe_flow, draw_flow, flow_figure
from tasks.data.ledger import advance, flow_of_rows, open_ledger, read_ledger, require_ended, write_ledger

ROOT = Path(__file__).resolve().parent.parent

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
encode: {kind: label_word, tokenizer: {kind: train, vocab_size: 400}, max_length: 32}
train: {model: {kind: new, family: gpt2, config: {n_layer: 1, n_head: 1, n_embd: 8, n_positions: 32}}}
register: {model: traced}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """60 rows of their own; then a quarantined one, a duplicate pair, a contradictory pair, one with entities and !."""
    rows = [
        (f"{'dull' if n % 2 else 'bright'} {n * 7919} {'x' * (n % 9)} story", "bad" if n % 2 else "good")
        for n in range(60)
    ]
    rows += [("SPAM buy this", "bad"), ("the same again", "good"), ("the same again", "good")]
    rows += [("so and so", "good"), ("so and so", "bad"), ("fish &amp; chips!", "good")]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / "data" / "rows.csv", index=False)
    path = tmp_path / "traced.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def traced(recipe: Path, row: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    from flows.cli import trace

    capsys.readouterr()
    trace.command(recipe, row, [], True)
    way: dict[str, Any] = json.loads(capsys.readouterr().out)
    return way


def test_every_row_is_accounted_for(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cli import data

    data.command(recipe, [], "encode", True)
    found = json.loads(capsys.readouterr().out)
    assert found["raw"] == 66 == sum(found["parts"].values()) + found["dropped"]
    assert {(line["stage"], line["outcome"]): line["rows"] for line in found["reasons"]} == {
        ("validate", "does not hold: no text matches the regular expression ^SPAM"): 1,
        ("clean", "duplicate"): 1,
        ("clean", "contradictory label"): 2,
    }
    assert sum(line["share"] for line in found["reasons"]) == pytest.approx(4 / 66)
    assert [line["stage"] for line in found["stages"]] == ["download", "validate", "clean", "split", "encode"]
    assert [(line["in"], line["kept"], line["dropped"]) for line in found["stages"][:3]] == [
        (66, 66, 0),
        (66, 65, 1),
        (65, 62, 3),
    ]
    assert next(step for step in found["steps"] if step["step"] == "html")["changed"] == 1
    for line in found["labels"]:
        assert sum(line[part] for part in ("train", "validation", "test", "dropped")) in (32, 34)
    assert found["warnings"] == [
        {"expectation": "no text matches the regular expression [!]$", "found": "1 of 65 rows break it (1.54 %)"}
    ]
    data.command(recipe, [], "split", False)
    shown = capsys.readouterr().out
    assert "does not hold (a warning)" in shown and "1 of 65 rows break it" in shown
    assert "66 raw rows = " in shown and "+ 4 dropped" in shown and "contradictory label" in shown


def test_a_row_is_followed_by_number_id_text_and_part_of_it(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    way = traced(recipe, "66", capsys)
    assert way["source"].startswith("file: rows.csv, read ")
    assert way["raw"] == {"text": "fish &amp; chips!", "label": "good"}
    assert way["validate"] == {"quarantined": [], "warned": ["no text matches the regular expression [!]$"]}
    assert way["clean"] == {"text": "fish & chips!", "changed": True, "repeats": [], "listed by": []}
    assert way["split"]["part"] == way["end"]["state"] and "it hashes to 0." in way["split"]["because of"]
    assert "".join(way["encode"]["tokens"]).startswith("fish & chips!")
    assert sum(label >= 0 for label in way["encode"]["labels"]) == 1 and way["encode"]["class"] == "good"
    assert way["answer"] == {}
    for name in (way["id"], "fish &amp; chips!", "& chi".replace("&", "&amp;"), way["id"][:7], way["id"][:-1]):
        assert traced(recipe, name, capsys) == way


def test_a_dropped_row_ends_where_it_was_dropped(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quarantined = traced(recipe, "SPAM buy this", capsys)
    assert quarantined["end"]["stage"] == "validate" and "clean" not in quarantined
    assert quarantined["validate"]["quarantined"] == ["no text matches the regular expression ^SPAM"]
    first, second = traced(recipe, "62", capsys), traced(recipe, "63", capsys)
    assert second["end"] == {"state": "dropped", "stage": "clean", "reason": "duplicate"}
    assert second["clean"]["repeats"] == [{"id": first["id"], "content": "the same again"}] and "split" not in second
    partner = {"id": traced(recipe, "65", capsys)["id"], "content": "so and so"}
    assert traced(recipe, "64", capsys)["clean"]["repeats"] == [partner]


def test_a_row_that_clean_dropped_shows_the_text_that_was_dropped(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.cli import trace

    with (tmp_path / "data" / "rows.csv").open("a", encoding="utf-8") as table:
        table.write("the <b>same</b> again,good\nThe &amp;,\n")
    copy, unlabelled = traced(recipe, "67", capsys)["clean"], traced(recipe, "68", capsys)
    assert copy["text"] == "the same again" and copy["changed"] and copy["repeats"]
    assert unlabelled["clean"]["text"] == "The &" and unlabelled["end"]["reason"] == "missing label"
    trace.command(recipe, "68", [], False)
    shown = capsys.readouterr().out
    assert "clean      missing label" in shown and "text: 'The &'" in shown


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("the same again", "2 rows fit 'the same again'; give an id or a number:"),
        ("0", "no row has the number, id or text '0'; rows are numbered from 1 to 66"),
        ("67", "rows are numbered from 1 to 66"),
        (" ", "rows are numbered from 1 to 66"),
        ("completely unlike anything", "rows are numbered from 1 to 66"),
        ("the sane agian", "did you mean 'the same again'?"),
        ("story", "and 52 more"),
        ("٣", "rows are numbered from 1 to 66"),
    ],
)
def test_a_row_that_cannot_be_told_ends_with_code_2(
    recipe: Path, capsys: pytest.CaptureFixture[str], row: str, message: str
) -> None:
    from flows.cli import trace

    with pytest.raises(Exit) as ended:
        trace.command(recipe, row, [], False)
    assert ended.value.exit_code == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_nothing_in_a_text_reaches_the_terminal_as_an_order(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Escapes, NULs, line ends and marks of direction are shown as signs: in lists, in facts, in tokens."""
    from flows.cli import trace

    with (tmp_path / "data" / "rows.csv").open("a", encoding="utf-8", newline="") as table:
        table.write('"odd \x1b[31mred\u202e\u200f [bold]שלום 😀\nline",good\n"odd \x1b]0;title\x07 two",bad\n')
    with pytest.raises(Exit):
        trace.command(recipe, "odd ", [], False)
    listed = capsys.readouterr().err
    trace.command(recipe, "שלום 😀", [], False)
    way = capsys.readouterr().out
    for shown in (listed, way):
        assert all(line.isprintable() for line in shown.split("\n"))
        assert r"\x1b[31mred\u202e\u200f [bold]שלום 😀\nline" in "".join(shown.splitlines())
    assert r"\x1b]0;title\x07 two" in listed and "␛" in way and "⏎" in way


def test_a_dialogue_is_followed_by_number_and_by_what_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cli import trace

    recipe = ROOT / "configs" / "hotel_demo.yaml"
    way = traced(recipe, "3", capsys)
    assert way["number"] == 3 and '"role": "user"' in way["raw"]["messages"] and way["end"]["state"] == "train"
    assert "".join(way["encode"]["tokens"]).count("<|im_start|>assistant") > 1 and way["encode"]["by_turn"]
    assert traced(recipe, "Does the first allow dogs?", capsys) == way == traced(recipe, way["id"], capsys)
    with pytest.raises(Exit):
        trace.command(recipe, "dogs?", [], False)
    assert "2 rows fit 'dogs?'" in capsys.readouterr().err


def test_a_person_sees_the_way(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cli import trace

    trace.command(recipe, "66", [], False)
    shown = capsys.readouterr().out
    for word in (
        "row 66",
        "warned: no text matches",
        "text: 'fish & chips!'",
        "it hashes to",
        "→ good",
        "not trained yet",
    ):
        assert word in shown


def test_a_ledger_with_a_lost_an_unended_or_a_doubled_row_is_refused() -> None:
    ids = pd.Series(["a", "b", "c"], dtype="str")
    none = pd.DataFrame({"id": [], "reason": []}, dtype="str")
    ended = advance(open_ledger(ids), "split", ids, none, parts=pd.Series(["train", "test", "train"]))
    require_ended(ended, 3)
    for broken in (ended[:2], open_ledger(ids), pd.concat([ended[:2], ended[:1]]), ended.assign(state="dropped")):
        with pytest.raises(ValueError, match="not conserved"):
            require_ended(broken, 3)


def test_the_command_refuses_a_ledger_that_lost_a_row(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Planted in a whole store: the artifact's own checksums are bypassed, as in a fault of Temper's own code."""
    from configs.load import load_recipe
    from flows.row_counts import count_rows
    from flows.stage_graph import perform_until

    stages = {name: outcome.result for name, outcome in perform_until(load_recipe(recipe), "split").items()}
    assert count_rows(stages)["raw"] == 66
    path = stages["split"].file("ledger.parquet")
    ledger = read_ledger(path)
    path.unlink()  # stages may share the file
    write_ledger(ledger[ledger["number"] != 7], path)
    with pytest.raises(StageError, match="rows are not conserved: 66 raw, 65 in the ledger"):
        count_rows(stages)


GIVEN = """
name: divided
download: {kind: file, path: given.csv, columns: {split: part, group: who, time: at}}
validate: {labels: [bad, good]}
clean: {steps: [missing]}
split: {kind: given, near_copies: drop}
encode: {kind: label_word, tokenizer: {kind: train, vocab_size: 300}, max_length: 64}
train: {model: {kind: new, family: gpt2, config: {n_layer: 1, n_head: 1, n_embd: 8, n_positions: 64}}}
register: {model: divided}
"""


def test_what_decided_a_row_s_part_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cli import trace

    words = ["alder", "birch", "cedar", "elder", "fir", "gum", "hazel", "ivy", "kapok", "larch", "maple", "neem", "oak"]
    texts = [" ".join(words[(n * step) % 13] + str(n % 7) for step in (1, 3, 5, 7, 9, 11)) for n in range(30)]
    rows = pd.DataFrame(
        {
            "text": texts,
            "label": ["bad", "good"] * 15,
            "who": [f"w{n % 9}" for n in range(30)],
            "at": [f"2024-01-{n + 1:02d}" for n in range(30)],
            "part": ["train"] * 20 + ["validation"] * 5 + ["test"] * 5,
        }
    )
    rows.loc[3, "text"] = texts[28] + "!"
    rows.to_csv(tmp_path / "data" / "given.csv", index=False)
    path = tmp_path / "divided.yaml"
    path.write_text(GIVEN, encoding="utf-8")
    copied = traced(path, "29", capsys)
    assert copied["split"] == {"part": "test", "because of": "the source's own split", "near-copy of": []}
    way = traced(path, "4", capsys)
    assert way["end"] == {"state": "dropped", "stage": "split", "reason": "near-copy of a test row"}
    assert way["split"]["part"] == "train" and "encode" not in way
    (found,) = way["split"]["near-copy of"]
    assert found["id"] == copied["id"] and found["content"] == texts[28] and found["part"] == "test"
    assert 0.8 < found["similarity"] < 1
    trace.command(path, "4", [], False)
    assert f"of {copied['id']} in test: '{texts[28]}'" in " ".join(capsys.readouterr().out.split())
    for section, why in (
        (
            "{kind: time, validation_from: 2024-01-20, test_from: 2024-01-25, near_copies: report}",
            "its time 2024-01-04 00:00:00 (validation from 2024-01-20 00:00:00, test from 2024-01-25 00:00:00)",
        ),
        (
            "{kind: hash, by: group, near_copies: report, train: 0.4, validation: 0.3, test: 0.3}",
            "its group hashes to 0.",
        ),
        ("{kind: hash, exact: true, near_copies: keep}", "the rank of its hash within its label (test below 0.1, "),
    ):
        capsys.readouterr()
        trace.command(path, "4", [f"split={section}"], True)
        way = json.loads(capsys.readouterr().out)
        assert way["split"]["because of"].startswith(why), way["split"]
        assert way["split"]["part"] == way["end"]["state"] and "encode" in way


TAGGED = """
name: tagged
download: {kind: file, path: tagged.jsonl, columns: {text: text, spans: spans}}
encode: {kind: token_classification, tokenizer: {kind: train, vocab_size: 300}}
train: {model: {kind: new, family: bert, config: {num_hidden_layers: 1, num_attention_heads: 1, hidden_size: 8, intermediate_size: 8}}}
register: {model: tagged, metric: entity_f1}
"""  # noqa: E501


def test_a_row_that_encode_drops_keeps_its_part_of_the_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[dict[str, Any]] = [
        {"text": f"{chr(65 + n % 26) * 7} left {n * 'x'}y", "spans": [{"start": 0, "end": 7, "label": "who"}]}
        for n in range(40)
    ]
    rows.append({"text": "a bad one", "spans": [{"start": 0, "end": 1}]})
    (tmp_path / "data" / "tagged.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    path = tmp_path / "tagged.yaml"
    path.write_text(TAGGED, encoding="utf-8")
    way = traced(path, "a bad one", capsys)
    assert way["end"] == {"state": "dropped", "stage": "encode", "reason": "a span without start, end and label"}
    assert way["split"]["part"] in ("train", "validation", "test")


def test_an_image_is_shown_by_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = ROOT / "configs" / "digits_demo.yaml"
    way = traced(recipe, "digits/00002.png", capsys)
    assert way["number"] == 3 and way["raw"]["file"] == "digits/00002.png"
    assert way["raw"]["looks"].startswith("PNG of 8 x 8 pixels, mode L, ")
    assert way["clean"]["changed"] is False and way["encode"] == {"pixels": "8 x 8, mode L", "class": "2"}


@pytest.mark.faults
def test_the_answer_comes_from_the_report_or_from_the_model(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from configs.load import load_recipe
    from flows.stage_graph import perform_until

    loaded = load_recipe(recipe)
    outcomes = perform_until(loaded, "train")
    ledger = read_ledger(outcomes["encode"].result.file("ledger.parquet"))
    numbers = {part: str(ledger.loc[ledger["state"] == part, "number"].iloc[0]) for part in ("train", "test")}
    before = traced(recipe, numbers["test"], capsys)["answer"]
    assert before["from"] == "the trained model" and before["predicted"] in ("bad", "good")
    perform_until(loaded, "evaluate")
    after = traced(recipe, numbers["test"], capsys)["answer"]
    assert after == {
        "predicted": before["predicted"],
        "p": pytest.approx(before["p"]),
        "from": "the report on the test rows",
    }
    assert traced(recipe, numbers["train"], capsys)["answer"]["from"] == "the trained model"


def test_the_flow_of_rows_is_in_the_order_of_the_stages() -> None:
    ids = pd.Series(list("abcde"), dtype="str")
    gone = pd.DataFrame({"id": ["a"], "reason": ["duplicate"]}, dtype="str")
    ledger = advance(open_ledger(ids), "clean", ids[1:], gone)
    ledger = advance(ledger, "split", ids[1:], gone[:0], parts=pd.Series(["train", "train", "test", "train"]))
    assert flow_of_rows(ledger).to_numpy().tolist() == [
        ["clean", "duplicate", 1],
        ["split", "train", 3],
        ["split", "test", 1],
    ]


def drops_of(counts: dict[str, list[int]], rows: int = 2000) -> pd.DataFrame:
    """A ledger of so many raw rows in which each stage drops so many for a reason each."""
    left = pd.Series([f"r{n}" for n in range(rows)], dtype="str")
    ledger, number = open_ledger(left), 0
    for stage, dropped in counts.items():
        reasons = [f"reason {number + k} with $a_name$ (评)" for k, count in enumerate(dropped) for _ in range(count)]
        number += len(dropped)
        gone = pd.DataFrame({"id": left[: len(reasons)].to_numpy(), "reason": reasons}, dtype="str")
        left = left[len(reasons) :]
        ledger = advance(ledger, stage, left, gone)
    parts = pd.Series([("train", "train", "train", "test")[n % 4] for n in range(len(left))], dtype="str")
    return advance(ledger, "split", left, gone[:0] if counts else ledger[["id", "reason"]][:0], parts=parts)


@pytest.mark.parametrize(
    "counts",
    [
        {},
        {"clean": [1]},
        {"clean": [1900]},
        {"validate": [300, 2, 1], "clean": [800, 60, 5, 4, 3, 2, 1, 1, 1]},
        {"download": [1] * 3, "validate": [1] * 6, "clean": [500] * 2 + [1] * 9, "split": [7]},
    ],
)
def test_no_words_of_the_picture_overlap(counts: dict[str, list[int]], tmp_path: Path) -> None:
    """Nor is a letter missing from the font, of which matplotlib would warn, or a $ read as a formula."""
    ledger = drops_of(counts)
    figure = flow_figure(ledger)
    figure.draw_without_rendering()  # type: ignore[no-untyped-call]
    words = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [text.get_window_extent() for text in words]
    for n, (box, text) in enumerate(zip(boxes, words, strict=True)):
        assert not [words[k].get_text() for k in range(n) if box.overlaps(boxes[k])], text.get_text()
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and figure.bbox.y0 <= box.y0, text.get_text()
    drawn = [text.get_text() for text in words if text.get_text().startswith("reason ")]
    assert len(drawn) == min(sum(map(len, counts.values())), 12) and all("$a_name$ (U+8BC4)" in line for line in drawn)
    for name in ("a.png", "b.png"):
        draw_flow(ledger, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert describe_flow(ledger).count("| dropped: reason ") == sum(map(len, counts.values()))


def test_the_picture_and_its_table_are_records_of_encode(recipe: Path) -> None:
    """Whence Prefect and MLflow have them."""
    from configs.load import load_recipe
    from flows.stage_graph import perform_until

    encoded = perform_until(load_recipe(recipe), "encode")["encode"].result
    assert isinstance(encoded, Artifact)
    assert (encoded.records / "rows.png").read_bytes().startswith(b"\x89PNG")
    page = (encoded.records / "summary.md").read_text(encoding="utf-8")
    assert "Where each of 66 raw rows ended:" in page and "| clean | dropped: contradictory label | 2 | 3.0% |" in page


def test_both_commands_are_on_the_command_line() -> None:
    from flows.cli import COMMANDS, load_command

    assert {"data", "trace"} <= COMMANDS.keys()
    assert {load_command(name).name for name in ("data", "trace")} == {"data", "trace"}
