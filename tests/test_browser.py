"""As a person would: both interfaces in Chromium after a demo run, a second one, and one that its data stopped."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from browsing import CHROMIUM, DEMO, ROOT, MLflow, Place, Prefect, chromium, servers
from tiny import STAGES

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.faults,
    pytest.mark.servers,
    pytest.mark.timeout(900),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@dataclass
class Shown:
    """What was run, and the pages on which it is looked for."""

    place: Place
    prefect: Prefect
    mlflow: MLflow
    first: str
    second: str
    stopped: str
    made: dict[str, Any]
    error: str

    @property
    def run(self) -> str:
        return str(self.made["mlflow_run_id"])


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    home = tmp_path_factory.mktemp("home")
    table = pd.read_csv(ROOT / "tasks" / "data" / "demo" / "reviews.csv")
    table.loc[5, ["text", "label"]] = ["A sentence of no side.", "neutral"]
    table.to_csv(home / "odd.csv", index=False)
    with servers(home) as place, chromium() as page:
        made = place.temper("run", DEMO)
        first = place.newest_run()
        place.temper("run", DEMO)
        second = place.newest_run()
        failed = place.temper("run", DEMO, "download={kind: file, path: odd.csv}", fails=True)
        yield Shown(
            place, Prefect(page, place), MLflow(page, place), first, second, place.newest_run(), made, failed["error"]
        )


def test_the_stages_bear_the_recipes_names_and_the_second_run_is_cached(shown: Shown) -> None:
    shown.prefect.open_run(shown.first)
    assert shown.prefect.stages() == dict.fromkeys(STAGES, "Completed")
    shown.prefect.open_run(shown.second)
    assert shown.prefect.stages() == dict.fromkeys(STAGES, "Cached")


def test_each_stage_shows_what_it_did(shown: Shown) -> None:
    page = shown.prefect.page
    shown.prefect.open_artifact(shown.first, "evaluate-summary")
    page.get_by_text("Intervals: 95% bootstrap").wait_for()
    shown.prefect.picture("confusion")
    shown.prefect.open_artifact(shown.first, "train-summary")
    shown.prefect.picture("curves")
    shown.prefect.open_artifact(shown.first, "encode-summary")
    page.get_by_text("the mask certificate holds").wait_for()
    strong = page.locator("li [class*=strong]").first
    assert strong.inner_text() == f"▸ {strong.locator('code').inner_text()} ◂"
    shown.prefect.open_artifact(shown.first, "split-rows")
    page.get_by_text("out, validation").wait_for()
    assert page.locator("tr").filter(has_text="rows in").inner_text().split() == ["rows", "in", "670"]


def test_the_cached_run_shows_the_same_pages(shown: Shown) -> None:
    shown.prefect.open_artifact(shown.second, "evaluate-summary")
    shown.prefect.picture("confusion")


def test_a_stopped_run_names_the_expectation_and_the_row(shown: Shown) -> None:
    page = shown.prefect.page
    assert "expect_column_values_to_be_in_set" in shown.error and "neutral" in shown.error
    shown.prefect.open_run(shown.stopped)
    page.get_by_text("Failed", exact=True).first.wait_for()
    shown.prefect.open_artifact(shown.stopped, "validate-table")
    row = page.get_by_role("row").filter(has_text="expect_column_values_to_be_in_set").first
    assert row.inner_text().startswith("NO") and "neutral" in row.inner_text()


def test_prefects_register_page_leads_to_mlflows_run_and_back(shown: Shown) -> None:
    page = shown.prefect.page
    shown.prefect.open_artifact(shown.first, "register-summary")
    link = page.get_by_role("link", name=shown.run)
    address = link.get_attribute("href")
    assert address is not None and address.startswith(shown.place.mlflow)
    page.goto(address)
    page.get_by_text("About this run").wait_for()
    page.get_by_text(shown.run, exact=True).first.wait_for()
    page.get_by_text("Trained on 539 rows").first.wait_for()
    back = page.get_by_role("link", name="The flow run in Prefect").first.get_attribute("href")
    assert back == f"{shown.place.prefect}/runs/flow-run/{shown.first}"


def test_mlflows_run_has_curve_load_and_datasets(shown: Shown) -> None:
    page = shown.mlflow.page
    shown.mlflow.open_run(shown.run)
    page.get_by_text("reviews-train").first.wait_for()
    description = shown.mlflow.description()
    assert "promoted: the first champion" in description.inner_text().partition("\n")[0]
    last = description.locator("img").last.bounding_box()
    assert last is not None and last["y"] + last["height"] < 900, "curves and confusion matrix are in the first screen"
    shown.mlflow.open_tab("Model metrics")
    page.get_by_text("learning_rate", exact=True).first.wait_for()
    names = re.findall(r"(train|validation|Model metrics)\s*\(\d+\)", page.locator("body").inner_text())
    assert names == ["train", "validation", "Model metrics"], "curves stand above the bars of single numbers"
    assert shown.mlflow.curve("train/loss") >= 10
    shown.mlflow.open_tab("System metrics")
    page.get_by_text("cpu_utilization_percentage").first.wait_for()


def test_the_champion_leads_to_its_run_and_the_run_to_its_version(shown: Shown) -> None:
    page, name = shown.mlflow.page, shown.made["model"]["name"]
    shown.mlflow.open_model(name)
    shown.mlflow.champion().wait_for()
    page.get_by_role("link", name="Version 1").click()
    page.get_by_text("Source Run").first.wait_for()
    page.locator(f'a[href*="/runs/{shown.run}"]').first.click()
    page.get_by_text("About this run").wait_for()
    page.get_by_role("link", name=name).first.click()
    page.get_by_text("Version 1").first.wait_for()


def test_a_page_without_the_alias_is_noticed(shown: Shown, tmp_path: Path) -> None:
    from mlflow import MlflowClient
    from playwright.sync_api import TimeoutError as NotShown

    client, name = MlflowClient(shown.place.mlflow, shown.place.mlflow), shown.made["model"]["name"]
    client.delete_registered_model_alias(name, "champion")
    try:
        shown.mlflow.page.reload()
        shown.mlflow.open_model(name)
        with pytest.raises(NotShown):
            shown.mlflow.champion().wait_for(timeout=4000)
    finally:
        client.set_registered_model_alias(name, "champion", "1")


def test_a_picture_that_is_not_shown_is_noticed(shown: Shown) -> None:
    shown.prefect.open_artifact(shown.first, "evaluate-summary")
    picture = shown.prefect.picture("confusion")
    picture.evaluate(
        "picture => new Promise(done => { picture.onerror = done; picture.src = 'data:image/png;base64,AA' })"
    )
    with pytest.raises(AssertionError, match="confusion is not shown"):
        shown.prefect.picture("confusion")
