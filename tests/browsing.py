"""Both interfaces as a person meets them: servers of one's own, runs of the command, and pages in headless Chromium.

What is looked for lies here once: tests/test_browser.py asserts it, tests/screenshots.py draws it.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NO_HINTS = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
"""MLflow's assistant opens by itself on a first visit, over a third of the page."""
DEMO = "configs/reviews_demo.yaml"


@dataclass(frozen=True)
class Place:
    """Servers, their addresses, and the environment in which a command uses them."""

    prefect: str
    mlflow: str
    env: dict[str, str]

    def temper(self, *arguments: str, fails: bool = False) -> dict[str, Any]:
        """The JSON document of a command; of one that is to fail its error under `error`."""
        done = subprocess.run(
            [BIN / "temper", *arguments, "--json"], env=self.env, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == fails, done.stderr
        return {"error": done.stderr} if fails else dict(json.loads(done.stdout))

    def newest_run(self) -> str:
        """Id of the flow run that started last."""
        return self.ask("flow_runs", {"sort": "START_TIME_DESC", "limit": 1})[0]["id"]

    def ask(self, what: str, filtered: dict[str, object]) -> Any:
        """What Prefect's API lists."""
        body = json.dumps(filtered).encode()
        request = urllib.request.Request(
            f"{self.prefect}/api/{what}/filter", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


@contextmanager
def servers(home: Path) -> Iterator[Place]:
    """Prefect's server and MLflow's as `temper up` starts it, on loopback, with databases below `home`; both end with
    this."""
    prefect, mlflow = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    (home / "mlruns").mkdir()
    inherited = {name: value for name, value in os.environ.items() if name != "PREFECT_LOGGING_LEVEL"}
    env = {
        **inherited,
        "HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "TEMPER_HOME": str(home),
        "TEMPER_DATA": str(home),
        "PREFECT_UI_API_URL": f"{prefect}/api",
        "PREFECT_API_URL": f"{prefect}/api",
        "MLFLOW_TRACKING_URI": mlflow,
        "DO_NOT_TRACK": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{home}/mlruns/mlflow.db",
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": (home / "mlruns" / "artifacts").as_uri(),
    }
    prefect_port, mlflow_port = (address.rpartition(":")[2] for address in (prefect, mlflow))
    commands = {
        "prefect": [BIN / "prefect", "server", "start", "--host", "127.0.0.1", "--port", prefect_port],
        "mlflow": [sys.executable, "-m", "flows.services.mlflow_server", mlflow_port],
    }
    started = []
    try:
        for name, command in commands.items():
            with (home / f"{name}.log").open("w") as log:
                started.append(
                    subprocess.Popen(command, env=env, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
                )
        wait(f"{prefect}/api/health")
        wait(f"{mlflow}/health")
        yield Place(prefect, mlflow, env)
    finally:
        for server in started:
            end(server)


def end(server: "subprocess.Popen[bytes]") -> None:
    """End a server with the processes that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with suppress(subprocess.TimeoutExpired):
            server.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(url: str) -> None:
    """Until a server answers. Raises RuntimeError after four minutes."""
    end = time.monotonic() + 240
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"{url} does not answer")


@contextmanager
def chromium() -> Iterator["Page"]:
    """A page of a headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.add_init_script(NO_HINTS)
        yield page
        browser.close()


class Prefect:
    """Prefect's interface."""

    def __init__(self, page: "Page", place: Place) -> None:
        self.page, self.place = page, place

    def open_run(self, run: str) -> None:
        """A flow run's page, from the list of runs."""
        self.page.goto(f"{self.place.prefect}/runs")
        self.page.locator(f'a[href$="/runs/flow-run/{run}"]').first.click()
        self.page.locator("li#task-runs").wait_for()

    def stages(self) -> dict[str, str]:
        """State by stage, as the tab of task runs shows them."""
        self.page.locator("li#task-runs").click()
        cards = self.page.locator(".state-list-item:visible")
        cards.nth(7).wait_for()
        names = [card.locator("a").last.inner_text().strip() for card in cards.all()]
        states = [card.locator(".state-badge").inner_text().strip() for card in cards.all()]
        return dict(zip(names, states, strict=True))

    def open_artifact(self, run: str, key: str) -> None:
        """An artifact's page, from the tab of a flow run's artifacts."""
        asked = {"artifacts": {"key": {"any_": [key]}, "flow_run_id": {"any_": [run]}}, "limit": 1}
        found = self.place.ask("artifacts", asked)
        assert found, f"the flow run has no artifact {key}"
        self.page.goto(f"{self.place.prefect}/artifacts/artifact/{found[0]['id']}")
        self.page.get_by_text(key).first.wait_for()

    def picture(self, name: str) -> "Locator":
        """A picture of an artifact's page, in sight. Fails where it is not shown."""
        picture = self.page.locator(f"img[alt={name}]").first
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("picture => picture.complete && picture.naturalWidth") > 100, f"{name} is not shown"
        return picture


class MLflow:
    """MLflow's interface."""

    def __init__(self, page: "Page", place: Place) -> None:
        self.page, self.address = page, place.mlflow

    def open_run(self, run: str) -> None:
        """A run's page, from the list of its experiment's runs."""
        with urllib.request.urlopen(f"{self.address}/api/2.0/mlflow/runs/get?run_id={run}", timeout=60) as answer:
            experiment = json.load(answer)["run"]["info"]["experiment_id"]
        self.page.goto(f"{self.address}/#/experiments/{experiment}/runs")
        self.page.locator(f'a[href*="/runs/{run}"]').first.click()
        self.page.get_by_text("About this run").wait_for()

    def description(self) -> "Locator":
        """The description of a run's page; fails where it is cut or faded, or a picture in it is not shown."""
        text = self.page.locator(".note-editor-preview-content").first
        text.locator("img").last.wait_for()
        around = "e => [...Array(8)].map(() => { e = e.parentElement; return e.clientHeight })"
        assert min(text.evaluate(around)) >= text.evaluate("e => e.clientHeight"), "the description is cut"
        faded = "e => getComputedStyle(e).display != 'none' && getComputedStyle(e).backgroundImage.includes('gradient')"
        below = self.page.locator(".note-view-outer-container + div")
        assert not any(one.evaluate(faded) for one in below.all()), "a fade lies over the description"
        assert not self.page.get_by_text("Show more", exact=True).is_visible(), "nothing more is there to be shown"
        shown = "e => [...e.querySelectorAll('img')].every(one => one.complete && one.naturalWidth > 100)"
        self.page.wait_for_timeout(1000)
        assert text.evaluate(shown), "a picture of the description is not shown"
        return text

    def open_tab(self, name: str) -> None:
        """A tab of a run's page."""
        self.page.get_by_role("tab", name=name).first.click()

    def curve(self, name: str) -> int:
        """How many points the drawn curve of a metric has."""
        self.open_tab("Model metrics")
        self.page.get_by_placeholder("Search metric charts").fill(name)
        line = self.page.locator(".js-plotly-plot .scatterlayer path.js-line").first
        line.wait_for(state="attached")
        return str(line.get_attribute("d")).count("L") + 1

    def open_model(self, name: str) -> None:
        """A registered model's page."""
        self.page.goto(f"{self.address}/#/models/{name}")
        self.page.get_by_text("Version 1", exact=True).first.wait_for()

    def champion(self) -> "Locator":
        """The mark of the champion on a model's or version's page."""
        return self.page.get_by_text("@ champion").first
