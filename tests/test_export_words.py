"""Where the packages of an export are missing the command ends in a line; torch.export needs none of them."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from flows.cli import export

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
