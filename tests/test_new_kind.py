"""A kind that nobody knows yet: a folder, its section and its line in the list of kinds are all that it takes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import test_identity
from test_identity import ROOT, closures

copy = test_identity.copy
EXAMPLE = ROOT / "tests" / "new_kind"
RECIPE = EXAMPLE / "recipe.yaml"
PARTS = ("encode", "training", "report")


def add(copy: Path) -> None:
    """The three steps of docs/architecture.md: the folder, the section, and the line in the list of kinds."""
    shutil.copytree(
        EXAMPLE, copy / "tasks" / "kinds" / "backward", ignore=shutil.ignore_patterns("*.txt", "*.yaml", "__pycache__")
    )
    sections = copy / "configs" / "encodings.py"
    added = (EXAMPLE / "section.txt").read_text(encoding="utf-8")
    sections.write_text(f"{sections.read_text(encoding='utf-8')}\n\n{added}", encoding="utf-8")
    listed = copy / "configs" / "kinds.py"
    text = listed.read_text(encoding="utf-8")
    changed = text.replace("import (\n", "import (\n    BackwardEncode,\n", 1).replace(
        "    | ", "    | BackwardEncode\n    | ", 1
    )
    assert changed.count("BackwardEncode") == 2
    listed.write_text(changed, encoding="utf-8")


def files(copy: Path) -> dict[str, bytes]:
    return {
        path.relative_to(copy).as_posix(): path.read_bytes()
        for path in copy.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def call(copy: Path, home: Path, *words: str) -> str:
    """A module of the copy, in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(copy), "TEMPER_HOME": str(home), "HOME": str(home)}
    process = subprocess.run(
        [sys.executable, "-m", *words], cwd=copy, env=env, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, f"{process.stdout[-3000:]}\n{process.stderr[-3000:]}"
    return process.stdout


@pytest.mark.faults
def test_a_new_kind_changes_no_other_kinds_keys(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, before_files = closures(copy, [])[0], files(copy)
    add(copy)
    changed = {name for name, content in files(copy).items() if before_files.get(name) != content}
    assert {name for name in changed if not name.startswith("tasks/kinds/backward/")} == {
        "configs/encodings.py",
        "configs/kinds.py",
    }
    own = {
        f"{stage} backward": [f"tasks.{stage}", f"tasks.kinds.backward.{part}"]
        for stage, part in zip(("encode", "train", "evaluate"), PARTS, strict=True)
    }
    for run, modules in own.items():
        monkeypatch.setitem(test_identity.RUNS, run, modules)
    module = copy / "tasks" / "kinds" / "backward" / "encoding.py"
    edit = {"tasks/kinds/backward/encoding.py": module.read_text(encoding="utf-8") + "\nPLANTED = 1\n"}
    plain, (touched,) = closures(copy, [edit])
    assert len(before) > 20 and {run: plain[run] for run in before} == before
    assert touched == set(own)
    for run in own:
        reached = {
            name.split(".")[2] for name in plain[run][0] if name.count(".") > 2 and name.startswith("tasks.kinds.")
        }
        assert reached == {"backward"}, run


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_a_new_kind_goes_from_init_to_register(copy: Path, home: Path) -> None:
    shutil.copytree(ROOT / "flows", copy / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "test_kinds.py", copy / "tests")
    add(copy)
    recorded = call(copy, home, "configs.literal").split()
    assert recorded == ["BackwardEncode.max_length", "BackwardEncode.padding"]
    call(copy, home, "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/test_kinds.py")
    came_to = json.loads(call(copy, home, "flows", "run", str(RECIPE), "--json"))
    assert [stage["stage"] for stage in came_to["stages"]][-4:] == ["encode", "train", "evaluate", "register"]
    assert {stage["status"] for stage in came_to["stages"]} == {"run"}
    assert came_to["model"] == {
        "name": "backward-demo",
        "version": "1",
        "aliases": ["champion"],
        "uri": "models:/backward-demo/1",
    }
    assert 0 < came_to["metrics"]["accuracy"] < 1
    assert "[CLS]" in call(copy, home, "flows", "trace", str(RECIPE), "1")
    table, written = home / "reviews.csv", home / "reviews.yaml"
    table.write_text(
        "text,label\n"
        + "".join(f"It was {'good' if row % 2 else 'bad'} on day {row}.,{row % 2}\n" for row in range(80))
    )
    call(copy, home, "flows", "init", str(table), "--kind", "backward", "--output", str(written))
    assert "kind: backward" in written.read_text(encoding="utf-8")
    assert "encode" in call(copy, home, "flows", "plan", str(written))
