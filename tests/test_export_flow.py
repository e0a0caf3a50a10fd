"""An export from the registry to the registry: what passes is a version of the same model, what fails is nothing."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import pandas as pd
import pytest
import registered_recipes
from tiny import recipe, run

from configs.load import load_recipe
from flows.report import report_of_model
from tasks.artifact import StageError
from tasks.store.events import Event
from tasks.tracking import report_pages, runs
from tasks.tracking.aliases import history, promote
from tasks.tracking.models import connect
from tasks.tracking.wire_format import EXPORT_OF, MODEL_DIGEST

pytest.importorskip("onnx", reason="temper export needs the extra export")
pytest.importorskip("onnxruntime", reason="temper export needs the extra export")

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
TEXTS = ["It broke after a week.", "The best thing I own!", ""]
NAME = "reviews-demo"
OTHERS = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "TEMPER_ARTIFACTS", "TEMPER_DATA")
SERVED = """
import importlib.util, json, sys
assert not [name for name in ("torch", "transformers", "tasks", "prefect") if importlib.util.find_spec(name)]
import mlflow.pyfunc, pandas
asked = json.loads(sys.argv[2])
given = pandas.DataFrame(asked) if isinstance(asked[0], dict) else asked
table = mlflow.pyfunc.load_model(sys.argv[1]).predict(given)
print("PREDICTED" + table.to_json(orient="records", double_precision=15))
"""


@pytest.fixture(scope="module", autouse=True)
def registered(harness: None, place: Path) -> None:
    """The tiny demo, registered once for the module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPER_HOME", str(place))
        for name in OTHERS:
            patch.delenv(name, raising=False)
        run(recipe(), [])


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of this module's home: mlflow.set_tracking_uri of an earlier module stays in the environment."""
    for name in OTHERS:
        monkeypatch.delenv(name, raising=False)


def export(*given: Any) -> Any:
    from flows.export import export as flow

    return flow(*given)


def predicted(uri: str) -> pd.DataFrame:
    connect()
    table: pd.DataFrame = mlflow.pyfunc.load_model(uri).predict(TEXTS)
    return table


def test_an_export_that_passes_is_a_version_beside_its_origin(heard: list[Event]) -> None:
    result = export(NAME, "onnx")
    assert result["passed"] and (result["origin"], result["version"]) == ("1", "2")
    assert result["alias"] == "champion-onnx"
    assert [check["name"] for check in result["report"]["checks"]] == [
        "files", "origin", "inputs", "shapes", "scores", "predictions", "metric", "calibration", "classes",
    ]  # fmt: skip
    assert {*result["report"]["milliseconds"]} == {"registered", "exported"}
    pd.testing.assert_frame_equal(
        predicted(f"models:/{NAME}@champion-onnx"), predicted(f"models:/{NAME}@champion"), rtol=1e-4
    )
    client = runs.client()
    version = client.get_model_version(NAME, "2")
    assert version.tags[EXPORT_OF] == "1" and MODEL_DIGEST not in version.tags
    page = report_of_model(f"{NAME}/2").html
    assert f"{NAME} version 2" in page and "version 1 as onnx" in page and "Checks of the export" in page
    assert str(client.get_model_version_by_alias(NAME, "champion").version) == "1"
    kept = {item.path for item in client.list_artifacts(str(version.run_id), report_pages.EXPORTS)}
    assert {f"exports/{NAME}-1-onnx.json", f"exports/{NAME}-1-onnx.md"} <= kept
    assert "version 1 as onnx: 9 checks hold on" in str(history(NAME)["versions"][1]["verdict"])


def test_an_export_is_no_champion_and_is_not_exported_again(heard: list[Event]) -> None:
    result = export(NAME, "onnx")
    assert result["again"] and result["version"] == "2"
    with pytest.raises(StageError, match="version 2 is version 1 as onnx; promote 1"):
        promote(NAME, "2", "because")
    with pytest.raises(StageError, match=f"version 2 is an export of version 1 itself; export {NAME}/1"):
        export(f"{NAME}/2", "int8")
    version, stages = run(recipe(), heard)
    assert version.version == "1" and stages["register"] == "cached"


