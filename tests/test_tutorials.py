"""Every command that tutorials and README show is executed in order, and prints what is shown below it.

They begin with the databases that `make setup` makes ready, and share a Prefect server, which saves each command the
start of one. Tutorials that go on from one another share a folder.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from html_reader import read
from shown import TUTORIALS, blocks, follow, missing
from test_csv_tutorials import WAY
from tiny import ROOT

NOTEBOOK = TUTORIALS / "first_run.ipynb"
PROGRAM = """
import ast, asyncio, json, sys

async def execute(cells):  # as Jupyter does, where a loop runs already
    names, shown = {"__name__": "__main__"}, []
    for cell in cells:
        tree = ast.parse(cell)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), names)
        value = None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        html = getattr(value, "_repr_html_", lambda: None)()
        shown.append([html, None if value is None else repr(value)])
    return shown

if __name__ == "__main__":
    with open(sys.argv[1], "w") as out:
        json.dump(asyncio.run(execute(json.load(sys.stdin))), out)
"""
WAYS = (("your_images.md",), ("dialogue_model.md",))
"""Tutorials that go on from one another are one way."""


def test_output_is_compared_line_by_line_in_order() -> None:
    printed = "stage  status\n  done   download   0.3 s\n\n  done   train 1.0 s\n"
    assert missing("stage status\ndone download …\n done train …", printed) is None
    assert missing("done train …\ndone download …", printed) == "done download …"
    assert missing("done split …", printed) == "done split …" and missing("don", printed) == "don"
    with pytest.raises(ValueError, match="behind no command"):
        blocks("```text\nx\n```\n")
    assert blocks("```sh\na\n```\nwords\n```text\nb\n```\n```sh\nc\n```\n") == [("a\n", "b\n"), ("c\n", "")]


def test_every_tutorial_is_executed() -> None:
    assert {path.name for path in TUTORIALS.glob("*.md")} == {name for way in (WAY, *WAYS) for name in way}
    for path in TUTORIALS.glob("*.md"):
        assert sum(bool(expected) for _, expected in blocks(path.read_text(encoding="utf-8"))) >= 2, path.name


@pytest.mark.shown
@pytest.mark.timeout(900)
def test_the_tutorial_runs_from_its_first_cell_to_its_last(home: Path, tmp_path: Path, set_up: Path) -> None:
    shutil.copytree(set_up / "mlruns", home / "mlruns")
    shutil.copytree(set_up / "prefect", tmp_path / ".prefect")
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(sources) >= 8 and not any(cell.get("outputs") for cell in cells)
    env = {**os.environ, "TEMPER_HOME": str(home), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run([sys.executable, program, tmp_path / "shown.json"], input=json.dumps(sources), env=env,
                          cwd=NOTEBOOK.parent, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = json.loads((tmp_path / "shown.json").read_text(encoding="utf-8"))
    results = [read(html).shown for html, value in shown if value and value.startswith("reviews-demo version 1")]
    assert results and all("promoted: the first champion" in one and "stages" in one for one in results)
    stages = next(value for _, value in shown if value and value.startswith("{'download'"))
    assert set(eval(stages).values()) == {"cached"}
    pages = [value for _, value in shown if value and value.startswith("PosixPath")]
    assert len(pages) == 1 and "reviews-demo-1.html" in pages[0]
    table = next(html for html, _ in shown if html and "probability" in html)
    assert table.count("<tr") == 3 and "name: boxes" in done.stdout


@pytest.mark.shown
@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way[0].removesuffix(".md"))
def test_the_commands_of_a_tutorial_print_what_is_shown(
    way: tuple[str, ...], shell: tuple[Path, dict[str, str]]
) -> None:
    follow(way, *shell)
