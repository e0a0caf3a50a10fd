"""Recipes that lose their schedule, their file or their name come off the schedule; all others stay on it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from tiny import ROOT

import configs
from flows.cli import schedule
from flows.cli.console import print_line
from flows.deployments import register, schedule_recipes, scheduled

DEMO = (ROOT / "configs" / "reviews_demo.yaml").read_text()
CRON = "schedule: {cron: 0 3 * * 1}\n"
pytestmark = pytest.mark.faults


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harness: None) -> Iterator[Path]:
    """A configs/ of the test's own; what the test leaves on the server goes."""
    from prefect.client.orchestration import get_client

    (tmp_path / "configs").mkdir()
    monkeypatch.setattr(configs, "__file__", str(tmp_path / "configs" / "__init__.py"))
    yield tmp_path / "configs"
    with get_client(sync_client=True) as api:
        for made in api.read_deployments():
            api.delete_deployment(made.id)


def write(folder: Path, name: str, text: str = CRON, called: str | None = None) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(DEMO.replace("name: reviews_demo", f"name: {called or name}", 1) + text)
    return path


def names() -> list[str]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as api:
        return sorted(made.name for made in api.read_deployments())


def begin(*, shared: bool = False) -> None:
    """What `temper up` does about schedules when its servers answer."""
    from prefect.settings import PREFECT_API_URL

    schedule_recipes(str(PREFECT_API_URL.value()), "temper", say=print_line, shared=shared)


def plant(folder: Path) -> list[str]:
    """Five recipes on the schedule of which three change; two deployments that are none of this folder's."""
    from prefect.client.orchestration import get_client

    for name in ("stays", "loses", "goes", "renamed", "breaks"):
        write(folder, name)
    other = folder.parent / "other"
    other.mkdir()
    register(write(other, "elsewhere"), scheduled(other / "elsewhere.yaml"), "temper")
    (other / "elsewhere.yaml").unlink()
    begin()
    with get_client(sync_client=True) as api:
        flow = api.read_flow_by_name("retrain")
        api.create_deployment(flow.id, "by_hand", parameters={"recipe": str(folder / "loses.yaml")})
    write(folder, "loses", "")
    (folder / "goes.yaml").unlink()
    write(folder, "renamed", called="anew")
    (folder / "breaks.yaml").write_text("name: [")
    return ["breaks", "by_hand", "elsewhere", "goes", "loses", "renamed", "stays"]


def test_what_no_recipe_asks_for_any_more_comes_off_and_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert names() == []
    before = plant(folder)
    assert names() == before
    capsys.readouterr()
    begin()
    said = capsys.readouterr().err
    assert names() == ["anew", "breaks", "by_hand", "elsewhere", "stays"]
    for line in (
        f"loses: {folder / 'loses.yaml'} has no schedule any more; off the schedule",
        f"goes: {folder / 'goes.yaml'} is gone; off the schedule",
        f"renamed: {folder / 'renamed.yaml'} is called anew now; off the schedule",
    ):
        assert line in said.splitlines()
    begin()
    assert "off the schedule" not in capsys.readouterr().err, "said once"


def test_on_a_shared_server_it_is_said_only_and_remove_takes_it_off(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = plant(folder)
    begin(shared=True)
    assert set(before) <= set(names())
    told = capsys.readouterr().err
    assert told.count("is still on the schedule; `temper schedule --remove") == 3
    schedule.command(None, "temper", remove=False)  # the server of PREFECT_API_URL is anybody's
    assert set(before) <= set(names())
    schedule.command([folder / "loses.yaml", folder / "goes.yaml"], "temper", remove=True)
    said = capsys.readouterr().err
    assert "loses: off the schedule" in said and "goes: off the schedule" in said
    assert not {"loses", "goes"} & set(names())
    schedule.command([folder / "goes.yaml"], "temper", remove=True)
    assert f"{folder / 'goes.yaml'}: was not on the schedule" in capsys.readouterr().err


def test_overrides_that_are_refused_reach_no_server(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They would stand in the deployment's parameters, a secret among them too."""
    write(folder, "good")
    secret = "download.url=https://me:SENTINEL@a.example/x.csv"
    source = f"download={{kind: url, url: 'https://a.example/x.csv', sha256: '{'0' * 64}'}}"
    write(folder, "leaks", f"schedule: {{cron: 0 3 * * 1, overrides: [{source!r}, {secret!r}]}}\n".replace("'", '"'))
    begin()
    said = capsys.readouterr().err
    assert names() == ["good"]
    assert "left out: " in said and "SENTINEL" not in said


def test_prefect_lets_one_run_of_a_recipe_begin(folder: Path) -> None:
    """The second waits for a place, and gets it; a run of another recipe begins meanwhile."""
    from prefect.client.orchestration import get_client
    from prefect.states import Completed, Pending, Running

    for name in ("alone", "beside"):
        write(folder, name)
    begin()
    with get_client(sync_client=True) as api:
        one, other = (api.read_deployment_by_name(f"retrain/{name}").id for name in ("alone", "beside"))
        first, second, third = (api.create_flow_run_from_deployment(made).id for made in (one, one, other))

        def told(run: Any, state: Any) -> str:
            answer = api.set_flow_run_state(run, state)
            return str(answer.state.name if answer.state else answer.status.value)

        assert [told(first, state) for state in (Pending(), Running())] == ["Pending", "Running"]
        assert told(second, Pending()) == "AwaitingConcurrencySlot"
        assert told(third, Pending()) == "Pending"
        told(first, Completed())
        assert told(second, Pending()) == "Pending"


def test_a_recipe_without_a_schedule_is_not_put_on_it(folder: Path, capsys: pytest.CaptureFixture[Any]) -> None:
    path = write(folder, "plain", "")
    with pytest.raises(typer.Exit) as stopped:
        schedule.command([path], "temper", remove=False)
    assert stopped.value.exit_code == 2
    assert "has no schedule; add for example" in capsys.readouterr().err
    assert names() == []


@pytest.mark.parametrize("shared", [False, True])
def test_a_deployment_of_a_flow_that_lies_elsewhere_now_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], shared: bool
) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client

    @flow
    def nothing() -> None: ...

    with get_client(sync_client=True) as api:
        for left in api.read_flow_runs():  # of other tests, whose slots this server cannot free a second time
            api.delete_flow_run(left.id)
        flow_id = api.create_flow(nothing)
        for name, entrypoint in (
            ("old", "flows.prediction.predict"),
            ("here", "flows.retrain.retrain"),
            ("foreign", "elsewhere.flow"),
        ):
            api.create_deployment(flow_id, name, entrypoint=entrypoint)
    begin(shared=shared)
    lines = [line for line in capsys.readouterr().err.splitlines() if "entrypoint" in line]
    assert [line.partition(":")[0] for line in lines] == ([] if shared else ["old"])
    assert shared or "flows.prediction.predict is not there any more" in lines[0]
