"""Schedules in recipes, the claim on a home, guarded children, orphans, the difference of two states of the data."""

import asyncio
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from tiny import ROOT, TINY

from configs import servers
from configs.load import RecipeError, load_recipe
from configs.settings import settings
from flows.retrain import lateness, reasons
from flows.services.guard import Guard, foreign
from flows.services.temporary_server import prefect_api
from tasks.data.difference import difference
from tasks.data.rows import with_ids
from tasks.published import _interface
from tasks.store.events import Event

DEMO = ROOT / "configs" / "reviews_demo.yaml"


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("{cron: 0 3 * * 8}", "its day of week .8. is not"),
        ("{cron: 0 0 30 2 *}", "day that never comes"),
        ("{cron: '@daily'}", "five fields"),
        ("{cron: 0 3 * * 1, timezone: Mars}", "'Mars' is no time zone"),
        ("{}", "give one of the two"),
        ("{cron: 0 3 * * 1, interval: 60}", "give one of the two"),
        ("{interval: 0}", "greater than or equal to 1"),
        ("{interval: 60, jiter: 5}", "jitter"),
    ],
)
def test_a_wrong_schedule_is_said(schedule: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe(DEMO, [f"schedule={schedule}"])


def test_a_schedule_is_in_no_key() -> None:
    plain, timed = load_recipe(DEMO), load_recipe(DEMO, ["schedule={interval: 60, jitter: 5}"])
    assert timed.schedule is not None
    assert timed.schedule.jitter == 5
    assert [getattr(plain, name) for name in ("download", "train")] == [
        getattr(timed, name) for name in ("download", "train")
    ]


HOLDER = """
import sys, time
from pathlib import Path
from configs.servers import Servers, announce, claimed
with claimed(Path(sys.argv[1])):
    announce(Path(sys.argv[1]), Servers("http://127.0.0.1:1/api", "http://127.0.0.1:2", 0))
    print("held", flush=True)
    time.sleep(600)
"""


def test_servers_are_found_while_their_keeper_lives_and_no_longer(home: Path) -> None:
    folder = settings().mlruns
    assert settings().tracking.startswith("sqlite")
    keeper = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert keeper.stdout is not None and keeper.stdout.readline() == "held\n"
        assert settings().tracking == "http://127.0.0.1:2"
        with pytest.raises(BlockingIOError), servers.claimed(folder):
            pass
        assert servers.known(folder) is not None, "a refused claim took the record away"
        with prefect_api():
            assert _interface() == "http://127.0.0.1:1", "pages of a run beside `temper up` lead to its own"
        with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
            assert _interface() is None, "this server goes with the run"
    finally:
        keeper.kill()
        keeper.wait()
        keeper.stdout.close()
    assert (folder / "up.json").exists()  # a killed keeper leaves it, and nobody believes it
    assert servers.known(folder) is None
    assert settings().tracking.startswith("sqlite")


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"host": "127.0.0.1:4200"}, False),
        ({"host": "localhost"}, False),
        ({"host": "[::1]:4200", "origin": "http://[::1]:4200"}, False),
        ({"host": "127.0.0.1:4200", "origin": "http://localhost:4200"}, False),
        ({"host": "rebound.example:4200"}, True),
        ({"host": "127.0.0.1.rebound.example"}, True),
        ({"host": "127.0.0.1:4200", "origin": "https://evil.example"}, True),
        ({"host": "127.0.0.1:4200", "origin": "null"}, True),
    ],
)
def test_foreign_names_and_pages_are_refused(headers: dict[str, str], refused: bool) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert bool(foreign(raw)) == refused
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {}

    asyncio.run(Guard(app)({"type": "http", "headers": raw}, receive, send))
    assert sent[0]["status"] == (403 if refused else 200)
    sent.clear()
    asyncio.run(Guard(app)({"type": "websocket", "headers": raw}, receive, send))
    assert (sent[0]["type"] == "websocket.close") == refused


def test_jitter_is_a_delay_of_its_own_for_each_run() -> None:
    late = [lateness(str(run), 300) for run in range(200)]
    assert 0 <= min(late) < 30 and 270 < max(late) <= 300
    assert late == [lateness(str(run), 300) for run in range(200)]
    assert lateness("any", 0) == 0


def test_the_difference_of_two_states_counts_rows_and_names_drift() -> None:
    before = with_ids(pd.DataFrame({"text": [f"text {n}" for n in range(400)], "label": ["a", "b"] * 200}))
    more = pd.DataFrame({"text": [f"new {n}" for n in range(300)], "label": ["a"] * 300})
    now = with_ids(pd.concat([before[["text", "label"]].iloc[50:], more], ignore_index=True))
    found = difference(before, now)
    assert (found.added, found.removed, found.stayed) == (300, 50, 350)
    assert "label drifted" in found.text or "label shifted" in found.text
    same = difference(before, before)
    assert (same.added, same.removed, same.stayed) == (0, 0, 400)
    assert same.text.endswith("no drift")


