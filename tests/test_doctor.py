"""temper doctor: each planted fault is found, named and given a fix; a sound machine has none."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flows.services import databases, machine_checks
from flows.services.databases import Finding

pytestmark = pytest.mark.faults


def by_name(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.what: finding for finding in findings}


def temper(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("temper")), "doctor", *words]
    own = {"PREFECT_HOME": str(cwd / "prefect"), "COLUMNS": "200", **environment}
    return subprocess.run(command, cwd=cwd, env={**os.environ, **own}, capture_output=True, text=True, check=False)


@pytest.mark.faults
def test_init_makes_the_databases_ready_and_a_second_look_changes_nothing(tmp_path: Path, home: Path) -> None:
    done = temper("--init", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[:2] == [
        "making the databases of Prefect and MLflow ready; the first time takes up to a minute",
        "the databases are ready",
    ]
    assert "broken" not in done.stdout
    said = " ".join(done.stdout.split())
    for part in (
        f"ok Python {sys.version.split()[0]}",
        "ok fastapi 0.150",
        "ok sqlalchemy 2.0",
        f"ok TEMPER_HOME {home}",
        f"ok Prefect's database {tmp_path / 'prefect' / 'prefect.db'} is ready",
        f"ok MLflow's database {home / 'mlruns' / 'mlflow.db'} is ready",
        "GiB free at",
        "note offline HF_HUB_OFFLINE=1",
        "ok device cpu",
    ):
        assert part in said
    damage_and_look(tmp_path, home)


def damage_and_look(tmp_path: Path, home: Path) -> None:
    """The same databases, spoilt one after the other; a database of its own for each would cost 10 s more."""
    ready = home / "mlruns" / "mlflow.db"
    revision = sqlite3.connect(ready).execute("select version_num from alembic_version").fetchone()[0]
    known, newest = databases.revisions("MLflow")
    assert newest == {revision}
    older = min(known - newest)
    for spoil, state, found, fix in (
        (
            f"update alembic_version set version_num = '{older}'",
            "broken",
            "older than the package",
            "mlflow db upgrade",
        ),
        ("update alembic_version set version_num = 'f00'", "broken", "made by a newer package", "--init"),
        ("delete from alembic_version", "broken", "half made", "--init"),
        ("drop table alembic_version", "broken", "no such table", "--init"),
    ):
        spoilt = tmp_path / "spoilt.db"
        shutil.copyfile(ready, spoilt)
        with sqlite3.connect(spoilt) as connection:
            connection.execute(spoil)
        finding = databases.database("MLflow", spoilt)
        assert (finding.state, found in finding.detail, fix in finding.fix) == (state, True, True), finding
    spoilt.write_bytes(b"no database at all" * 100)
    assert databases.database("MLflow", spoilt).state == "broken"


def test_an_older_database_of_prefect_is_no_fault(tmp_path: Path) -> None:
    known, newest = databases.revisions("Prefect")
    assert len(newest) == 1
    with sqlite3.connect(tmp_path / "prefect.db") as connection:
        connection.execute("create table alembic_version (version_num text)")
        connection.execute("insert into alembic_version values (?)", [min(known - newest)])
    assert databases.database("Prefect", tmp_path / "prefect.db").state == "note"


@pytest.mark.parametrize("content", [None, b""])
def test_a_database_that_is_not_there_is_no_fault(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.db").write_bytes(content)
    finding = databases.database("MLflow", tmp_path / "a.db")
    assert (finding.state, finding.fix) == ("note", "temper doctor --init makes it, or else the first run")


def test_a_broken_machine_ends_with_code_1_and_names_every_fault(tmp_path: Path, home: Path) -> None:
    planted = tmp_path / "packages"
    for name, version in (("fastapi", "0.155.0"), ("sqlalchemy", "2.1.9"), ("pandas", "2.3.0")):
        (planted / f"{name}-{version}.dist-info").mkdir(parents=True)
        (planted / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    (planted / "torch.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    done = temper(
        cwd=tmp_path,
        PYTHONPATH=str(planted),
        TEMPER_THREADS="many",
        TEMPER_ARTIFACT="/a",
        PREFECT_API_URL="http://127.0.0.1:9/api",
        MLFLOW_TRACKING_URI="http://me:secret@127.0.0.1:9",
    )
    said = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "secret" not in said
    for part in (
        "broken fastapi 0.155.0, has to be <0.151; with a newer one Prefect 3.8's server cannot start",
        "→ pip install 'fastapi<0.151'",
        "broken sqlalchemy 2.1.9, has to be <2.1,>=2.0.36; with a newer one Prefect 3.8 never starts a scheduled run",
        "broken pandas 2.3.0, has to be <4,>=3 → pip install 'pandas<4,>=3'",
        "broken TEMPER_THREADS 'many': Input should be a valid integer",
        "note TEMPER_ARTIFACT is no setting → did you mean TEMPER_ARTIFACTS?",
        "broken PREFECT_API_URL http://127.0.0.1:9/api: [Errno 111] Connection refused → start it, or unset",
        "broken MLFLOW_TRACKING_URI http://…@127.0.0.1:9: [Errno 111] Connection refused",
        "broken device RuntimeError: operator torchvision::nms does not exist",
    ):
        assert part in said
    assert list(home.iterdir()) == []


def test_a_package_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temper-9.dist-info").mkdir()
    text = "Name: temper\nVersion: 9\nRequires-Dist: no-such-package>=2\nRequires-Dist: pytest; extra == 'dev'\n"
    (tmp_path / "temper-9.dist-info" / "METADATA").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = by_name(machine_checks.packages())
    assert found["no-such-package"] == Finding(
        "no-such-package", "broken", "not installed", "pip install 'no-such-package>=2'"
    )
    assert "pytest" not in found


def test_settings_are_shown_with_what_set_them(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPER_THREADS", "2")
    found = by_name(machine_checks.settings_in_force())
    assert {finding.state for finding in found.values()} == {"ok"}
    assert found["TEMPER_HOME"].detail == str(home)
    assert found["TEMPER_ARTIFACTS"].detail == f"{home}/.artifacts (default)"
    assert found["TEMPER_DATA"].detail == str(tmp_path / "data")
    assert found["TEMPER_THREADS"].detail == "2"
    assert found["MLFLOW_TRACKING_URI"].detail == f"sqlite:///{home}/mlruns/mlflow.db (default)"


def test_a_folder_that_cannot_be_written_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TEMPER_ARTIFACTS", str(tmp_path / "file" / "artifacts"))
    finding = by_name(machine_checks.settings_in_force())["TEMPER_ARTIFACTS"]
    assert finding.state == "broken"
    assert finding.fix == f"{tmp_path}/file cannot be written in; set TEMPER_ARTIFACTS to another folder"


class Answers(BaseHTTPRequestHandler):
    """/health of three servers: sound, locked, and failing."""

    def do_GET(self) -> None:
        self.send_response({"/a/health": 200, "/b/health": 401}.get(self.path, 500))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.mark.parametrize(("path", "state"), [("a", "ok"), ("a/", "ok"), ("b", "note"), ("c", "note")])
def test_a_server_is_asked_how_it_is(monkeypatch: pytest.MonkeyPatch, path: str, state: str) -> None:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{server.server_port}/{path}")
        monkeypatch.setenv("NO_PROXY", "*")
        finding = by_name(machine_checks.network())["MLFLOW_TRACKING_URI"]
        server.shutdown()
    assert finding.state == state
    assert "secret" not in finding.detail


def test_the_help_needs_none_of_what_it_looks_at(tmp_path: Path) -> None:
    heavy = "('torch', 'prefect', 'mlflow', 'pandas', 'yaml', 'numpy', 'sqlite3')"
    script = (
        f"import sys\nfor name in {heavy}:\n    sys.modules[name] = None\nsys.argv = ['temper', 'doctor', '--help']\n"
        "from flows.cli import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--init" in done.stdout
