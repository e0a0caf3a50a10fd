"""An export from the registry to the registry: what passes is a version of the same model, what fails is nothing."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import pandas as pd
import pytest
from tiny import recipe, run

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
import mlflow.pyfunc
table = mlflow.pyfunc.load_model(sys.argv[1]).predict(json.loads(sys.argv[2]))
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


def test_it_predicts_where_there_is_neither_torch_nor_temper(heard: list[Event], tmp_path: Path) -> None:
    """In an environment that is made of the version's own pinned packages."""
    connect()
    folder = Path(
        mlflow.artifacts.download_artifacts(f"models:/{NAME}@champion-onnx", dst_path=str(tmp_path / "model"))
    )
    needed = folder / "requirements.txt"
    assert "torch" not in needed.read_text(encoding="utf-8") and "onnxruntime==" in needed.read_text(encoding="utf-8")
    uv, python = Path(sys.executable).with_name("uv"), tmp_path / "venv" / "bin" / "python"
    subprocess.run([str(uv), "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv")], check=True)
    made = subprocess.run(
        [str(uv), "pip", "install", "--quiet", "--python", str(python), "-r", str(needed)],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"the packages cannot be had here: {made.stderr[-200:]}")
    done = subprocess.run(
        [str(python), "-c", SERVED, str(folder), json.dumps(TEXTS)], capture_output=True, text=True, cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    line = next((line for line in done.stdout.splitlines() if line.startswith("PREDICTED")), None)
    assert line is not None, done.stderr[-2000:]
    here = predicted(f"models:/{NAME}@champion").to_dict("records")
    for row, other in zip(json.loads(line.removeprefix("PREDICTED")), here, strict=True):
        assert row.pop("label") == other.pop("label")
        assert row == pytest.approx(other, rel=1e-4)
