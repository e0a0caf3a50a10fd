"""Schedules: what a recipe accepts Prefect takes, a name is one file's, paused stays so, no run sleeps in a slot."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tiny import ROOT

from configs import cron
from configs.load import RecipeError, load_recipe
from tasks.store.changes import all_in_words

DEMO = (ROOT / "configs" / "reviews_demo.yaml").read_text()
MINUTES = ("*", "0", "5,10", "*/7", "1-5", "0-59/20", "60", "-1", "R", "h", "x", "?", "L", "")
DAYS = ("*", "31", "32", "L", "LW", "15W", "1-5,L", "?")
WEEKDAYS = ("*", "0", "7", "8", "mon", "MON-FRI", "5L", "L5", "1#2", "5#6", "1#L", "sun,x", "*/8")
MONTHS = ("*", "2", "13", "FEB-APR")


def write(folder: Path, file: str, *, name: str, schedule: str) -> Path:
    """The demo recipe under a name, with a schedule."""
    text = "\n".join(line if not line.startswith("name:") else f"name: {name}" for line in DEMO.splitlines())
    path = folder / file
    path.write_text(f"{text}\nschedule: {schedule}\n")
    return path


def test_every_cron_line_that_a_recipe_accepts_prefect_takes() -> None:
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.server.schemas.schedules import CronSchedule as Served

    lines = [f"{minute} 3 {day} * {week}" for minute in MINUTES for day in DAYS for week in ("*", "1")]
    lines += [f"0 3 {day} {month} {week}" for day in DAYS for month in MONTHS for week in WEEKDAYS]
    taken = 0
    for line in [*lines, "0 0 30 2 *", "0 0 31 4,6 *", "@daily", "* * * *", "* * * * * *"]:
        try:
            cron.next_times(line)
        except ValueError:
            continue
        taken += 1
        CronSchedule(cron=line, timezone="UTC")
        next(iter(Served(cron=line, timezone="UTC")._get_dates_generator(n=1, start=datetime.now(UTC))))
    assert taken > 100
    for refused in ("0 0 LW * *", "0 0 * * 5L", "0 0 30 2 *", "H 3 * * *"):
        with pytest.raises(ValueError, match=r"Prefect does not read|day that never comes"):
            cron.next_times(refused)


def test_a_recipe_is_read_without_prefect() -> None:
    code = "import sys; from configs.cron import shortest_gap as g; print(g('0 3 * * *'), 'prefect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["86400.0", "False"]


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("{interval: 60, jitter: 60}", "jitter 60 must be less than the 60 seconds"),
        ("{interval: 60, jitter: 3600}", "less than the 60 seconds"),
        ("{cron: '*/10 9-17 * * *', jitter: 600}", "less than the 600 seconds"),
        ("{cron: 0 0 LW * *}", "its day of month 'LW' is not 1 to 31, or L for the last day$"),
        (
            "{cron: 0 24 * 13 5L}",
            r"hour '24' is not 0 to 23; its month '13' .*; its day of week '5L' .* L5 for the last",
        ),
        ("{cron: 0 0 31 4 *}", r"never comes; change its day of month \(field 3\)"),
        ("{cron: '@daily'}", "five fields, such as '0 3"),
        ("{interval: 99999999999}", "less than or equal to"),
        ("{interval: 1h}", "'1h' is no whole number of seconds; write 3600 for every hour"),
        ("{}", "give one of the two, cron .* or interval"),
        ("{interval: 60, timezone: tokyo}", r"did you mean Asia/Tokyo\?"),
        ("{interval: 60, timezone: US/Eastren}", r"did you mean US/Eastern\?"),
        ("{interval: 60, timezone: nowhere}", "write UTC or one such as"),
        ("{interval: 60, overrides: a=b}", r"expected a list in brackets, as \[a=b\]"),
        ("60", r"expected keys below it \(cron, interval, timezone, jitter, overrides\), got 60"),
    ],
)
def test_what_could_not_be_kept_is_refused_when_the_recipe_is_read(tmp_path: Path, schedule: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe(write(tmp_path, "a.yaml", name="a", schedule=schedule))


@pytest.mark.parametrize("change", ["a", "train.epoch=3"])
def test_the_schedules_own_changes_are_named_with_file_and_key(tmp_path: Path, change: str) -> None:
    from flows.deployments import scheduled

    path = write(tmp_path, "a.yaml", name="a", schedule=f"{{interval: 60, overrides: [{change}]}}")
    with pytest.raises(RecipeError, match=rf"a\.yaml: `schedule.overrides`: override `{change}`: "):
        scheduled(path)


def test_moved_modules_are_one_change_of_the_layout() -> None:
    """Not a line for each of a hundred modules; what a person changed is still said."""
    from tasks.store.identity import _differences

    before = {"code": {f"tasks.data.m{n}": "a" for n in range(30)} | {"tasks.clean": "a"}, "section": {"share": 1}}
    moved = {f"tasks.data.rows.m{n}": "a" for n in range(30)} | {"tasks.clean": "b"}
    changes = _differences(before, {"code": moved, "section": {"share": 2}})
    assert all_in_words(changes, "clean") == ["recipe: clean.share: 1 → 2", "the project's layout changed"]
    edited = {**before, "code": before["code"] | {"tasks.clean": "b"}}
    assert all_in_words(_differences(before, edited), "clean") == ["the code of tasks/clean.py changed"]


def test_differences_are_told_in_words() -> None:
    told = all_in_words(  # as identities differ
        [
            "section.sha256",
            "section.files",
            "section.commit: abc → def",
            "inputs.raw.images.parquet",
            "python: 3.11 → 3.12",
            "code.tasks.data.rows",
            "libraries.torch: 2.1 → 2.2",
            "never computed here",
        ],
        "download",
    )
    assert told == [
        "the source's bytes changed",
        "download: the commit that the revision stands for: abc → def",
        "download reads other bytes: images.parquet of the raw artifact changed",
        "Python: 3.11 → 3.12",
        "the code of tasks/data/rows.py changed",
        "torch: 2.1 → 2.2",
        "download: never computed here",
    ]
    assert all_in_words(["section.epochs: 3 → 5"], "train") == ["recipe: train.epochs: 3 → 5"]


@pytest.mark.faults
def test_names_pauses_and_bad_recipes_on_a_server(
    harness: None, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolUpdate
    from prefect.settings import PREFECT_API_URL

    import configs
    from flows.cli.console import print_line
    from flows.deployments import distinct, register, schedule_recipes, scheduled
    from flows.services.named_runs import name_scheduled

    one = write(tmp_path, "one.yaml", name="same_name", schedule="{interval: 3600}")
    two = write(tmp_path, "two.yaml", name="same_name", schedule="{interval: 3600}")
    with pytest.raises(RecipeError, match="its name same_name is that of"):
        distinct([(one, scheduled(one)), (two, scheduled(two))])
    register(one, scheduled(one), "temper")
    with pytest.raises(RecipeError, match=rf"the name same_name is on the schedule for {one}"):
        register(two, scheduled(two), "temper")

    with get_client(sync_client=True) as api:
        made = api.read_deployment_by_name("retrain/same_name")
        assert [(each.slug, each.active) for each in made.schedules] == [("recipe", True)]
        api.update_deployment_schedule(made.id, made.schedules[0].id, active=False)
        assert "paused in Prefect, and left so" in register(one, scheduled(one), "temper")
        made = api.read_deployment_by_name("retrain/same_name")
        assert [each.active for each in made.schedules] == [False]
        api.create_flow_run_from_deployment(made.id)
        assert name_scheduled(str(PREFECT_API_URL.value())) >= 1
        assert name_scheduled(str(PREFECT_API_URL.value())) == 0
        assert {run.name for run in api.read_flow_runs() if run.deployment_id == made.id} == {"retrain same_name"}

    # in configs/ a recipe of a name that is taken, and one that Prefect refuses, stop nothing
    folder = tmp_path / "configs"
    folder.mkdir()
    write(folder, "a.yaml", name="a", schedule="{interval: 60}")
    write(folder, "b.yaml", name="a", schedule="{interval: 60}")
    write(folder, "c.yaml", name="same_name", schedule="{interval: 60}")
    write(folder, "d.yaml", name="d", schedule="{interval: 60, jitter: 90}")
    write(folder, "e.yaml", name="e", schedule="{interval: 60}")
    monkeypatch.setattr(configs, "__file__", str(folder / "__init__.py"))
    schedule_recipes(str(PREFECT_API_URL.value()), "temper", say=print_line, shared=False)
    told = capsys.readouterr().err
    assert told.count("scheduled ") == 2 and "scheduled a:" in told and "scheduled e:" in told
    assert all(f"left out: {folder / name}" in told for name in ("b.yaml", "c.yaml", "d.yaml")), told

    # what is paused, one by its switch and one by its schedule, stays so over restarts, and each says so
    with get_client(sync_client=True) as api:
        one_of_them, other = (api.read_deployment_by_name(f"retrain/{name}") for name in ("a", "e"))
        api.pause_deployment(one_of_them.id)
        api.update_deployment_schedule(other.id, other.schedules[0].id, active=False)
        before = states(api, one_of_them.id, other.id)
        for _ in range(2):
            schedule_recipes(str(PREFECT_API_URL.value()), "temper", say=print_line, shared=False)
            assert capsys.readouterr().err.count("; paused in Prefect, and left so") == 2
            assert states(api, one_of_them.id, other.id) == before == [(True, [True]), (False, [False])]
        api.resume_deployment(one_of_them.id)
        schedule_recipes(str(PREFECT_API_URL.value()), "temper", say=print_line, shared=False)
        assert states(api, one_of_them.id, other.id) == [(False, [True]), (False, [False])]
        assert "the work pool" not in capsys.readouterr().err
        api.update_work_pool("temper", WorkPoolUpdate(is_paused=True))
        schedule_recipes(str(PREFECT_API_URL.value()), "temper", say=print_line, shared=False)
        assert "the work pool temper is paused: no run begins until it is resumed" in capsys.readouterr().err


def states(api: Any, *ids: Any) -> list[tuple[bool, list[bool]]]:
    """Whether deployments are paused, and whether each of their schedules is active."""
    read = [api.read_deployment(one) for one in ids]
    return [(made.paused, [each.active for each in made.schedules]) for made in read]


@pytest.mark.faults
def test_a_run_that_is_put_off_ends_its_process_and_begins_when_it_is_due(
    harness: None, home: Path, tmp_path: Path
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL
    from prefect.states import Scheduled

    from flows.deployments import register, scheduled
    from flows.retrain import lateness
    from tasks.store import living

    recipe = write(tmp_path, "late.yaml", name="late", schedule="{interval: 86400, jitter: 80000}")
    register(recipe, scheduled(recipe), "temper")
    with get_client(sync_client=True) as api:
        made = api.read_deployment_by_name("retrain/late")
        now = datetime.now(UTC)
        run = api.create_flow_run_from_deployment(made.id, state=Scheduled(scheduled_time=now))
        env = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value()), "PREFECT__FLOW_RUN_ID": str(run.id)}
        code = (
            "import runpy, sys, flows.retrain as r; real = r.flow_run\n"
            "def auto():\n    run = real(); return run.model_copy(update={'auto_scheduled': True})\n"
            "r.flow_run = auto; sys.argv = ['prefect.engine']; runpy.run_module('prefect.engine', run_name='__main__')"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=90
        )
        after = api.read_flow_run(run.id)
        assert done.returncode == 0, done.stderr
        assert after.state_type.value == "SCHEDULED", done.stderr
        due = now + timedelta(seconds=lateness(str(run.id), 80000))
        assert abs((after.state.state_details.scheduled_time - due).total_seconds()) < 5
        assert after.next_scheduled_start_time == after.state.state_details.scheduled_time
        assert after.name == "retrain late" and not living.gone("flow")


def a_version(found: bool) -> Any:
    from tasks.artifact import Version

    verdict = "registered before; then promoted: better" if found else "promoted: better"
    return Version("shapes", "3", ("champion",), verdict, "r", {}, {}, 1, known=found)


@pytest.mark.faults
@pytest.mark.parametrize("found", [True, False], ids=["made again", "new"])
def test_an_old_verdict_is_no_event_and_a_new_one_is_where_its_page_shows_it(
    harness: None, home: Path, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client

    from flows import retrain

    emitted: list[str] = []
    monkeypatch.setattr("prefect.events.emit_event", lambda event, *a, **k: emitted.append(event))

    @flow(name="retrain", flow_run_name="retrain shapes")
    def again() -> Any:
        return retrain.ended(load_recipe(ROOT / "configs" / "reviews_demo.yaml"), a_version(found))

    state = again(return_state=True)
    with get_client(sync_client=True) as api:
        run = api.read_flow_run(state.state_details.flow_run_id)
    assert (run.state_name, run.state_type.value) == ("Completed", "COMPLETED")
    word = "unchanged" if found else "promoted"
    assert run.name == f"retrain shapes: {word}, version 3" and run.tags == [word]
    assert state.message.startswith(word)
    assert emitted == ([] if found else ["temper.model.promoted"])
