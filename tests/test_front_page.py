"""A browser that opens MLflow for the first time sees trainings and models, and keeps what a person chooses there."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import CHROMIUM, ROOT, chromium, end, free_port, wait

LINK = re.compile(r'/#/[^"\n]*')


def test_every_address_of_mlflows_pages_names_the_side_of_trainings() -> None:
    written = [path for folder in ("flows", "tasks", "configs") for path in (ROOT / folder).rglob("*.py")]
    links = {link for path in written for link in LINK.findall(path.read_text(encoding="utf-8"))}
    assert len(links) >= 3
    assert not [link for link in links if not link.endswith(("{SIDE}", "?workflowType=machine_learning"))]


@pytest.fixture
def served(home: Path) -> Iterator[tuple[str, str]]:
    """MLflow's address, as `temper up` starts it, and the page of an experiment that Temper has made."""
    from tasks.tracking import runs

    number = runs.experiment(runs.client(), "trainings")
    port = free_port()
    env = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": runs.settings().database,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": (home / "artifacts").as_uri(),
    }
    command = [sys.executable, "-m", "flows.services.mlflow_server", str(port)]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, env=env, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    try:
        wait(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}/#/experiments/{number}"
    finally:
        end(server)


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_new_browser_begins_with_models_and_a_persons_choice_stays(served: tuple[str, str]) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    front, experiment = served
    with chromium() as page:
        page.goto(front)
        page.get_by_role("link", name="Model registry").wait_for()
        page.goto(experiment)
        page.get_by_role("link", name="Model registry").wait_for()
        page.wait_for_url("**/runs?workflowType=machine_learning**")
        page.goto(front)
        page.get_by_text("GenAI", exact=True).click()
        page.get_by_role("link", name="Prompts").first.wait_for()
        page.goto("about:blank")
        page.goto(front)
        page.get_by_role("link", name="Prompts").first.wait_for()
        assert page.get_by_role("link", name="Model registry").count() == 0
