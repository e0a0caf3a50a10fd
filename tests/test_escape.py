"""Labels and texts are shown as they are on every surface: nothing in them is markup, HTML, a formula or a control."""

import ast
import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from html_reader import read
from hypothesis import given
from hypothesis import strategies as st
from tiny import ROOT

from configs.load import load_recipe
from flows.cli.console import Console, print_json
from tasks.data.escape import HIDDEN, cell, code, hypertext, markdown, terminal, visible
from tasks.inference.outputs import raw, to_csv
from tasks.store.events import Event

ESC = "\x1b[31m\x1b]0;OWNED\x07\x9b2J"
LABEL = f"<script>alert(1)</script>[/bold]|`x`{ESC}\u202e*"
LABELS = (LABEL, "[neg]")
TEXT = f"=cmd() [red]<img src=x onerror=alert(1)> | `a` **b** [c](http://e.example) {ESC}\u2066 # d"
TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from(list("[]<>|`*_#\\\n\r\t=+-@\x1b\x9b\u202e\u2028&;")))


@given(TEXTS)
def test_no_surface_lets_a_hidden_character_through(text: str) -> None:
    assert not HIDDEN.search(visible(text)) and not HIDDEN.search(markdown(text)) and not HIDDEN.search(code(text))
    assert not HIDDEN.search(re.sub("[\n\t]", "", terminal(text) + hypertext(text)))


@given(TEXTS)
def test_markdown_and_html_hold_no_markup_of_data(text: str) -> None:
    shown = markdown(text)
    assert "\n" not in shown and not re.search(r"(?<!\\)(\\\\)*[`*_{}\[\]|#~<>]", shown)
    assert not re.search("[<>\"']", hypertext(text))
    assert not re.search(r"(?<!\\)\|", code(text)) and "\n" not in code(text)


@given(st.lists(TEXTS.filter(lambda text: "\r" not in text), min_size=1, max_size=5))
def test_cells_of_csv_are_read_back_and_computed_by_no_spreadsheet(texts: list[str]) -> None:
    table = pd.DataFrame({"text": texts, "n": range(len(texts))})
    read = list(csv.reader(io.StringIO(to_csv(table, header=True), newline="")))
    assert [row[0].removeprefix("'") for row in read[1:]] == [text.removeprefix("'") for text in texts]
    numbers = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
    assert all(numbers.fullmatch(row[0]) or not re.match(r"\s*[=+@\t\r-]", row[0]) for row in read[1:])
    with raw():
        read = list(csv.reader(io.StringIO(to_csv(table, header=False), newline="")))
    assert [row[0] for row in read] == texts


def test_numbers_stay_numbers() -> None:
    assert [cell(value) for value in ("-3.5", "+1e-3", "-x", -2.5, "=1", None)] == [
        "-3.5",
        "+1e-3",
        "'-x",
        -2.5,
        "'=1",
        None,
    ]


