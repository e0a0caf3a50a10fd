"""The command line: names and lines of help without the commands, and each command loaded alone."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import ROOT

from flows.cli import COMMANDS, load_command
from flows.services.stale_deployments import is_missing

HEAVY = (
    "torch",
    "transformers",
    "mlflow",
    "prefect",
    "great_expectations",
    "pandas",
    "numpy",
    "sqlite3",
    "yaml",
    "configs.schema",
)
SHARED = {
    "arguments",
    "comparison_table",
    "console",
    "estimate_table",
    "failures",
    "help_colours",
    "library_errors",
    "limit_options",
    "progress",
    "reading_options",
    "token_colours",
}
"""Files of the command line that are no commands."""
DRAWING = ["flows.cli.console", "flows.cli.help_colours"]


def loaded_by(script: str, *words: str) -> dict[str, list[str]]:
    """What a fresh process loads: `script` fills the dictionary `seen`, which is printed at its end."""
    begin = "import json, sys\nseen = {}\ndef ours(): return sorted(m for m in sys.modules if m.startswith('flows.'))\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{begin}{script}\nprint('\\n' + json.dumps(seen))", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return seen


def test_every_command_has_a_file_and_every_file_is_a_command_or_shared() -> None:
    files = {path.stem for path in (ROOT / "flows" / "cli").glob("*.py")} - {"__init__"}
    assert files == COMMANDS.keys() | SHARED


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_help_is_the_first_of_the_commands_docstring(name: str) -> None:
    tree = ast.parse((ROOT / "flows" / "cli" / f"{name}.py").read_text(encoding="utf-8"))
    [command] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "command"]
    first, *rest = str(ast.get_docstring(command)).splitlines()
    assert first == COMMANDS[name] and first.endswith(".") and not any(rest[:1])


def test_the_help_lists_all_and_loads_none(tmp_path: Path) -> None:
    script = (
        "from flows.cli import main\nsys.argv = ['temper', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit as ended: seen['code'] = [str(ended.code)]\n"
        f"seen['ours'], seen['heavy'] = ours(), [name for name in {HEAVY!r} if name in sys.modules]\n"
        "import atexit; atexit._clear()"
    )
    seen = loaded_by(script, "--help")
    assert seen == {"code": ["0"], "ours": ["flows.cli", *DRAWING], "heavy": []}
    assert loaded_by(script, "no-such-command") == seen | {"code": ["2"]}


def test_each_command_loads_itself_alone_and_nothing_heavy() -> None:
    script = (
        "from flows.cli import COMMANDS, load_command\n"
        "for name in COMMANDS:\n"
        "    load_command(name)\n"
        f"    heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "    seen[name] = heavy + [m for m in ours() if m.startswith('flows.cli.') and m.split('.')[2] in COMMANDS]\n"
        "    for module in ours(): del sys.modules[module]\n"
        "    import flows.cli"
    )
    assert loaded_by(script) == {name: [f"flows.cli.{name}"] for name in COMMANDS}


def test_a_loaded_command_is_the_one_of_its_module() -> None:
    from flows.cli import rollback

    command = load_command("rollback")
    assert command.name == "rollback" and command.callback.__wrapped__ is rollback.command
    assert command.help.splitlines()[0] == COMMANDS["rollback"]


@pytest.mark.parametrize(
    ("entrypoint", "missing"),
    [
        ("flows.retrain.retrain", False),
        ("flows/predict.py:predict", False),
        ("flows.prediction.predict", True),
        ("flows/comparison.py:compare", True),
        ("flows.nowhere.below.flow", True),
        ("elsewhere.flow", False),
        ("my/flow.py:main", False),
        ("", False),
    ],
)
def test_an_entrypoint_that_the_move_left_behind_is_known_as_missing(entrypoint: str, missing: bool) -> None:
    assert is_missing(entrypoint) is missing
