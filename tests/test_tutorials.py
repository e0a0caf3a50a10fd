"""Every command that tutorials and README show is executed in order, and prints what is shown below it.

The tutorials share a Prefect server, which saves each command the start of one, and those that go on from one another
a folder; the README's commands are executed where the tutorial of a CSV has filled the cache.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import ROOT

from flows.services import temporary_server

TUTORIALS = ROOT / "docs" / "tutorials"
WAYS = (("your_csv.md", "retraining.md"), ("your_images.md",), ("dialogue_model.md",))
"""Tutorials that go on from one another are one way."""
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str]]:
    """Commands of a page, each with the output that is shown for them. Raises ValueError for output of nothing."""
    shown: list[tuple[str, str]] = []
    for language, text in BLOCK.findall(page):
        if language == "sh":
            shown.append((text, ""))
        elif language == "text" and shown and not shown[-1][1]:
            shown[-1] = (shown[-1][0], text)
        else:
            raise ValueError(f"a block of {language} behind no command")
    return shown


def front_page() -> list[str]:
    """The README's commands on a reader's own data, a line each."""
    shown = re.findall(r"^```\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return next(block for block in shown if "temper init" in block).splitlines()


def missing(expected: str, printed: str) -> str | None:
    """The first expected line that does not come, in this order, among the printed ones; blanks are one blank, and …
    stands for anything."""
    lines = iter([" ".join(line.split()) for line in printed.splitlines()])
    for line in filter(str.strip, expected.splitlines()):
        pattern = ".*".join(map(re.escape, " ".join(line.split()).split("…"))).replace(r"\ .*", ".*")
        if not any(re.fullmatch(pattern, one) for one in lines):
            return line
    return None


def test_output_is_compared_line_by_line_in_order() -> None:
    printed = "stage  status\n  done   download   0.3 s\n\n  done   train 1.0 s\n"
    assert missing("stage status\ndone download …\n done train …", printed) is None
    assert missing("done train …\ndone download …", printed) == "done download …"
    assert missing("done split …", printed) == "done split …" and missing("don", printed) == "don"
    with pytest.raises(ValueError, match="behind no command"):
        blocks("```text\nx\n```\n")
    assert blocks("```sh\na\n```\nwords\n```text\nb\n```\n```sh\nc\n```\n") == [("a\n", "b\n"), ("c\n", "")]


def test_every_tutorial_is_executed() -> None:
    assert {path.name for path in TUTORIALS.glob("*.md")} == {name for way in WAYS for name in way}
    for path in TUTORIALS.glob("*.md"):
        assert sum(bool(expected) for _, expected in blocks(path.read_text(encoding="utf-8"))) >= 2, path.name


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Prefect server for all commands of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        patch.setattr(temporary_server, "PATIENCE", 400)  # it makes its database first
        process, url = temporary_server.start_server()
        temporary_server.open_server(process)
        try:
            temporary_server._wait(process, url)
            yield url
        finally:
            temporary_server._end(process)


@pytest.fixture
def shell(home: Path, tmp_path: Path, prefect: str) -> tuple[Path, dict[str, str]]:
    """Temper's folder as a reader has it, and the environment of a reader who has followed `make setup`."""
    folder = tmp_path / "temper"
    (folder / ".venv").mkdir(parents=True)
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (folder / "tasks").symlink_to(ROOT / "tasks")
    shutil.copytree(ROOT / "configs", folder / "configs", ignore=shutil.ignore_patterns("__pycache__"))
    env = {**os.environ, "TEMPER_HOME": str(home), "HOME": str(tmp_path), "PREFECT_API_URL": prefect}
    env |= {"COLUMNS": "160", "DO_NOT_TRACK": "true", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return folder, env


def printed(commands: str, folder: Path, env: dict[str, str]) -> str:
    """What bash prints for commands, which must succeed."""
    done = subprocess.run(["bash", "-e", "-c", commands], cwd=folder, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, f"{commands}{done.stdout}"
    return done.stdout


def follow(names: tuple[str, ...], folder: Path, env: dict[str, str]) -> None:
    """Execute the commands of tutorials, and compare what they print with what is shown."""
    for name in names:
        for commands, expected in blocks((TUTORIALS / name).read_text(encoding="utf-8")):
            output = printed(commands, folder, env)
            line = missing(expected, output)
            assert line is None, f"{name}: {line!r} is not printed by\n{commands}{output}"


@pytest.mark.shown
@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", WAYS[1:], ids=lambda way: way[0].removesuffix(".md"))
def test_the_commands_of_a_tutorial_print_what_is_shown(
    way: tuple[str, ...], shell: tuple[Path, dict[str, str]]
) -> None:
    follow(way, *shell)


@pytest.mark.shown
@pytest.mark.timeout(900)
def test_the_commands_of_the_csv_tutorials_and_of_the_front_page(shell: tuple[Path, dict[str, str]]) -> None:
    folder, env = shell
    follow(WAYS[0][:1], folder, env)
    (folder / "configs" / "reviews.yaml").rename(folder / "kept.yaml")  # the README writes it too
    *commands, last = front_page()
    assert len(commands) >= 6 and last.split("#")[0].strip() == ".venv/bin/temper up"  # tests/test_up.py executes it
    outputs = {line.split()[1]: printed(line, folder, env) for line in commands}
    assert "done     train" not in outputs["run"] and "reviews version 1 @champion" in outputs["run"]
    (folder / "kept.yaml").rename(folder / "configs" / "reviews.yaml")
    follow(WAYS[0][1:], folder, env)