def test_what_is_new_is_said_of_the_first_stage_that_runs() -> None:
    lines = [
        {"stage": "download", "status": "cached", "changed": []},
        {"stage": "train", "status": "run", "changed": ["section.epochs: 1 → 2"]},
        {"stage": "evaluate", "status": "unknown", "changed": ["waits for model"]},
    ]
    assert reasons(lines) == ["recipe: train.epochs: 1 → 2"]
    assert reasons([{"stage": "register", "status": "unknown", "changed": []}]) == ["the model is not registered yet"]


FIRST_USE = """
import sys
from tasks.tracking import runs
print("ready", flush=True)
sys.stdin.readline()
found = runs.client()
run = found.create_run(runs.experiment(found, "first"))
found.log_param(run.info.run_id, "a", 1)
print(run.info.run_id, flush=True)
"""


@pytest.mark.faults
def test_four_first_uses_of_a_fresh_mlflow_database_at_once_all_survive(home: Path) -> None:
    users = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST_USE],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for user in users:
        assert user.stdout is not None and user.stdout.readline() == "ready\n"
    assert not (settings().mlruns / "mlflow.db").exists()
    for user in users:
        assert user.stdin is not None
        user.stdin.write("go\n")
        user.stdin.flush()
    told = [user.communicate(timeout=280) for user in users]
    assert [user.returncode for user in users] == [0] * 4, told
    from tasks.tracking import runs

    found = runs.client()
    [experiment] = [one for one in found.search_experiments() if one.name == "first"]
    made = {run.info.run_id for run in found.search_runs([experiment.experiment_id])}
    assert made == {said.strip() for said, _ in told}


@pytest.mark.faults
def test_a_scheduled_run_gets_its_proof_ready_once_a_model_is_trained(
    harness: None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import retrain as module

    heard: list[Event] = []
    monkeypatch.setattr(module, "prove_ahead", heard.append)
    module.retrain(str(DEMO), tuple(TINY))
    stages = [event.stage for event in heard if event.kind == "finished" and event.status == "run"]
    assert stages.index("train") < stages.index("evaluate") < stages.index("register")


@pytest.mark.faults
@pytest.mark.parametrize("names", [("one", "one"), ("one", "other")], ids=["one recipe", "two recipes"])
def test_two_runs_of_one_recipe_take_turns_whoever_began_them(
    harness: None, home: Path, names: tuple[str, str]
) -> None:
    """Two recipes do not: were the lock not the recipe's own, this would see it."""
    from prefect import flow

    from flows.retrain import alone

    inside, most, waited = [0], [0], []
    met = threading.Barrier(2)

    @flow(name="retrain")
    def again(name: str) -> None:
        met.wait(60)
        with alone(name, lambda: waited.append(name)):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(1)
            inside[0] -= 1

    threads = [threading.Thread(target=again, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same = names[0] == names[1]
    assert (most[0], waited) == ((1, ["one"]) if same else (2, []))


@pytest.mark.faults
def test_runs_whose_process_is_gone_are_marked_and_a_living_one_is_left(harness: None, home: Path) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.states import Pending, Running, Scheduled

    from flows.services.crashed_runs import mark_crashed, skip_missed
    from tasks.store.lock import locked

    @flow(name="retrain")
    def again() -> None: ...

    folder, said = settings().mlruns / "running" / "flow", []
    with get_client(sync_client=True) as api:
        dead, living, elsewhere, submitted = (
            api.create_flow_run(again, state=state) for state in (Running(), Running(), Running(), Pending())
        )
        child = api.create_flow_run(again, state=Running())
        folder.mkdir(parents=True)
        (folder / str(dead.id)).touch()
        (folder / str(child.id)).touch()
        with locked(folder / str(living.id)):
            mark_crashed(api, said.append, shared=True)
        states = {run.id: api.read_flow_run(run.id).state_type.value for run in (dead, living, elsewhere, submitted)}
        assert states == {dead.id: "CRASHED", living.id: "RUNNING", elsewhere.id: "RUNNING", submitted.id: "PENDING"}
        assert sum("marked as crashed" in line for line in said) == 2
        assert sum("outlived its server" in line for line in said) == 1
        mark_crashed(api, said.append, shared=False)  # nobody else is at this server
        assert api.read_flow_run(submitted.id).state_type.value == "CRASHED"
        assert not list(folder.glob("*"))

        flow_id = api.create_flow(again)
        deployment = api.create_deployment(flow_id, "one", entrypoint="nowhere:again")
        hours = [datetime.now(UTC) - timedelta(hours=hour) for hour in (3, 2, 1)] + [datetime.now(UTC) + timedelta(1)]
        due = [api.create_flow_run_from_deployment(deployment, state=Scheduled(scheduled_time=at)) for at in hours]
        skip_missed(api, said.append)
        left = {run.id for run in api.read_flow_runs() if run.deployment_id == deployment}
        assert left == {due[2].id, due[3].id}
        assert "2 missed runs skipped" in said[-1]
