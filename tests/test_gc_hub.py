"""temper gc --hub: what a recipe names or anybody used lately stays, also where it has a commit of what goes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tiny import ROOT

from flows.collect_hub import DELETED

DAY = 24 * 3600.0
RECIPE = """
name: mine
download: {kind: embedded, name: reviews}
encode: {kind: label_word, tokenizer: {kind: hub, repo: someone/named}, max_length: 24}
train: {model: {kind: new, family: gpt2, config: {n_embd: 8, n_layer: 1, n_head: 2, n_positions: 24}}}
register: {model: mine}
"""


def download(cache: Path, folder: str, days: float) -> Path:
    """A repository as the Hub's library keeps it: a file behind a link of one commit, last used so many days ago."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    blob, link = cache / folder / "blobs" / "b", cache / folder / "snapshots" / commit / "weights"
    for path in (blob, link, cache / folder / "refs" / "main"):
        path.parent.mkdir(parents=True)
    (cache / folder / "refs" / "main").write_text(commit)
    blob.write_bytes(b"x" * 4096)
    link.symlink_to(Path("../../blobs/b"))
    then = time.time() - days * DAY
    for path in (blob, *(path for path in (cache / folder).rglob("*") if not path.is_symlink())):
        os.utime(path, (then, then))
    return blob


def gc(home: Path, *given: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "HF_HUB_CACHE": str(home / "hub"), "TEMPER_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "flows", "gc", "--hub", *given], env=env, capture_output=True, text=True, cwd=ROOT
    )


def test_downloads_that_no_recipe_names_go_after_their_days(home: Path) -> None:
    (home / "mine.yaml").write_text(RECIPE, encoding="utf-8")
    (home / "mlruns" / "recipes").mkdir(parents=True)
    (home / "mlruns" / "recipes" / "mine.path").write_text(str(home / "mine.yaml"), encoding="utf-8")
    named = download(home / "hub", "models--someone--named", 90)
    unnamed = download(home / "hub", "models--someone--other", 90)
    of_data = download(home / "hub", "datasets--someone--named", 90)
    recent = download(home / "hub", "models--someone--new", 3)
    shown = gc(home, "--json")
    decisions: list[dict[str, Any]] = json.loads(shown.stdout)["decisions"]
    whys = {(each["stage"], each["key"]): (each["delete"], each["why"]) for each in decisions}
    assert whys == {
        ("dataset", "someone/named"): (True, "no recipe names it"),
        ("model", "someone/named"): (False, "mine.yaml needs it"),
        ("model", "someone/new"): (False, "used recently"),
        ("model", "someone/other"): (True, "no recipe names it"),
    }
    assert all(path.exists() for path in (named, unnamed, of_data, recent))
    went = gc(home, "--delete")
    assert "deleted: 8." in went.stderr and "was not used for 30 days" in " ".join(went.stdout.split()), went
    assert [path.exists() for path in (named, unnamed, of_data, recent)] == [True, False, False, True]
    assert "nothing to delete" in gc(home, "--keep-days", "10000").stderr
    half = home / "hub" / f"{DELETED}models--someone--other" / "blobs"
    half.mkdir(parents=True)
    assert "nothing to delete" in gc(home).stderr and half.is_dir()
    assert "note" not in gc(home, "--delete").stderr and not half.parent.exists()
    assert "would free 4." in gc(home, "--keep-days", "1").stderr


def test_a_cache_that_is_absent_or_damaged_loses_nothing(home: Path) -> None:
    assert "nothing to delete" in gc(home).stderr
    download(home / "hub", "models--someone--other", 90)
    (home / "hub" / "models--odd").mkdir()
    shown = gc(home, "--delete")
    assert shown.returncode == 0 and "note: the Hub's cache:" in shown.stderr
    assert (home / "hub" / "models--odd").is_dir()


@pytest.mark.parametrize("more", [["--remote"], ["--budget-gib", "1"], ["--keep-runs", "2"]], ids=lambda more: more[0])
def test_the_hub_has_no_runs_and_no_budget(more: list[str], home: Path) -> None:
    refused = gc(home, *more)
    assert refused.returncode == 1 and "--hub goes with --keep-days and --delete alone" in refused.stderr
