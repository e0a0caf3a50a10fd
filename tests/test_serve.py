"""A model behind MLflow's scoring server: the answers of the model itself, reasons for bad requests, nothing left."""

import base64
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from registered import picture, register_images, register_texts
from test_guarded import ended

from flows.cli import serve
from flows.cli.serve import curl
from flows.services.model_server import Env, choose, require_free
from flows.services.service_error import ServiceError
from tasks.tracking.named import Named, Packed, mismatches

NAMED = Named("small", "3", "d", "models:/small/3")
HERE = f"pandas=={version('pandas')}"
TEXTS = ["It's good.", "never again", "row 7 \u2713"]


def test_packages_are_compared_exactly() -> None:
    assert mismatches((HERE, "Pandas", f"numpy=={version('numpy')}")) == []
    assert mismatches(("pandas==0.1", "absent-package==1", HERE, "nonsense ==")) == [
        f"pandas==0.1: here is {version('pandas')}",
        "absent-package==1: not installed",
        "nonsense ==: not a requirement that can be compared",
    ]
    assert mismatches(("absent-package==1; python_version < '3'",)) == []


def test_another_environment_is_refused_unless_it_is_asked_for() -> None:
    same, other = Packed((HERE,), {}), Packed((HERE, "numpy==0.1"), {})
    assert "installed as pinned" in choose(NAMED, same, None)
    with pytest.raises(ServiceError, match=r"(?s)pins other packages.*numpy==0\.1: here is .*--env uv.*--env local"):
        choose(NAMED, other, None)
    assert "although packages differ" in choose(NAMED, other, Env.local)
    assert "made by uv" in choose(NAMED, other, Env.uv)


def test_uv_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match="needs uv"):
        choose(NAMED, Packed((), {}), Env.uv)


