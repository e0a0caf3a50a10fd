"""Files, functions and their parameters keep within their limits, so that each can be read at once."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE, FUNCTION = 250, 50
"""Lines of a file, and of a function with its signature and docstring."""
EXEMPT: dict[str, str] = {}
"""By `file` or `file:function` why it may be longer."""


def too_long(folder: Path) -> Iterator[str]:
    """Each file and function below `folder` that is over its limit, as `file` or `file:function`."""
    for path in sorted(folder.rglob("*.py")):
        name, source = path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")
        if len(source.splitlines()) > FILE:
            yield name
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > FUNCTION:
                yield f"{name}:{node.name}"


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def test_files_and_functions_are_short() -> None:
    found = {f"{room}/{name}" for room in ("flows", "tasks", "configs") for name in too_long(ROOT / room)}
    assert found == set(EXEMPT)


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("x = 1\n" * 251, ["long.py"]),
        ("x = 1\n" * 250, []),
        ("class A:\n    async def grow(self):\n" + "        x = 1\n" * 50, ["long.py:grow"]),
        ("def grow():\n" + "    x = 1\n" * 49, []),
    ],
)
def test_what_is_over_a_limit_is_seen(tmp_path: Path, source: str, seen: list[str]) -> None:
    (tmp_path / "long.py").write_text(source, encoding="utf-8")
    assert list(too_long(tmp_path)) == seen


PARAMETERS = 5
"""Of a function, without self and cls; the options of a command line are counted by who types them."""
SHAPED_ELSEWHERE = {
    "flows/predict.py:predict": "a flow's parameters are the form in Prefect's interface",
    "tasks/kinds/preference/forward.py:forward": "the Trainer gives a batch's arrays by these names",
    "tasks/text/supervision.py:forward": "the Trainer gives a batch's arrays by these names",
}
"""By `file:function` why it takes more."""


def too_many(folder: Path) -> Iterator[str]:
    """Each function below `folder` that takes more than PARAMETERS, as `file:function`."""
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and parameters(node) > PARAMETERS:
                yield f"{name}:{node.name}"


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    taken = node.args
    named = [argument.arg for argument in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]
    rest = [argument for argument in (taken.vararg, taken.kwarg) if argument is not None]
    return len([name for name in named if name not in ("self", "cls")]) + len(rest)


def test_functions_take_few_parameters() -> None:
    over = {f"{room}/{name}" for room in ("flows", "tasks", "configs") for name in too_many(ROOT / room)}
    assert {name for name in over if not re.fullmatch(r"flows/cli/\w+\.py:command", name)} == set(SHAPED_ELSEWHERE)


@pytest.mark.parametrize(
    ("signature", "seen"),
    [
        ("def grow(a, b, *, c, d, e)", False),
        ("def grow(self, a, b, *, c, d, e)", False),
        ("def grow(a, b, *, c, d, e, f)", True),
        ("async def grow(a, /, b, *rest, c, d, **more)", True),
    ],
)
def test_a_parameter_too_many_is_seen(tmp_path: Path, signature: str, seen: bool) -> None:
    (tmp_path / "wide.py").write_text(f"class A:\n    {signature}:\n        pass\n", encoding="utf-8")
    assert list(too_many(tmp_path)) == (["wide.py:grow"] if seen else [])


SECTIONS = {"added_rows", "backbones", "dialogue_steps", "expectations", "lora", "optimizers", "phases", "pretrained",
            "pseudo_labels", "reference", "schedule", "schema", "servers", "splitting", "teacher",
            "weights"}  # fmt: skip
"""A section or setting in configs/, and what carries it out."""
COMMANDS = {"advise", "compare", "distill", "export", "plan", "predict", "pull", "report", "run", "search"}
"""A command, and the flow or room that it calls."""
OF_KINDS = {"baselines", "certificate", "drill", "encode", "encoding", "feed", "metrics", "outcomes", "predictor",
            "rows", "spec", "training"}  # fmt: skip
"""A module that each kind has, and what kinds share of it."""
OF_ROOMS = {"columns", "drift", "images", "label_sets", "models", "pairs", "parts"}
"""One matter in several rooms, such as the parts of texts and of images."""


def recurring(files: Iterable[Path]) -> set[str]:
    """Base names of several files, each kind's own modules counted as one."""
    places: dict[str, set[str]] = {}
    for path in files:
        own_of_a_kind = path.parts[:2] == ("tasks", "kinds") and len(path.parts) == 4
        places.setdefault(path.stem, set()).add("a kind" if own_of_a_kind else str(path.parent))
    return {name for name, found_in in places.items() if len(found_in) > 1} - {"__init__"}


def test_a_base_name_recurs_only_where_folders_tell_files_apart() -> None:
    files = [path.relative_to(ROOT) for room in ("flows", "tasks", "configs") for path in (ROOT / room).rglob("*.py")]
    assert recurring(files) == SECTIONS | COMMANDS | OF_KINDS | OF_ROOMS


def test_a_base_name_that_recurs_is_seen() -> None:
    files = map(Path, ("tasks/kinds/a/view.py", "tasks/kinds/b/view.py", "tasks/data/turns.py", "tasks/store/turns.py"))
    assert recurring(files) == {"turns"}


MOST = 154
"""Lines that say `dict[str, Any]`: less than half of what they were. What is left holds data of others: parsed JSON and
YAML, messages and schemas of tools, a library's options, the report that each kind adds to. What our own functions hand
to one another is a dataclass or a TypedDict."""


def test_few_dictionaries_of_anything_are_handed_on() -> None:
    paths = [path for room in ("flows", "tasks", "configs") for path in (ROOT / room).rglob("*.py")]
    lines = [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    assert sum("dict[str, Any]" in line for line in lines) <= MOST
