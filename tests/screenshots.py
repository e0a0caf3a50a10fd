"""The README's pictures: runs the demo with servers of its own, opens both interfaces in Chromium, saves PNGs.

Needs Debian's `chromium` and `pip install playwright`; everything else it starts itself, on loopback, and ends.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs"
BIN = Path(sys.executable).parent
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(url: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"{url} does not answer")


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        prefect, mlflow = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
        env = {**os.environ, "HOME": home, "PREFECT_HOME": f"{home}/prefect", "TEMPER_HOME": home,
               "PREFECT_UI_API_URL": f"{prefect}/api", "PREFECT_API_URL": f"{prefect}/api",
               "DO_NOT_TRACK": "true", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}  # fmt: skip
        store = f"sqlite:///{home}/mlruns/mlflow.db"
        host, port = prefect.removeprefix("http://").split(":")
        servers = [subprocess.Popen([BIN / "prefect", "server", "start", "--host", host, "--port", port], env=env)]
        try:
            wait(f"{prefect}/api/health")
            run = [BIN / "temper", "run", "configs/reviews_demo.yaml", "--json"]
            done = json.loads(subprocess.run(run, env=env, cwd=ROOT, check=True, capture_output=True).stdout)
            host, port = mlflow.removeprefix("http://").split(":")
            serve = [BIN / "mlflow", "server", "--host", host, "--port", port, "--backend-store-uri", store]
            servers.append(subprocess.Popen([*serve, "--workers", "1"], env=env))
            wait(f"{mlflow}/health")
            with sync_playwright() as play:
                browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                page = browser.new_page(viewport={"width": 1180, "height": 820})
                page.set_default_timeout(60_000)
                show_prefect(page, prefect)
                show_mlflow(page, mlflow, done["mlflow_run_id"], done["model"]["name"])
                browser.close()
        finally:
            for server in servers:
                server.terminate()
                server.wait(20)


def show_prefect(page: Page, address: str) -> None:
    run = newest(f"{address}/api/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})
    page.goto(f"{address}/runs/flow-run/{run}")
    page.get_by_text("register", exact=True).first.wait_for()
    page.wait_for_timeout(4000)
    page.screenshot(path=PICTURES / "prefect.png")
    wanted = {"artifacts": {"key": {"any_": ["evaluate-summary"]}}, "limit": 1}
    page.goto(f"{address}/artifacts/artifact/{newest(f'{address}/api/artifacts/filter', wanted)}")
    page.get_by_text("Intervals").first.wait_for()
    page.wait_for_timeout(1000)
    pictures = page.locator("img[alt=confusion]")
    pictures.first.scroll_into_view_if_needed()
    assert pictures.first.evaluate("picture => picture.naturalWidth") > 100, "the confusion matrix is not shown"


def newest(url: str, asked: dict[str, object]) -> str:
    request = urllib.request.Request(url, json.dumps(asked).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)[0]["id"])


def show_mlflow(page: Page, address: str, run: str, model: str) -> None:
    with urllib.request.urlopen(f"{address}/api/2.0/mlflow/runs/get?run_id={run}") as answer:
        experiment = json.load(answer)["run"]["info"]["experiment_id"]
    page.goto(f"{address}/#/experiments/{experiment}/runs/{run}/model-metrics")
    close_hints(page)
    page.get_by_placeholder("Search metric charts").fill("train.loss|validation")
    page.wait_for_timeout(8000)
    page.screenshot(path=PICTURES / "mlflow.png")
    page.goto(f"{address}/#/models/{model}")
    close_hints(page)
    page.get_by_text("champion").first.wait_for()


def close_hints(page: Page) -> None:
    page.wait_for_timeout(4000)
    for name in ("Close", "Close panel", "Dismiss"):
        for button in page.get_by_role("button", name=name).all():
            if button.is_visible():
                button.click(timeout=3000)
    page.keyboard.press("Escape")
    page.wait_for_timeout(500)


if __name__ == "__main__":
    main()
