"""Both servers on one PostgreSQL database, many runs at once there and on SQLite, and wrong addresses."""

import os
import signal
import subprocess
import time
import urllib.error
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path

import pytest
import yaml
from bench_concurrency import measure, told
from postgres import PASSWORD, cluster
from test_up import BIN, PATIENCE, ROOT, Up, ask, free_ports

from flows.services.databases import revisions
from flows.services.postgres import prepare
from flows.services.servers import answers
from flows.services.service_error import ServiceError


@pytest.mark.long
@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("runs", "postgres"), [(16, False), (32, True)], ids=["sqlite", "postgresql"])
def test_many_runs_at_once_all_complete(
    runs: int, postgres: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with cluster() if postgres else nullcontext() as address:
        up = Up(tmp_path, *(["--database", address] if postgres else []))
        request.addfinalizer(lambda: up.process and up.process.poll() is None and up.process.kill())
        up.start()
        api = f"http://127.0.0.1:{up.prefect}/api"
        found = measure(api, tmp_path / "runs", runs)
        print(told("PostgreSQL" if postgres else "SQLite", found))
        assert [one for one in found if isinstance(one, str)] == []
        asked = {"flows": {"name": {"any_": ["prepare"]}}, "limit": 100}
        states = [run["state_type"] for run in ask(f"{api}/flow_runs/filter", asked)]
        assert states == ["COMPLETED"] * runs, "rows are not runs"
        if postgres:
            tables = by_schema(str(address))
            assert "flow_run" in tables["prefect"]
            assert "experiments" in tables["mlflow"]
        assert up.stop() == 0
        written = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
        leaks = [path for path in [*written, up.log] if PASSWORD.encode() in path.read_bytes()]
        assert leaks == [], "the database's password is written down"


@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.timeout(900)
def test_the_services_of_compose_work_together(tmp_path: Path) -> None:
    """What compose.yaml starts, without containers: names and ports of its network become ones of this machine."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    ports = dict(zip(("prefect", "mlflow"), free_ports(2), strict=True))
    with cluster() as address, ExitStack() as stack:

        def here(text: str) -> str:
            text = text.replace("${TEMPER_PASSWORD}", PASSWORD).replace("0.0.0.0", "127.0.0.1")
            text = text.replace("@database:5432/temper", "@" + address.partition("@")[2])
            for name, port in (("prefect", 4200), ("mlflow", 5000)):
                for host in (name, "127.0.0.1", "localhost"):
                    text = text.replace(f"{host}:{port}", f"127.0.0.1:{ports[name]}")
            return text.replace("/artifacts", str(tmp_path / "artifacts")).replace(
                "/home/temper", str(tmp_path / "home")
            )

        def start(name: str) -> subprocess.Popen[bytes]:
            words = [here(word) for word in services[name]["command"]]
            words = [str(ports[name]) if word in ("4200", "5000") else word for word in words]
            env = {
                **os.environ,
                "HOME": str(tmp_path),
                "PREFECT_HOME": str(tmp_path / "prefect"),
                **{key: here(value) for key, value in services[name]["environment"].items()},
            }
            log = stack.enter_context((tmp_path / f"{name}.log").open("wb"))
            command = [BIN / words[0] if (BIN / words[0]).exists() else words[0], *words[1:]]
            process = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
            stack.callback(end, process)
            return process

        assert start("schemas").wait(120) == 0, (tmp_path / "schemas.log").read_text()
        start("prefect")
        start("mlflow")
        for name, page in (("prefect", "api/health"), ("mlflow", "health")):
            until(lambda: answers(f"http://127.0.0.1:{ports[name]}/{page}"), tmp_path / f"{name}.log")  # noqa: B023
        worker = start("worker")
        until(lambda: "ready; Ctrl-C" in (tmp_path / "worker.log").read_text(), tmp_path / "worker.log")
        pools = f"http://127.0.0.1:{ports['prefect']}/api/work_pools/filter"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(pools, {})
        login = b64encode(f"temper:{PASSWORD}".encode()).decode()
        assert "temper" in [pool["name"] for pool in ask(pools, {}, Authorization=f"Basic {login}")]
        assert {"prefect", "mlflow"} <= by_schema(address).keys()
        prepare(address)  # the tables that both servers made are of the right version
        worker.terminate()
        assert worker.wait(90) == 0


def end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(seen: Callable[[], bool], log: Path) -> None:
    last = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < last, log.read_text()
        time.sleep(0.5)


def by_schema(address: str) -> dict[str, set[str]]:
    import psycopg

    with psycopg.connect(address) as connection:
        rows = connection.execute("select schemaname, tablename from pg_tables").fetchall()
    found: dict[str, set[str]] = {}
    for schema, table in rows:
        found.setdefault(schema, set()).add(table)
    return found


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mysql://a:b@127.0.0.1/x", "write the database as postgresql://"),
        ("postgresql://127.0.0.1", "write the database as postgresql://"),
        ("postgresql://a:s3cret@127.0.0.1:9/x", "Connect call failed"),
    ],
)
def test_an_address_that_does_not_work_is_said_without_its_password(address: str, said: str) -> None:
    with pytest.raises(ServiceError, match=said) as raised:
        prepare(address)
    assert "s3cret" not in str(raised.value)


def test_tables_of_another_version_are_refused() -> None:
    import psycopg

    with cluster() as address, psycopg.connect(address, autocommit=True) as connection:
        prepare(address)
        for name, owner in (("mlflow", "MLflow"), ("prefect", "Prefect")):
            known, newest = revisions(owner, "postgresql")
            connection.execute(f"create table {name}.alembic_version (version_num text)")
            for revision, said in (
                (min(known - newest), "are older than the package; to fix it: mlflow db upgrade"),
                ("0123456789ab", "made by a newer package"),
                (min(newest), None),
            ):
                connection.execute(f"delete from {name}.alembic_version")
                connection.execute(f"insert into {name}.alembic_version values ('{revision}')")
                if said is None or (owner == "Prefect" and "older" in said):  # which renews its tables by itself
                    prepare(address)
                    continue
                with pytest.raises(ServiceError, match=f"{owner}'s tables in .* {said}") as raised:
                    prepare(address)
                assert PASSWORD not in str(raised.value)


def test_a_wrong_password_is_refused() -> None:
    with cluster() as address, pytest.raises(ServiceError, match="password authentication failed") as raised:
        prepare(address.replace(PASSWORD, "wr0ng-one"))
    assert "wr0ng-one" not in str(raised.value)
