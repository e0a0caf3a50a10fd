"""What pages show: commands, each with the output below it; and how they are executed."""

import re
import subprocess
from pathlib import Path

from tiny import ROOT

TUTORIALS = ROOT / "docs" / "tutorials"
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