def spoken(line: str) -> Any:
    """The body that a shell would hand to curl."""
    shell = line.replace("curl ", "printf '%s\\n' ", 1) if line.startswith("curl") else line.replace("curl -s", "cat #")
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_the_printed_request_survives_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = {"dataframe_split": {"columns": ["text"], "data": [['It\'s "$HOME" `x` \u00e9'], ["second"]]}}
    body = spoken(curl(example, 5001))
    assert body == {"dataframe_split": {"columns": ["text"], "data": [['It\'s "$HOME" `x` \u00e9']]}}
    talk = {"messages": [{"role": "user", "content": "hi"}]}
    assert spoken(curl(talk, 5001)) == talk
    monkeypatch.chdir(tmp_path)
    (tmp_path / "IMAGE.png").write_bytes(picture(1))
    line = curl({"dataframe_split": {"columns": ["image"], "data": [["x" * 9999]]}}, 5001)
    assert len(line) < 300
    (row,) = spoken(line)["dataframe_split"]["data"]
    assert base64.b64decode(row[0]) == picture(1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(typer.Exit):
            serve.command("small", port)
    assert f"port {port} cannot be had (Address already in use); name another with --port" in capsys.readouterr().err


@dataclass
class Server:
    """A `temper serve` that is running, and what it has printed."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ask(self, body: Any, kind: str = "application/json", path: str = "/invocations") -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(asked, timeout=120) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def family(self) -> list[int]:
        """The process and all that descend from it."""
        found = [self.process.pid]
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(path.read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            self.parents[int(path.parent.name)] = parent
        for _ in range(6):
            found += [pid for pid, parent in self.parents.items() if parent in found and pid not in found]
        return found

    def __post_init__(self) -> None:
        self.parents: dict[int, int] = {}


def start(model: str, folder: Path, said: str = "answers at", before: tuple[str, ...] = ()) -> Server:
    """Wait for the line that says that it answers, or another. `before`: a command that the command is given to."""
    port, log = free_port(), folder / "log"
    words = [*before, sys.executable, "-m", "flows", "serve", model, "--port", str(port)]
    with log.open("wb") as handle:
        process = subprocess.Popen(words, cwd=serve_root(), env=dict(os.environ), stderr=handle, start_new_session=True)
    end = time.monotonic() + 240
    while said not in log.read_text(encoding="utf-8"):
        assert process.poll() is None and time.monotonic() < end, log.read_text(encoding="utf-8")
        time.sleep(0.2)
    return Server(process, port, log)


def serve_root() -> Path:
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with two small models, for as long as the module lasts."""
    place = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPER_HOME", str(place))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        register_texts("small")
        register_images("digits")
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield place


@pytest.fixture(scope="module")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = start("small", tmp_path_factory.mktemp("server"))
    yield found
    if found.process.poll() is None:
        found.process.kill()
        found.process.wait()


@pytest.fixture
def here(models: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same model in this process."""
    from tasks.tracking.models import load_model

    monkeypatch.setenv("TEMPER_HOME", str(models))
    return load_model("small", "text")


GOOD = {
    "split": {"dataframe_split": {"columns": ["text"], "data": [[text] for text in TEXTS]}},
    "records": {"dataframe_records": [{"text": text} for text in TEXTS]},
    "inputs": {"inputs": TEXTS},
    "an extra column behind": {"dataframe_split": {"columns": ["text", "id"], "data": [[t, 1] for t in TEXTS]}},
}


@pytest.mark.parametrize("form", GOOD)
@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.timeout(600)
def test_http_gives_the_answers_of_the_model_itself(server: Server, here: Any, form: str) -> None:
    status, answer = server.ask(GOOD[form])
    assert status == 200
    assert answer["predictions"] == here.predict(pd.DataFrame({"text": TEXTS})).to_dict("records")


BAD: list[tuple[str, Any, str, str, int, str]] = [
    ("not JSON", b"{nope", "application/json", "/invocations", 400, "valid JSON"),
    ("not UTF-8", b"\xff\xff", "application/json", "/invocations", 400, "valid JSON"),
    ("a list", ["x"], "application/json", "/invocations", 400, "Received a list"),
    ("no known field", {"text": "x"}, "application/json", "/invocations", 400, "exactly one of the input fields"),
    ("another content type", b"x", "text/plain", "/invocations", 415, "only supports the following content types"),
    ("another encoding", {"inputs": ["x"]}, "application/json; charset=latin-1", "/invocations", 415, "UTF-8"),
    ("no such path", {"inputs": ["x"]}, "application/json", "/predict", 404, "Not Found"),
    (
        "missing column",
        {"dataframe_records": [{"title": "x"}]},
        "application/json",
        "/invocations",
        400,
        "needs a column `text`, before any other, and has ['title']",
    ),
    (
        "extra column before",
        {"dataframe_split": {"columns": ["id", "text"], "data": [["7", "x"]]}},
        "application/json",
        "/invocations",
        400,
        "needs a column `text`, before any other, and has ['id']",
    ),
    (
        "None in a table",
        {"dataframe_records": [{"text": None}]},
        "application/json",
        "/invocations",
        400,
        "each row needs a text, got None",
    ),
    ("None in a list", {"inputs": [None]}, "application/json", "/invocations", 400, "each row needs a text, got None"),
    ("None among texts", {"inputs": ["x", None]}, "application/json", "/invocations", 400, "needs a text, got"),
    (
        "a number in a table",
        {"dataframe_records": [{"text": 5}]},
        "application/json",
        "/invocations",
        400,
        "each row needs a text, got 5",
    ),
    ("a number in a list", {"inputs": [5]}, "application/json", "/invocations", 400, "each row needs a text, got 5"),
    ("an empty list", {"inputs": []}, "application/json", "/invocations", 400, "missing inputs"),
    (
        "ragged rows",
        {"dataframe_split": {"columns": ["text"], "data": [["a", "b"]]}},
        "application/json",
        "/invocations",
        400,
        "1 columns passed, passed data had 2 columns",
    ),
    ("half a letter", b'{"inputs": ["\\ud800"]}', "application/json", "/invocations", 400, "surrogates not allowed"),
]


@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.timeout(600)
def test_bad_requests_are_told_why_and_harm_nobody(server: Server, here: Any) -> None:
    wanted = here.predict(TEXTS).to_dict("records")
    for what, body, kind, path, code, says in BAD:
        status, told = server.ask(body, kind, path)
        assert (status, says in str(told)) == (code, True), (what, status, told)
        assert "Traceback" not in str(told) and "unexpected error" not in str(told), (what, told)
        assert server.ask({"inputs": TEXTS})[1]["predictions"] == wanted, what


@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.timeout(600)
def test_pages_of_other_origins_get_no_predictions(server: Server) -> None:
    for name, value in (("Origin", "http://127.0.0.1:8888"), ("Host", "rebound.example")):
        headers = {"Content-Type": "application/json", name: value}
        asked = urllib.request.Request(f"http://127.0.0.1:{server.port}/invocations", b'{"inputs": ["x"]}', headers)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(asked, timeout=60)
        with refused.value as error:
            assert error.code == 403


@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.timeout(600)
def test_a_large_request_is_answered(server: Server, here: Any) -> None:
    long = "good " * 200_000
    status, answer = server.ask({"inputs": [long, "never"]})
    assert status == 200 and answer["predictions"] == here.predict([long, "never"]).to_dict("records")


@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.timeout(600)
def test_it_says_where_it_answers_and_is_gone_after_sigterm(server: Server) -> None:
    """Last of this server's tests: the printed line works, only loopback listens, and nothing is left."""
    printed = server.log.read_text(encoding="utf-8")
    assert "installed as pinned" in printed and '"POST /invocations' in printed, "the server's own lines come through"
    (line,) = [line for line in printed.splitlines() if line.startswith("curl ")]
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert json.loads(done.stdout)["predictions"], done.stdout
    listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
    addresses = {
        row.split()[1].split(":")[0]
        for row in listening
        if row.split()[1].endswith(f":{server.port:04X}") and row.split()[3] == "0A"
    }
    assert addresses == {"0100007F"}, "127.0.0.1 and nothing else"
    family = server.family()
    assert len(family) >= 4, "temper, its guardian, mlflow, uvicorn"
    server.process.terminate()
    assert server.process.wait(60) == 0
    assert f"ended; port {server.port} is free again" in server.log.read_text(encoding="utf-8")
    assert ended(family, 0.5)
    require_free(server.port)


DEAF = ("bash", "-c", 'trap "" INT; exec "$@"', "bash")
"""As a script starts a command with `&`: Ctrl-C's signal is ignored from the first."""


@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("said", "before", "group"),
    [
        ("answers at", (), True),
        ("serving small", (), True),
        pytest.param("answers at", DEAF, False, marks=pytest.mark.long),
    ],
    ids=["terminal", "before it answers", "in the background"],
)
def test_ctrl_c_ends_it_and_all_that_it_started(
    said: str, before: tuple[str, ...], group: bool, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal signals the whole group, guardian included; `kill -INT` the one process."""
    monkeypatch.setenv("TEMPER_HOME", str(models))
    server = start("small", tmp_path, said, before)
    try:
        family = server.family()
        if said == "answers at":
            assert len(family) >= 4, "temper, its guardian, mlflow, uvicorn"
        (os.killpg if group else os.kill)(server.process.pid, signal.SIGINT)
        assert server.process.wait(60) == 0, server.log.read_text(encoding="utf-8")
        told = server.log.read_text(encoding="utf-8")
        assert told.rstrip().endswith(f"ended; port {server.port} is free again")
        assert "Traceback" not in told
        assert ended(family, 0.5)
        require_free(server.port)
    finally:
        server.process.kill()
        server.process.wait()


@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.timeout(600)
def test_kill_9_takes_the_server_with_it_and_an_image_model_answers(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.tracking.models import load_model

    monkeypatch.setenv("TEMPER_HOME", str(models))
    server = start("digits/1", tmp_path)
    try:
        (line,) = [one for one in server.log.read_text(encoding="utf-8").splitlines() if one.startswith("curl ")]
        told = json.loads(subprocess.run(shlex.split(line), capture_output=True, text=True).stdout)
        example = pd.DataFrame({"image": [picture(0)]})
        assert told["predictions"] == load_model("digits", "image").predict(example).to_dict("records")
        for bad, says in (("bm8gaW1hZ2U=", "row 0: not a readable image"), (5, "")):
            status, said = server.ask({"dataframe_records": [{"image": bad}]})
            assert status == 400 and says in said, (status, said)
        family = server.family()
        assert len(family) >= 4
    finally:
        server.process.kill()
        server.process.wait()
    assert ended(family, 20)
    require_free(server.port)


@pytest.mark.faults
def test_a_model_that_is_not_there_is_named(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEMPER_HOME", str(models))
    for name, says in (("nobody", "there is digits, small"), ("small/9", "there is small/1 and @champion")):
        with pytest.raises(typer.Exit) as stopped:
            serve.command(name, free_port())
        assert stopped.value.exit_code == 1
        assert says in capsys.readouterr().err.replace("\n", " ")
