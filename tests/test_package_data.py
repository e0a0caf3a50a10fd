"""Data files of the package: a changed byte changes the keys of the stages that read it, and a stage opens no other."""

import ast
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from copied_code import lines_of
from tiny import ROOT, TINY

RECIPES = {
    "reviews": ("reviews_demo", []),
    "all reviews": ("reviews_demo", ["download.name=all_reviews"]),
    "hotels": ("hotel_demo", []),
    "alexnet": ("ants_bees_alexnet", []),
    "resnet18": ("ants_bees_resnet18", []),
    "timm": (
        "ants_bees_efficientnet",
        [
            f"train.model={{kind: timm, name: efficientnet_b0, weights: published, revision: {'a' * 40}}}",
            "encode.normalise=imagenet",
        ],
    ),
}
READ: list[tuple[str, str, str, dict[str, set[str]]]] = [
    ("tasks/data/demo/reviews.csv", "a", "b", {"reviews": {"download"}, "all reviews": {"download"}}),
    ("tasks/data/demo/reviews_more.csv", "a", "b", {"all reviews": {"download"}}),
    ("tasks/data/demo/hotels.jsonl", "1", "2", {"hotels": {"encode"}}),
    ("tasks/data/demo/hotel_dialogues.jsonl", "a", "b", {"hotels": {"download"}}),
    ("configs/weights.json", "alexnet-owt-7", "alexnet-owt-8", {"alexnet": {"train"}}),
    ("configs/weights.json", "resnet18-f", "resnet18-e", {"resnet18": {"train"}}),
    ("configs/weights.json", "resnet34-b", "resnet34-c", {}),
    ("configs/timm_weights.json", '"efficientnet_b0": {"ra_', '"efficientnet_b0": {"rb_', {"timm": {"train"}}),
    ("configs/timm_weights.json", '"efficientnet_b1": {"ra', '"efficientnet_b1": {"rb', {}),
    (
        "configs/defaults.json",
        '"Clean.max_dropped": 0.5',
        '"Clean.max_dropped": 0.4',
        {recipe: {"clean"} for recipe in RECIPES},
    ),
    ("configs/defaults.json", '"SgdSource.', '"SgdSourse.', {}),
    ("configs/recipe.schema.json", "a", "b", {}),  # for editors alone
    ("tasks/report_page/page.css", "a", "b", {}),  # of `temper report`, which is no stage
]
"""File, a text of it and another: the stages, by recipe, whose keys the change changes."""
STAGES = ("download", "validate", "clean", "split", "encode", "train", "evaluate")
KEYS = """
import json, sys
from pathlib import Path
from configs import literal, timm_weights, weights
from configs.load import load_recipe
from tasks.data.errors import DataError
from tasks.pins import pin
from tasks.store.identity import key_of
recipes, edits, stages = json.load(sys.stdin)
assert weights.__file__.startswith(str(Path.cwd())), weights.__file__
def value(section):
    try:
        return pin(section, ask=False)[1]
    except DataError as absent:  # public data that are not here
        return str(absent)
def keys():
    for kept in (literal.first_defaults, timm_weights.table, weights.table):
        kept.cache_clear()
    loaded = {name: load_recipe(Path(f"configs/{file}.yaml"), more) for name, (file, more) in recipes.items()}
    return {name: {stage: key_of(value(getattr(one, stage))) for stage in stages} for name, one in loaded.items()}
plain = keys()
for path, old, new in edits:
    text = Path(path).read_text(encoding="utf-8")
    assert old in text, (path, old)
    Path(path).write_text(text.replace(old, new, 1), encoding="utf-8")
    now = keys()
    Path(path).write_text(text, encoding="utf-8")
    changed = {name: [stage for stage in stages if now[name][stage] != plain[name][stage]] for name in recipes}
    print("RESULT", json.dumps({name: every for name, every in changed.items() if every}))
assert keys() == plain
"""
OPENED = """
import json, os, sys
from pathlib import Path
places, opened = [str(Path(one).resolve()) + os.sep for one in ("tasks", "configs")], set()
def heed(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if path.startswith(tuple(places)) and not path.endswith((".py", ".pyc", ".yaml")) and "__pycache__" not in path:
            opened.add(os.path.relpath(path))
from configs.load import load_recipe
from configs.literal import first_defaults
from flows.stage_graph import perform_until
first_defaults()  # they count in every key
file, more, stages = json.loads(sys.argv[1])
loaded = load_recipe(Path(f"configs/{file}.yaml"), more)
sys.addaudithook(heed)
for stage in stages:
    opened.clear()
    perform_until(loaded, stage)
    if stage == stages[0] or opened:
        print("RESULT", json.dumps([stage, sorted(opened)]))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's packages in another place, to be edited there."""
    for package in ("tasks", "configs", "flows"):
        shutil.copytree(ROOT / package, tmp_path / "copy" / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copy"


def lines(copy: Path, program: str, given: Any, *arguments: str) -> list[Any]:
    """What a program that runs in the copy prints, line by line."""
    printed = lines_of(copy, program, given, *arguments)
    return [json.loads(line.removeprefix("RESULT")) for line in printed if line.startswith("RESULT")]


def data_files() -> set[str]:
    """Files of the packages that stages run from, apart from code and recipes."""
    every = (path for package in ("tasks", "configs") for path in (ROOT / package).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in every if path.suffix not in (".py", ".pyc", ".yaml")}


def test_a_byte_of_a_data_file_changes_exactly_the_stages_that_read_it(copy: Path) -> None:
    assert data_files() == {path for path, *_ in READ}, "each data file stands in READ, with what reads it"
    edits = [[path, old, new] for path, old, new, _ in READ]
    changed = lines(copy, KEYS, [RECIPES, edits, STAGES])
    for (path, old, _, expected), got in zip(READ, changed, strict=True):
        assert {name: set(stages) for name, stages in got.items()} == expected, (path, old)


def declared(recipe: str) -> dict[str, set[str]]:
    """By stage the data files that the keys of a recipe count."""
    return {stage: {path for path, *_, by in READ if stage in by.get(recipe, set())} for stage in STAGES}


@pytest.mark.faults
@pytest.mark.parametrize(
    ("recipe", "more", "stages"),
    [("reviews", TINY, STAGES), pytest.param("hotels", [], STAGES[:5], marks=pytest.mark.long)],
)
def test_no_stage_opens_a_data_file_that_its_key_does_not_count(
    copy: Path, recipe: str, more: list[str], stages: Sequence[str]
) -> None:
    file, _ = RECIPES[recipe]
    opened = dict(lines(copy, OPENED, None, json.dumps([file, more, stages])))
    for stage, files in opened.items():
        assert set(files) <= declared(recipe)[stage], stage
    seen = {path for files in opened.values() for path in files}
    assert seen == set().union(*declared(recipe).values()) - {"configs/defaults.json"}, "what is opened is seen"


@pytest.mark.faults
def test_a_file_that_is_opened_all_the_same_is_seen(copy: Path) -> None:
    path = copy / "tasks" / "validate.py"
    head, call, body = path.read_text(encoding="utf-8").rpartition("    from .data")
    path.write_text(f"{head}    open('tasks/data/demo/hotels.jsonl').close()\n{call}{body}", encoding="utf-8")
    opened = dict(lines(copy, OPENED, None, json.dumps(["reviews_demo", TINY, ["download", "validate"]])))
    assert opened["validate"] == ["tasks/data/demo/hotels.jsonl"]


BESIDE = {
    "tasks/data/errors.py",  # DEMO
    "tasks/report_page/page.py",
    "tasks/text/chat/template_limits.py",  # code, that a process of its own runs
    "tasks/tracking/model_package.py",  # code, that travels with a model
    "tasks/export/plain/checks.py",
    "tasks/tracking/rescoring.py",
    "tasks/tracking/server.py",  # a file of MLflow's
    "configs/literal.py",
    "configs/load.py",  # recipes
    "configs/recipe_schema.py",
    "configs/settings.py",  # where .artifacts lies
    "configs/timm_weights.py",
    "configs/weights.py",
}
"""Modules that look where they lie: what they open there is in READ, or no data."""


def test_a_module_that_opens_files_of_the_package_is_known() -> None:
    beside = set()
    for path in (path for package in ("tasks", "configs") for path in (ROOT / package).rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        if names & {"__file__", "__path__", "importlib.resources", "pkgutil", "get_data"}:
            beside.add(str(path.relative_to(ROOT)))
    assert beside == BESIDE
