"""Tutorials: every shown command is executed in order, in a folder of its own, and prints what is shown below it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import ROOT

TUTORIALS = ROOT / "docs" / "tutorials"
WAYS = (("your_images.md",), ("dialogue_model.md",))
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


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way[0].removesuffix(".md"))
def test_the_commands_of_a_tutorial_print_what_is_shown(way: tuple[str, ...], home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "temper"
    folder.mkdir()
    for name in ("tasks", "configs"):
        (folder / name).symlink_to(ROOT / name)
    env = {**os.environ, "TEMPER_HOME": str(home), "HOME": str(tmp_path), "COLUMNS": "160", "DO_NOT_TRACK": "true"}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    for name in way:
        for commands, expected in blocks((TUTORIALS / name).read_text(encoding="utf-8")):
            done = subprocess.run(["bash", "-e", "-c", commands], cwd=folder, env=env, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)  # fmt: skip
            assert done.returncode == 0, f"{name}: {commands}{done.stdout}"
            line = missing(expected, done.stdout)
            assert line is None, f"{name}: {line!r} is not printed by\n{commands}{done.stdout}"
