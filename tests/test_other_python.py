"""The script that runs the tests with another Python: what it cannot have is skipped with a reason."""

import subprocess
from pathlib import Path

from conftest import ROOT


def test_a_python_that_is_nowhere_is_skipped_with_a_reason(tmp_path: Path) -> None:
    script = str(ROOT / "tests" / "other_python.sh")
    done = subprocess.run([script, "3.99", str(tmp_path / "new")], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith("skipped Python 3.99: ") and done.stderr == ""
    assert not (tmp_path / "new").exists()