def test_the_console_reads_no_markup_and_prints_no_control(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    table = Table(LABEL)
    table.add_row(TEXT)
    Console().print(LABEL, table, soft_wrap=True)
    Console(stderr=True).print(TEXT, style="bold", soft_wrap=True)
    with Console(stderr=True).status(TEXT):
        pass
    out, err = capsys.readouterr()
    assert clean(out) and clean(err) and "<script>alert(1)</script>[/bold]" in out and "[red]<img" in err
    print_json({LABEL: [TEXT]})
    out = capsys.readouterr().out
    assert clean(out) and json.loads(out) == {LABEL: [TEXT]}


def test_the_console_is_the_only_one_and_nobody_prints_json_by_himself() -> None:
    for path in (ROOT / "flows").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "rich.console" and path.name != "console.py":
                raise AssertionError(f"{path.name} prints with rich's own console")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                assert "json.dumps" not in ast.unparse(node) or path.name == "console.py", path.name


def bare(text: str) -> list[str]:
    """Calls that print what may hold data as it is."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and node.args]
    prints = [call for call in calls if ast.unparse(call.func) in ("print", "typer.echo")]
    return [
        ast.unparse(call)
        for call in prints
        if not isinstance(call.args[0], ast.Constant)
        and not ast.unparse(call.args[0]).startswith(("terminal(", "json_text("))
    ]


def test_whatever_is_printed_goes_through_the_terminals_own_function() -> None:
    assert bare("print(terminal(a)); print('plain'); print()") == []
    assert bare("print(f'{label}'); typer.echo(path)") == ["print(f'{label}')", "typer.echo(path)"]
    by_file = {path.name: bare(path.read_text(encoding="utf-8")) for path in (ROOT / "flows").rglob("*.py")}
    assert {name: calls for name, calls in by_file.items() if calls} == {}


def clean(text: str) -> bool:
    return not HIDDEN.search(re.sub("[\n\t]", "", text))


RECIPE = """
name: evil
download: {kind: file, path: evil.csv, columns: {keep: [area]}}
validate: {min_rows: 50, max_duplicates: 1.0}
split: {kind: hash, near_copies: keep}
encode: {kind: label_word, tokenizer: {kind: train, vocab_size: 300}, max_length: 48}
train:
  model: {kind: new, family: gpt2, config: {n_layer: 1, n_head: 2, n_embd: 16, n_positions: 48}}
  learning_rate: 1e-3
  epochs: 1
  batch_size: 16
  logging_steps: 5
  eval_steps: 5
evaluate: {bootstrap: 100}
register: {model: evil}
"""


OWN_PICTURE = re.compile(r'<img src="get-artifact\?path=[\w.%-]+&run_uuid=[0-9a-f]{32}" alt="[a-z_]+" height="200">')


def inert(markdown_text: str) -> bool:
    """Whether a page of Markdown holds nothing of the data that acts: outside code no tag and no link of theirs. The
    pictures of Temper's own stages, by their addresses in the run, are not of the data."""
    markdown_text = OWN_PICTURE.sub("", markdown_text)
    outside = re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"\\[\\`]", "", markdown_text))
    return clean(markdown_text) and not re.search(r"<(script|img)|(?<!\\)\]\(http://e\.example", outside)


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_every_command_and_both_interfaces_show_evil_data_as_data(
    harness: None,
    heard: list[Event],
    place: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from prefect.client.orchestration import get_client

    from flows.cli import data, history, inspect, mask, plan, predict, report, schedule, trace
    from flows.cli.progress import ProgressDisplay
    from flows.finetune import finetune
    from tasks.store.events import listeners
    from tasks.tracking.descriptions import NOTE
    from tasks.tracking.runs import client

    monkeypatch.setenv("TEMPER_DATA", str(tmp_path))
    rows = [{"text": f"{TEXT} {number}", "label": LABELS[number % 2], "area": TEXT} for number in range(120)]
    pd.DataFrame(rows).to_csv(tmp_path / "evil.csv", index=False)
    recipe = tmp_path / "evil.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    with ProgressDisplay() as display, listeners(display.show):
        version = finetune(load_recipe(recipe))
    display.summary(version)
    out, err = capsys.readouterr()
    assert clean(out) and clean(err) and "version 1" in out
    commands: list[tuple[Any, tuple[Any, ...]]] = [
        (data.command, (recipe,)),
        (data.command, (recipe, None, "encode", True)),
        (trace.command, (recipe, "3")),
        (trace.command, (recipe, "3", None, True)),
        (mask.command, (recipe, None, 2)),
        (plan.command, (recipe,)),
        (inspect.command, (recipe, ["3"], False, None, tmp_path / "x.png")),
        (history.command, ("evil",)),
        (history.command, ("evil", True)),
        (schedule.command, ([tmp_path / f"[neg] [bold]{ESC}.yaml".replace("/", "-")], "temper", True)),
        (predict.command, ("evil", TEXT)),
    ]
    for command, given_ in commands:
        command(*given_)
        out, err = capsys.readouterr()
        assert clean(out) and clean(err), (command.__module__, given_)
    assert "[/bold]" in out, "the label is shown as it is"
    pages = []
    for asked in (str(recipe), "evil", "evil/1"):
        report.command(asked, None, tmp_path / "page.html")
        assert clean(capsys.readouterr().out)
        pages.append((tmp_path / "page.html").read_text(encoding="utf-8"))
    logged = client().download_artifacts(version.run_id, "reports/evil-1.html", str(tmp_path))
    assert {*pages, Path(logged).read_text(encoding="utf-8")} == {pages[0]}, "the same page, whatever it is asked by"
    shown = read(pages[0]).shown
    assert "<script>alert(1)</script>[/bold]|`x`" in shown and "[red]<img src=x onerror=alert(1)>" in shown
    predict.command("evil", str(tmp_path / "evil.csv"), output=tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as handle:
        cells = [cell_ for row in csv.reader(handle) for cell_ in row]
    assert f"'{TEXT} 0" in cells and not [one for one in cells if one.startswith("=")]
    predict.command("evil", str(tmp_path / "evil.csv"), output=tmp_path / "raw.csv", raw_cells=True)
    assert f'"{TEXT} 0"'.replace('"', "") in (tmp_path / "raw.csv").read_text(encoding="utf-8")
    [docs] = (place / ".artifacts").glob("validate/*/records/data_docs.html")
    assert clean(docs.read_text(encoding="utf-8"))
    pages = list((place / ".artifacts").glob("*/*/records/*.md"))
    assert len(pages) >= 7
    for path in pages:
        assert inert(path.read_text(encoding="utf-8")), path
    found = client()
    notes = [
        found.get_run(version.run_id).data.tags[NOTE],
        found.get_registered_model("evil").description,
        found.get_model_version("evil", version.version).description,
    ]
    assert all(map(inert, notes))
    with get_client(sync_client=True) as api:
        for artifact in api.read_artifacts():
            text = str(artifact.data)
            assert inert(re.sub(r"data:image/png;base64,[\w+/=]+", "", text)) or artifact.type == "table", text[:400]
            assert clean(json.loads(text) and text if artifact.type == "table" else text), text[:400]
