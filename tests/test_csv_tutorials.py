"""The tutorials of a CSV and of retraining, and the README's commands, which are executed where these have filled the
cache. A file of its own, so that one process follows this longest way while another has the rest."""

import re
from pathlib import Path

import pytest
from shown import follow, printed
from tiny import ROOT

WAY = ("your_csv.md", "retraining.md")


def front_page() -> list[str]:
    """The README's commands on a reader's own data, a line each."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    shown: list[str] = re.findall(r"^```\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return next(block for block in shown if "temper init" in block).splitlines()


@pytest.mark.shown
@pytest.mark.timeout(900)
def test_the_commands_of_the_csv_tutorials_and_of_the_front_page(shell: tuple[Path, dict[str, str]]) -> None:
    folder, env = shell
    follow(WAY[:1], folder, env)
    (folder / "configs" / "reviews.yaml").rename(folder / "kept.yaml")  # the README writes it too
    *commands, last = front_page()
    assert len(commands) >= 6 and last.split("#")[0].strip() == ".venv/bin/temper up"  # tests/test_up.py executes it
    outputs = {line.split()[1]: printed(line, folder, env) for line in commands}
    assert "done     train" not in outputs["run"] and "reviews version 1 @champion" in outputs["run"]
    (folder / "kept.yaml").rename(folder / "configs" / "reviews.yaml")
    follow(WAY[1:], folder, env)
