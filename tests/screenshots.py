"""The README's pictures: runs the demo with servers of its own, opens both interfaces in Chromium, saves PNGs.

Needs Debian's `chromium`, and playwright of the extra `dev`; everything else it starts itself, on loopback, and ends.
"""

import tempfile
from pathlib import Path

from browsing import CHROMIUM, ROOT, MLflow, Prefect, chromium, servers

PICTURES = ROOT / "docs"


def main() -> None:
    if CHROMIUM is None:
        raise SystemExit("chromium is not installed")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home, servers(Path(home)) as place, chromium() as page:
        made = place.temper("run", "configs/reviews_minilm.yaml")
        prefect, mlflow = Prefect(page, place), MLflow(page, place)
        prefect.open_run(place.newest_run())
        page.wait_for_timeout(4000)  # the picture of the run moves into place
        page.screenshot(path=PICTURES / "prefect.png")
        prefect.open_artifact(place.newest_run(), "evaluate-summary")
        prefect.picture("confusion")
        mlflow.open_run(made["mlflow_run_id"])
        mlflow.description()
        page.wait_for_timeout(2000)
        page.screenshot(path=PICTURES / "mlflow.png")
        mlflow.open_model(made["model"]["name"])
        mlflow.champion().wait_for()


if __name__ == "__main__":
    main()
