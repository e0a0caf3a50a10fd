"""Servers and stores that are dead, locked, foreign or emptied: every command says so in a line, within seconds."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
import typer
from tiny import ROOT

from flows.cli import chat, compare, distill, history, plan, predict, promote, rollback, run, schedule, serve, up
from flows.cli.library_errors import library_error
from flows.services.service_error import ServiceError
from flows.services.stores import require
from tasks.artifact import StageError

DEAD = "http://127.0.0.1:9"
RECIPE = str(ROOT / "configs" / "reviews_demo.yaml")
TAUGHT = "train.teacher={models: [{kind: registered, name: any}]}"
MLFLOW: dict[str, Callable[[], Any]] = {
    "run": lambda: run.command(Path(RECIPE)),
    "predict": lambda: predict.command("any", "a text", "text", None),
    "serve": lambda: serve.command("any", 5999, None),
    "history": lambda: history.command("any"),
    "promote": lambda: promote.command("any", 1, "so"),
    "rollback": lambda: rollback.command("any", "so"),
    "chat": lambda: chat.command("any", None, 16),
    "compare": lambda: compare.command([RECIPE, RECIPE, "train.epochs=1"], None, 2, None),
    "distill": lambda: distill.command(ROOT / "configs" / "digits_demo.yaml", [TAUGHT], None, 2),
    "up": lambda: up.command(0, 0, None, "temper", 1),
}
PREFECT = {name: MLFLOW[name] for name in ("run", "compare", "distill")} | {
    "schedule": lambda: schedule.command([Path(RECIPE)])
}


def says(capsys: pytest.CaptureFixture[str], call: Callable[[], Any], *words: str) -> None:
    """The call ends with code 1 after one line with these words, in seconds and without a traceback."""
    capsys.readouterr()
    began = time.monotonic()
    with pytest.raises(typer.Exit) as stopped:
        call()
    told = capsys.readouterr().err
    assert stopped.value.exit_code == 1 and time.monotonic() - began < 20
    assert told.count("error:") == 1 and "Traceback" not in told
    for word in words:
        assert word in told, told


@contextmanager
def locked_database(path: Path) -> Iterator[None]:
    with sqlite3.connect(path) as made:
        made.execute("create table if not exists alembic_version (version_num)")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("begin exclusive")
    yield
    holder.close()


@pytest.mark.parametrize("name", MLFLOW)
@pytest.mark.parametrize("fault", ["dead", "files", "garbage"])
def test_every_command_says_what_is_wrong_with_mlflows_store(
    name: str, fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.db").write_bytes(b"no database at all " * 400)
    given, words = {
        "dead": (DEAD, ("MLflow's server http://127.0.0.1:9", "unset MLFLOW_TRACKING_URI")),
        "files": ("./mlruns", ("MLFLOW_TRACKING_URI is ./mlruns, a store of files", "sqlite:////")),
        "garbage": (f"sqlite:///{tmp_path}/bad.db", ("bad.db", "to fix it: mv")),
    }[fault]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    says(capsys, MLFLOW[name], *words)


@pytest.mark.parametrize("name", ["predict", "up"])
def test_a_locked_database_is_named_after_three_seconds(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/held.db")
    with locked_database(tmp_path / "held.db"):
        says(capsys, MLFLOW[name], "held.db is locked by another process", "fuser")


@pytest.mark.parametrize("name", PREFECT)
def test_every_command_says_that_prefects_server_is_dead(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: f"{DEAD}/api"}):
        says(capsys, PREFECT[name], "Prefect's server http://127.0.0.1:9/api", "unset PREFECT_API_URL")


def test_a_server_that_is_silent_has_three_seconds_and_one_that_asks_for_a_login_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "slow" in self.headers["Host"]:
                time.sleep(6)
            self.send_response(401)
            self.end_headers()

        def log_message(self, *words: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:word@127.0.0.1:{server.server_port}/")
        require("MLflow")
        server.shutdown()
        began = time.monotonic()
        with pytest.raises(ServiceError, match="does not answer within 3 s") as stopped:  # listens, answers nobody
            require("MLflow")
        assert time.monotonic() - began < 5 and "word" not in str(stopped.value)


def test_errors_of_libraries_become_lines_and_those_of_our_own_code_do_not() -> None:
    import httpx
    import requests
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import OperationalError

    for error, words in (
        (MlflowException("Run 'x' not found"), ("MLflow (sqlite:", "it was deleted, or belongs to another store")),
        (OperationalError("select 1", {}, Exception("database is locked")), ("database is locked", "end it")),
        (requests.ConnectionError("refused http://me:pw@host/"), ("MLflow", "refused http://…@host")),
        (httpx.ConnectError("refused"), ("Prefect (its temporary server)", "refused")),
        (MlflowException("x" * 5000), ("…; see `temper doctor`",)),
        (requests.ConnectionError("Max retries exceeded with url: /api"), ("start the server again", "checkpoint")),
        (httpx.ConnectError("All connection attempts failed"), ("start the server again", "finished stages are kept")),
    ):
        told = library_error(error)
        assert told is not None and "\n" not in told and len(told) < 600
        assert all(word in told for word in words), told
    refused = httpx.ConnectError("refused", request=httpx.Request("GET", "http://me:word@127.0.0.1:4299/api/x"))
    assert (told := library_error(refused)) and told.startswith("Prefect (http://127.0.0.1:4299): refused"), told
    refused.__context__ = MlflowException("Max retries exceeded")  # so where the failure cannot be recorded either
    told = library_error(refused)
    assert told is not None and told.startswith("MLflow (sqlite:") and "start the server again" in told
    for ours in (KeyError("x"), ValueError("x"), RuntimeError("x"), TypeError("x")):
        assert library_error(ours) is None


@pytest.mark.faults
def test_an_error_of_mlflows_database_is_reported_by_the_command_alone(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from mlflow.exceptions import MlflowException

    from tasks.tracking import runs

    client = runs.client()
    run_id = client.create_run(runs.experiment(client, "small")).info.run_id
    with sqlite3.connect(home / "mlruns" / "mlflow.db") as database:
        database.execute("drop table tags")
    with pytest.raises(MlflowException) as stopped:
        client.set_tag(run_id, "a", "b")
    assert "no such table" in str(library_error(stopped.value))
    assert "Traceback" not in capfd.readouterr().err


class Echo(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Somebody's model, which answers with a list."""

    def predict(self, context, model_input, params=None):
        return [len(model_input)]


