"""The command line as a person calls it: help, plan without torch, mask, exit codes, no traceback."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import typer

from tasks.store.events import Event, emit

ROOT = Path(__file__).resolve().parent.parent
RECIPE = str(ROOT / "configs" / "reviews_demo.yaml")


def temper(*words: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [Path(sys.executable).parent / "temper", *words], cwd=cwd, env=dict(os.environ), capture_output=True, text=True
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_help_names_every_command(tmp_path: Path) -> None:
    shown = temper("--help", cwd=tmp_path).stdout
    for command in ("run", "compare", "plan", "mask", "predict", "serve", "init", "pin", "doctor"):
        assert f" {command} " in shown


def test_the_swift_end_loses_nothing(tmp_path: Path) -> None:
    script = (
        "import atexit, sys, threading, time\n"
        "from flows.cli import main\n"
        "sys.argv = ['temper', *sys.argv[1:]]\n"
        "def command():\n"
        "    threading.Thread(target=lambda: (time.sleep(0.3), print('the thread', end=', '))).start()\n"
        "    atexit.register(print, 'at exit', end='')\n"
        "    raise SystemExit(3)\n"
        "def faulty(): raise RuntimeError('a fault of ours')\n"
        "import flows.cli.doctor, flows.cli.plan\n"
        "flows.cli.doctor.command, flows.cli.plan.command = command, faulty\n"
        "class Held:\n"
        "    def __del__(self): print('freed')\n"
        "sys.held = Held()\n"
        "main()\n"
    )
    for words, code in ((["doctor"], 3), (["doctor", "--help"], 0), (["doctor", "--no-such"], 2)):
        done = subprocess.run([sys.executable, "-c", script, *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == code and "freed" not in done.stdout, done.stderr
        assert code != 3 or done.stdout == "the thread, at exit"
    done = subprocess.run([sys.executable, "-c", script, "plan"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "a fault of ours" in done.stderr
    command = [sys.executable, "-c", script, "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as cut:
        assert cut.stdout is not None and cut.stderr is not None
        cut.stdout.close()
        assert b"Traceback" not in cut.stderr.read()


def test_plan_needs_neither_torch_nor_prefect_nor_mlflow(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'prefect', 'mlflow', 'pandas', 'sklearn', 'great_expectations'):\n"
        "    sys.modules[name] = None\n"
        f"sys.argv = ['temper', 'plan', {RECIPE!r}, '--json']\n"
        "from flows.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [line["status"] for line in document["stages"]] == ["run"] + ["unknown"] * 7
    assert document["stages"][0]["changed"] == ["never computed here"]
    assert set(document) == {"stages", "model", "metrics", "mlflow_run_id", "tracking_uri"}


def test_mask_shows_the_supervised_token(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cli import mask, plan

    mask.command(Path(RECIPE), [], 2)
    shown = capsys.readouterr().out
    assert shown.count("→") == 2
    assert "539 of 14,974 tokens are supervised" in shown
    plan.command(Path(RECIPE), [], True)
    stages = json.loads(capsys.readouterr().out)["stages"]
    assert [line["status"] for line in stages] == ["cached"] * 5 + ["run", "unknown", "unknown"]
    emit(Event("encode", "note", "after the command, nobody listens"))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "empty"),
        ("text,label\ncaf\u00e9,pos\n".encode("latin-1"), "utf-8"),
        (b"text,label\n" + b",pos\n,neg\n" * 10, "expect_column_values_to_not_be_null"),
        (b"text,label\n" + b"".join(b"row %d,pos\n" % i for i in range(20)), "at least two|unique_value_count"),
        (
            b"text,label\n" + b"".join(b"row %d,%s\n" % (i, b"abc"[i % 3 : i % 3 + 1]) for i in range(20)),
            "values_to_be_in_set",
        ),
    ],
)
def test_bad_data_end_in_a_message_and_code_1(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, message: str
) -> None:
    """A missing, empty, non-UTF-8 file; all texts empty; one class only; a label outside the set."""
    from flows.cli import mask

    if content is not None:
        (tmp_path / "data" / "rows.csv").write_bytes(content)
    with pytest.raises(typer.Exit) as ended:
        mask.command(Path(RECIPE), ["download={kind: file, path: rows.csv}", "validate.min_rows=1"], 2)
    assert ended.value.exit_code == 1
    said = capsys.readouterr().err
    assert re.search(message, said), said
    assert "error:" in said
    assert not list(home.rglob("*.partial")), "something half-written is left"


@pytest.mark.faults
def test_a_failed_stage_ends_the_flow_with_code_1(tmp_path: Path) -> None:
    """Through Prefect as well: the message once, and no traceback."""
    (tmp_path / "data" / "rows.csv").write_bytes(b"")
    done = temper("run", RECIPE, "download={kind: file, path: rows.csv}", "--json", cwd=tmp_path, code=1)
    assert done.stdout == ""
    assert "the file is empty" in done.stderr


@pytest.mark.faults
def test_predict_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cli import predict

    (tmp_path / "rows.csv").write_text("title,label\na,pos\n", encoding="utf-8")
    pd.DataFrame({"title": ["a"]}).to_feather(tmp_path / "rows.arrow")
    for what, code, message in (
        (str(tmp_path / "rows.csv"), 2, "no column 'text'"),
        (str(tmp_path / "rows.arrow"), 2, "no column 'text'"),
        (str(tmp_path / "absent.csv"), 1, "no such file"),
        (str(tmp_path / "absent.arrow"), 1, "no such file"),
        ("  ", 2, "empty"),
        ("Some text.", 1, "cannot be loaded"),
    ):
        with pytest.raises(typer.Exit) as ended:
            predict.command("nobody", what, "text", None)
        assert ended.value.exit_code == code
        assert message in capsys.readouterr().err.replace("\n", " ")
