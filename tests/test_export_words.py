"""Where the packages of an export are missing the command ends in a line; torch.export needs none of them."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from configs.kinds import kinds
from flows.cli import export
from tasks.kinds.spec import module_of, open_kind

WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("onnx", "onnxruntime", "onnxscript"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import flows.export
print("loaded")
"""

LIGHT = """
import importlib, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "transformers", "safetensors", "pyarrow", "scipy", "configs"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
for name in sys.argv[1:]:
    importlib.import_module(name)
print("loaded")
"""


def test_predictors_of_exported_models_load_without_torch() -> None:
    """Nor anything else that an exported version does not pin."""
    names = [module_of(kind, "predictor") for kind in kinds() if open_kind(kind).exports]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", LIGHT, *names], cwd=root, capture_output=True, text=True)
    assert len(names) > 5 and done.stdout == "loaded\n", done.stderr[-500:]


def test_a_missing_package_is_named_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tasks.export.routes.find_spec", lambda name: None)
    with pytest.raises(typer.Exit) as ended:
        export.command("reviews-demo", to="int8")
    assert ended.value.exit_code == 1
    assert "--to int8 needs the package onnx: pip install 'temper[export]'" in " ".join(capsys.readouterr().err.split())


@pytest.mark.faults
def test_the_flow_loads_without_them() -> None:
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", WITHOUT], cwd=root, capture_output=True, text=True)
    assert done.stdout == "loaded\n", done.stderr[-500:]
    assert importlib.util.find_spec("flows.export")