@pytest.mark.faults
def test_models_runs_and_experiments_that_are_not_as_temper_left_them(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from registered import register_texts

    from tasks.tracking import registry, runs
    from tasks.tracking.models import answer
    from tasks.tracking.wire_format import MODEL_DIGEST, VERDICT

    register_texts("own")
    client = runs.client()
    version = client.get_model_version("own", "1")
    client.set_model_version_tag("own", "1", VERDICT, "promoted: so")
    digest, run_id = version.tags[MODEL_DIGEST], str(version.run_id)

    # a colleague's version becomes champion: no signature, no table
    mlflow.set_tracking_uri(client.tracking_uri)
    foreign = mlflow.pyfunc.log_model(name="m", python_model=Echo(), pip_requirements=["mlflow"])
    mlflow.end_run()
    client.create_model_version("own", foreign.model_uri)
    client.set_registered_model_alias("own", "champion", "2")
    says(capsys, lambda: predict.command("own", "a text", "text", None), "no signature")
    says(capsys, lambda: chat.command("own", None, 16), "no signature")
    says(capsys, lambda: promote.command("own", 2, "so"), "no signature")
    says(capsys, lambda: rollback.command("own", "so"), "own")
    history.command("own")
    with pytest.raises(StageError, match="predicts list, not a table"):
        answer(mlflow.pyfunc.load_model(foreign.model_uri), pd.DataFrame({"text": ["a"]}))

    # the alias is deleted, then the run, then the experiment
    client.delete_registered_model_alias("own", "champion")
    says(capsys, lambda: predict.command("own", "a text", "text", None), "own")
    says(capsys, lambda: rollback.command("own", "so"), "no champion")
    client.delete_run(run_id)
    with pytest.raises(StageError, match=rf"version 1: its MLflow run {run_id} was deleted: restore .* runs rest"):
        registry.settled("own", digest, {}, {})
    history.command("own")
    client.restore_run(run_id)
    client.delete_experiment(client.get_run(run_id).info.experiment_id)
    with pytest.raises(StageError, match=r"experiment small of its run was deleted: .*experiments restore --exp"):
        registry.settled("own", digest, {}, {})
    with pytest.raises(StageError, match=r"experiment small was deleted: restore it"):
        runs.experiment(client, "small")
    history.command("own")
    capsys.readouterr()
    plan.command(Path(RECIPE))  # asks no server


PROXIED = """
import asyncio, os, sys, urllib.request
from configs.environment import quiet_tools
quiet_tools()
import httpx, requests
for place in (sys.argv[1], sys.argv[1].replace("127.0.0.1", "localhost")):
    assert urllib.request.urlopen(place, timeout=5).read() == b"own", "urllib"
    assert requests.get(place, timeout=5).text == "own", "requests"
    assert httpx.get(place, timeout=5).text == "own", "httpx"
outside = "http://outside.invalid/"
assert urllib.request.urlopen(outside, timeout=5).read() == b"proxy"
assert requests.get(outside, timeout=5).text == httpx.get(outside, timeout=5).text == "proxy"
print(os.environ["no_proxy"] == os.environ["NO_PROXY"], os.environ["NO_PROXY"])
"""


@pytest.mark.parametrize("case", [str.lower, str.upper], ids=["lower case", "upper case"])
def test_this_machine_is_never_asked_through_a_proxy_and_others_are(case: Callable[[str], str]) -> None:
    def serve_word(word: bytes) -> HTTPServer:
        class Word(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(word)

            def log_message(self, *words: Any) -> None: ...

        server = HTTPServer(("127.0.0.1", 0), Word)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    own, proxy = serve_word(b"own"), serve_word(b"proxy")
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    env |= {case("http_proxy"): f"http://127.0.0.1:{proxy.server_port}", case("no_proxy"): "intern.example"}
    done = subprocess.run(
        [sys.executable, "-c", PROXIED, f"http://127.0.0.1:{own.server_port}/"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    for server in (own, proxy):
        server.shutdown()
        server.server_close()
    assert done.stdout.split() == ["True", "intern.example,localhost,127.0.0.1,::1"], done.stderr


def test_without_a_proxy_nothing_is_set_and_a_star_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    from configs.environment import pass_by_proxies

    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    pass_by_proxies()
    assert "no_proxy" not in os.environ and "NO_PROXY" not in os.environ
    monkeypatch.setenv("https_proxy", "http://proxy.example")
    monkeypatch.setenv("no_proxy", "*")
    pass_by_proxies()
    assert os.environ["no_proxy"] == "*" and "NO_PROXY" not in os.environ


def test_one_tracking_uri_is_served_and_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from configs.settings import settings
    from flows.services.servers import databases, mlflow_server

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    served = mlflow_server(5000, databases(None)).env["MLFLOW_BACKEND_STORE_URI"]
    assert served == settings().tracking == settings().database == f"sqlite:///{tmp_path}/other.db"
    with pytest.raises(ServiceError, match="named twice"):
        databases("postgresql://me:pw@127.0.0.1/x")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert settings().database == f"sqlite:///{settings().mlruns}/mlflow.db"


@pytest.mark.parametrize(
    ("used", "said"),
    [
        ("sqlite:///{folder}/other.db", True),
        ("http://127.0.0.1:9", True),
        ("http://me:word@127.0.0.1:9", True),
        ("http://127.0.0.1:5123/", False),
        ("http://localhost:5123", False),
        ("sqlite:///{folder}/served.db", False),
        (None, False),
    ],
)
def test_another_registry_than_the_one_that_is_served_is_named_in_a_line(
    used: str | None,
    said: bool,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from configs.servers import Servers, announce, claimed
    from configs.settings import settings
    from flows.services import stores

    if used is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", used.format(folder=tmp_path))
    served = f"sqlite:///{tmp_path}/served.db"
    announced = Servers("http://127.0.0.1:4200/api", "http://127.0.0.1:5123", 17, served)
    settings().mlruns.mkdir()
    announce(settings().mlruns, announced)  # of one that was killed
    stores.say_other_registry()
    with claimed(settings().mlruns):
        stores.say_other_registry()
        assert capsys.readouterr().err == ""
        announce(settings().mlruns, announced)
        stores.say_other_registry()
    told = capsys.readouterr().err
    assert told.count("\n") == said and "word" not in told
    assert ("retrains against http://127.0.0.1:5123. Unset it" in told) == said


def test_a_server_that_is_gone_is_given_up_within_seconds_and_the_line_says_how_to_go_on() -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    began = time.monotonic()
    with pytest.raises(MlflowException) as stopped:
        MlflowClient(DEAD, DEAD).get_run("one")
    assert time.monotonic() - began < 15
    told = library_error(stopped.value)
    assert told is not None and "start the server again and repeat the command" in told


DIES = """
import os, signal, sys, time
from configs.environment import quiet_prefect, quiet_tools
quiet_tools(); quiet_prefect()
import httpx, typer
from flows.cli.failures import failures
from flows.services import temporary_server as services
from tasks.cached import Stage
from tasks.output import Output
from configs.splitting import HashSplit
asked, kept, send, start = [], [], httpx.Client.send, services.start_server
def counted(self, request, **more):
    asked.append((time.monotonic(), request.url.path))
    return send(self, request, **more)
def started():
    kept[:] = start()
    return tuple(kept)
httpx.Client.send, services.start_server = counted, started
def split(out: Output, section: HashSplit) -> None:
    (out.records / "summary.md").write_text("what was seen before")
    os.killpg(kept[0].pid, signal.SIGKILL)
    kept[0].wait()
    asked[:] = [(time.monotonic(), "killed")]
    out.progress(1, 2, "half of it")
split.__module__ = "tasks.split"
stage = Stage(split, "splits", {}, (), False)
try:
    with failures(), services.prefect_api():
        from prefect import flow
        flow(lambda: stage(HashSplit(kind="hash")), name="one")()
except typer.Exit as end:
    told = [path for _, path in asked]
    print(end.exit_code, told.count("/api/artifacts/"), round(time.monotonic() - asked[0][0]))
"""


@pytest.mark.faults
@pytest.mark.servers
def test_a_server_that_dies_in_a_stage_is_asked_for_the_failure_once(home: Path) -> None:
    """Nothing more is published to it: the tries for one request, and those for the state of the flow run."""
    done = subprocess.run(
        [sys.executable, "-c", DIES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=290,
        env={**os.environ, "TEMPER_HOME": str(home), "PREFECT_HOME": str(home / "prefect")},
    )
    assert done.returncode == 0 and "start the server again and repeat the command" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    code, requests, seconds = map(int, done.stdout.split())
    assert code == 1 and 1 <= requests <= 3 and seconds < 30, done.stdout


def test_at_a_terminal_prefect_is_quiet_and_impatient_unless_the_environment_has_its_own_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from configs.environment import BY_HAND, quiet_prefect

    for given in ("", "9"):
        for name in BY_HAND:
            monkeypatch.setenv(name, given)
        quiet_prefect()
        assert os.environ["PREFECT_CLIENT_MAX_RETRIES"] == (given or "2")
        assert os.environ["PREFECT_LOGGING_INTERNAL_LEVEL"] == "CRITICAL"
