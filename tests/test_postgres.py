"""Both servers on one PostgreSQL database, many runs at once there and on SQLite, and wrong addresses."""

from pathlib import Path

import pytest
from bench_concurrency import measure, told
from postgres import PASSWORD, cluster
from test_up import Up, ask

from flows.postgres import prepare
from flows.services import ServiceError


@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("runs", "postgres"), [(16, False), (32, True)], ids=["sqlite", "postgresql"])
def test_many_runs_at_once_all_complete(
    runs: int, postgres: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from contextlib import nullcontext

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


def test_a_wrong_password_is_refused() -> None:
    with cluster() as address, pytest.raises(ServiceError, match="password authentication failed") as raised:
        prepare(address.replace(PASSWORD, "wr0ng-one"))
    assert "wr0ng-one" not in str(raised.value)
