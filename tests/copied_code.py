"""A program that runs in a copy of the packages."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def lines_of(copy: Path, program: str, given: Any, *arguments: str) -> list[str]:
    """What a program prints that runs in the copy with `given` as JSON on its input, line by line."""
    process = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout.splitlines()