def test_a_refused_export_leaves_a_report_and_no_version(heard: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph is one of other weights; whoever exported it states the true origin."""
    import flows.export as module

    def other_weights(route: Any, origin: Path, folder: Path, **more: Any) -> list[str]:
        import onnx

        from tasks.export.build import build

        left = build(route, origin, folder, **more)
        graph = onnx.load(folder / route.file)
        for weight in graph.graph.initializer:
            values = onnx.numpy_helper.to_array(weight)
            if values.dtype in ("float32", "int8", "uint8") and values.ndim == 2:
                weight.CopyFrom(onnx.numpy_helper.from_array(values[::-1].copy(), weight.name))
        onnx.save(graph, folder / route.file)
        return left

    monkeypatch.setattr(module, "build", other_weights)
    before = len(runs.client().search_model_versions(f"name = '{NAME}'"))
    result = export(NAME, "int8")
    assert not result["passed"] and result["version"] is None and result["alias"] is None
    assert {check["name"] for check in result["report"]["checks"] if not check["passed"]} & {"shapes", "scores"}
    client = runs.client()
    assert len(client.search_model_versions(f"name = '{NAME}'")) == before
    run_id = str(client.get_model_version(NAME, "1").run_id)
    kept = Path(client.download_artifacts(run_id, f"exports/{NAME}-1-int8.json"))
    assert not json.loads(kept.read_text(encoding="utf-8"))["passed"]


@pytest.mark.long
def test_a_tolerance_of_ones_own_is_a_decision(heard: list[Event]) -> None:
    with pytest.raises(StageError, match="needs a reason: --why"):
        export(NAME, "torch-export", 0.01)
    result = export(NAME, "torch-export", 0.01, "eight bits are enough for us", 20)
    assert result["passed"] and result["report"]["rows"] == 20 < result["report"]["of"]
    (entry,) = (entry for entry in history(NAME)["decisions"] if entry["action"] == "export")
    assert (entry["decided"], entry["why"]) == ("exported with tolerance 0.01", "eight bits are enough for us")
    assert history(NAME)["champion"] == "1"


def test_what_writes_token_by_token_is_refused_before_anything_is_computed() -> None:
    from flows.export import require_exportable

    for kind in ("dialogue", "seq2seq", "preference"):
        with pytest.raises(StageError, match=r"writes token by token; --to onnx exports .* take --to merged"):
            require_exportable(SimpleNamespace(facts={"kind": kind}, named="chat version 3"), "onnx")  # type: ignore[arg-type]


def register_images(place: Path, heard: list[Event]) -> list[dict[str, str]]:
    """A tiny image model, registered; rows that it is asked."""
    data = place / "pictures"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPER_DATA", str(data / "data"))
        run(load_recipe(registered_recipes.write_recipe("image", data, 0)), heard)
    files = sorted((data / "data").rglob("*.png"))[::7]
    return [{"image": base64.b64encode(path.read_bytes()).decode()} for path in files]


@pytest.mark.parametrize("name", [NAME, "image"])
def test_it_predicts_where_there_is_neither_torch_nor_temper(
    name: str, heard: list[Event], place: Path, tmp_path: Path
) -> None:
    """In an environment that is made of the version's own pinned packages, by mlflow.pyfunc and by MLflow's server."""
    asked: list[Any] = register_images(place, heard) if name == "image" else TEXTS
    assert export(name, "onnx")["alias"] == "champion-onnx"
    connect()
    folder = Path(
        mlflow.artifacts.download_artifacts(f"models:/{name}@champion-onnx", dst_path=str(tmp_path / "model"))
    )
    needed = (folder / "requirements.txt").read_text(encoding="utf-8")
    assert "torch" not in needed and "onnxruntime==" in needed and ("pillow==" in needed) == (name == "image")
    python = environment_of(folder, tmp_path / "venv")
    clean = {"HOME": str(tmp_path), "PATH": f"{python.parent}:/usr/bin:/bin", "PYTHONWARNINGS": "ignore"}
    started = time.monotonic()
    done = subprocess.run(
        [str(python), "-c", SERVED, str(folder), json.dumps(asked)], capture_output=True, text=True, cwd=tmp_path,
        env=clean,
    )  # fmt: skip
    taken = time.monotonic() - started
    line = next((line for line in done.stdout.splitlines() if line.startswith("PREDICTED")), None)
    assert line is not None, done.stderr[-2000:]
    size = sum(path.stat().st_size for path in (tmp_path / "venv").rglob("*") if path.is_file())
    print(f"{name}: environment {size / 1e6:.0f} MB, predictions {taken:.1f} s after the start of a process")
    given = pd.DataFrame(asked) if name == "image" else asked
    here = mlflow.pyfunc.load_model(f"models:/{name}@champion").predict(given).to_dict("records")
    with served(python, folder, clean) as address:
        split = {"dataframe_split": pd.DataFrame(asked).to_dict("split")} if name == "image" else {"inputs": asked}
        body = json.dumps(split).encode()
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        answered = json.loads(urllib.request.urlopen(request, timeout=60).read())["predictions"]
    for predictions in (json.loads(line.removeprefix("PREDICTED")), answered):
        for row, other in zip(predictions, here, strict=True):
            assert row["label"] == other["label"]
            assert [row[key] for key in other if key != "label"] == pytest.approx(
                [value for key, value in other.items() if key != "label"], rel=1e-4
            )


def environment_of(folder: Path, place: Path) -> Path:
    """An environment with a model's own pinned packages alone; its Python. Skips where they cannot be had."""
    uv, python = Path(sys.executable).with_name("uv"), place / "bin" / "python"
    subprocess.run([str(uv), "venv", "--quiet", "--python", sys.executable, str(place)], check=True)
    made = subprocess.run(
        [str(uv), "pip", "install", "--quiet", "--python", str(python), "-r", str(folder / "requirements.txt")],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"the packages cannot be had here: {made.stderr[-200:]}")
    return python


@contextmanager
def served(python: Path, folder: Path, env: dict[str, str]) -> Iterator[str]:
    """MLflow's own server of a model, in that environment; where it is asked."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(python), "-m", "mlflow", "models", "serve", "--model-uri", str(folder), "--env-manager", "local"]
    log = folder.parent / "served.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"], env=env, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    try:
        end = time.monotonic() + 300
        while True:
            assert process.poll() is None and time.monotonic() < end, log.read_text()[-2000:]
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).read()
                break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
