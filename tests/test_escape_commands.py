"""Evil words in what a command is given, in a recipe, an environment and a registry: shown as they are, acted on by
nothing, whichever command prints them."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer
from test_decisions import add, client, win
from test_escape import ESC, LABEL, TEXT, clean

from configs.cleaning import Clean
from configs.pseudo_labels import PseudoLabels
from configs.sources import FileSource
from flows.cli import (
    COMMANDS,
    advise,
    chat,
    compare,
    data,
    distill,
    doctor,
    drill,
    export,
    gc,
    history,
    inspect,
    label,
    mask,
    pin,
    plan,
    predict,
    promote,
    pull,
    report,
    rollback,
    run,
    search,
    serve,
    trace,
)
from flows.drill.fault import Finding
from flows.pseudo_labels import Written
from flows.services.machine_checks import settings_in_force
from tasks.kinds.pseudo_labelling import Labelled
from tasks.learn.confident_labels import Precision
from tasks.pseudo_labels import page
from tasks.store.sweep import Decision, Entry
from tasks.tracking.wire_format import STAGE_DIGEST

__all__ = ["client"]  # a fixture
NAME = f"[neg] [/bold] <script> | `x` =1 {ESC}\u202e"
RECIPE = f"name: evil\ndownload: {{kind: file, path: '{NAME}.csv'}}\n'{LABEL}': {{}}\n".replace(ESC, "\\e[31m")


def shown(capsys: pytest.CaptureFixture[str], call: Callable[[], Any], *words: str) -> str:
    """What a call prints, whether it ends in a line or not: nothing in it acts, and these words are in it."""
    capsys.readouterr()
    with suppress(typer.Exit):
        call()
    out, err = capsys.readouterr()
    assert clean(out) and clean(err), (out, err)
    text = " ".join((out + err).split())
    for word in words:
        assert word in text, text
    return text


OF_RECIPES: dict[str, Callable[[Path], Any]] = {
    "run": lambda path: run.command(path),
    "plan": lambda path: plan.command(path),
    "data": lambda path: data.command(path),
    "trace": lambda path: trace.command(path, TEXT),
    "inspect": lambda path: inspect.command(path, [TEXT]),
    "mask": lambda path: mask.command(path),
    "compare": lambda path: compare.command([str(path), str(path), "train.epochs=1"], None, 2),
    "distill": lambda path: distill.command(path),
    "search": lambda path: search.command(path),
    "advise": lambda path: advise.command(path),
    "pin": lambda path: pin.command(path),
    "drill": lambda path: drill.command(path),
}


@pytest.mark.parametrize("name", OF_RECIPES)
def test_recipes_of_evil_names_keys_and_changes(
    name: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "search":
        pytest.importorskip("optuna", reason="optuna is not installed")
    absent, wrong = (tmp_path / f"{NAME}{word}.yaml".replace("/", "-") for word in ("absent", ""))
    wrong.write_text(RECIPE, encoding="utf-8")
    for path in (absent, wrong):
        shown(capsys, lambda path=path: OF_RECIPES[name](path), "[neg] [-bold] <script> | `x` =1")


OF_MODELS: dict[str, Callable[[str], Any]] = {
    "history": lambda name: history.command(name),
    "promote": lambda name: promote.command(name, 1, TEXT),
    "rollback": lambda name: rollback.command(name, TEXT),
    "predict": lambda name: predict.command(name, TEXT),
    "chat": lambda name: chat.command(name),
    "serve": lambda name: serve.command(name),
    "pull": lambda name: pull.command(name),
    "report": lambda name: report.command(name),
    "export": lambda name: export.command(name, "torch-export"),
}


@pytest.mark.faults
def test_models_of_evil_names_reasons_and_users(
    client: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPER_REMOTE", "file:///nowhere")
    monkeypatch.setenv("LOGNAME", NAME)
    for name, call in OF_MODELS.items():
        shown(capsys, lambda call=call: call("[neg] [/bold]"), *(["[neg] [/bold]"] if name != "rollback" else []))
    model = "evil [neg] [bold] <script>"  # as MLflow takes it, without / and :
    for _ in range(3):
        win(client, model, add(client, model))
    client.set_model_version_tag(model, "2", f"{STAGE_DIGEST}train", "0" * 64)
    assert "by [neg] [/bold]" in shown(capsys, lambda: rollback.command(model, TEXT), model)
    text = shown(capsys, lambda: history.command(model))
    assert "[red]<img" in text
    shown(capsys, lambda: history.command(model, True))
    shown(capsys, gc.command, model)
    shown(capsys, lambda: pull.command(model))
    shown(capsys, lambda: promote.command(model, 3, TEXT), model)


def test_tables_of_what_was_drilled_and_collected(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [Finding(NAME, LABEL, outcome, TEXT, 0.1) for outcome in drill.COLOURS]
    shown(capsys, lambda: drill.show(findings), "[neg]", "[red]<img")
    gone = Decision(Entry(Path(NAME), "artifact", LABEL, NAME, 5, 0.0), True, TEXT)
    from flows.collect import Rules

    shown(capsys, lambda: gc.show([gone], [NAME], Rules(1, 1, None)), "[/bold]|`x`", "[red]<img")


def test_a_gate_of_an_export(capsys: pytest.CaptureFixture[str]) -> None:
    check = {"name": LABEL, "passed": False, "seen": TEXT}
    report: Any = {"checks": [check], "rows": 2, "of": 3, "bytes": {"registered": 1, "exported": 2}}
    result: Any = {"model": NAME, "kind": "classifier", "origin": NAME, "to": NAME, "version": NAME}
    result |= {"passed": False, "again": False}
    shown(capsys, lambda: export.show({**result, "alias": None, "report": report}), "[/bold]|`x`", "[red]<img", "[neg]")
    for more in ({"passed": True, "alias": NAME}, {"again": True}):
        shown(capsys, lambda more=more: export.show({**result, "alias": None, "report": report, **more}), "[neg]")


def test_a_table_of_what_was_searched(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna", reason="optuna is not installed")
    monkeypatch.setenv("COLUMNS", "400")  # so that no cell is cut
    line = {"number": 1, "state": LABEL, "value": None, "values": {f"train.{NAME}": TEXT}}
    document: Any = {"objective": LABEL, "trials": [line], "best": line, "verdict": TEXT, "changes": [NAME]}
    shown(capsys, lambda: search._show(document), "[/bold]|`x`", "[red]<img", "[neg]")


def test_a_table_of_what_was_labelled(capsys: pytest.CaptureFixture[str]) -> None:
    known: Precision = {"known": 2, "right": 1, "share": 0.5, "low": 0.1, "high": 0.9}
    counts: Labelled = {
        "rows": 3,
        "taken": 2,
        "labels": {NAME: {"taken": 2, "precision": known}},
        "left_out": {"not confident": 1},
        "precision": known,
    }
    written: Written = {"artifact": "0" * 64, "path": NAME, "report": counts}
    shown(capsys, lambda: label._show(written, applied=False), "[neg] [/bold] <script>", "2 of 3 rows", "0" * 64)
    source = FileSource(kind="file", path=NAME)
    section = PseudoLabels(source, (), "classifier", 0.9, {}, False, False, Clean(), 0.8)
    assert "<script>" not in page(section, counts)
    shown(capsys, lambda: label.command(Path(f"{NAME}.yaml"), Path(NAME), [NAME]), "no such recipe")


def test_settings_as_the_doctor_shows_them(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TEMPER_DATA", "TEMPER_REMOTE", "TEMPER_THREADS", "MLFLOW_TRACKING_URI", "TEMPER_HOMES"):
        monkeypatch.setenv(name, NAME)
    shown(capsys, lambda: doctor.show(list(settings_in_force())), "[neg] [/bold] <script>")
    monkeypatch.delenv("TEMPER_THREADS")
    shown(capsys, lambda: doctor.show(list(settings_in_force())), "[neg] [/bold] <script>")


def test_no_command_is_left_out() -> None:
    files = [Path(__file__).with_name(f"test_escape{name}.py") for name in ("", "_commands", "_surfaces")]
    called = set(re.findall(r"\b(\w+)\.(?:command|show)\b", " ".join(file.read_text("utf-8") for file in files)))
    assert set(COMMANDS) - called == {"schema", "up"}, "what the program itself holds, and addresses"
