"""Kinds of task: each is one folder behind one protocol, and nothing outside names one."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from configs.kinds import kinds, traits_of
from flows.cli import init
from tasks.kinds import spec
from tasks.tracking import rescoring_program

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = sorted({traits_of(kind).folder for kind in kinds()})
PARTS = {
    "encode": ("encode_rows",),
    "training": ("open_training",),
    "report": ("evaluate", "predict_row"),
    "outcomes": ("KEYS", "TRUTH", "ANSWER", "quality", "statistics"),
    "detect": ("detect",),
    "drill": ("DRILL",),
    "predictor": ("Predictor",),
}
"""Modules of every kind, with the names that are asked of them."""
OTHER_MEANINGS = {
    ("tasks/data/dialogues/messages.py", "dialogue"): "a key under which data hold their messages",
    ("tasks/data/sources/json_rows.py", "dialogue"): "the same",
    ("tasks/text/chat/encoding.py", "dialogue"): "what encoding.json says where nothing else is said",
    ("tasks/vision/timm_nets.py", "classifier"): "timm's name of a net's last layer",
}
"""Strings that are equal to a kind's name and mean something else; `image` is a content's name too and is left out."""


def modules() -> list[Path]:
    every = sorted([*ROOT.glob("tasks/**/*.py"), *ROOT.glob("flows/**/*.py")])
    return [path for path in every if "tasks/kinds/" not in path.as_posix() or path.parent.name == "kinds"]


def named(tree: ast.AST) -> Iterator[str]:
    """Names of kinds in strings, and folders of kinds in imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in {*kinds()} - {"image"}:
            yield str(node.value)
        if isinstance(node, ast.ImportFrom | ast.Import):
            words = {word for alias in node.names for word in alias.name.split(".")}
            words |= set((getattr(node, "module", None) or "").split("."))
            yield from (f"import of {folder}" for folder in FOLDERS if folder in words)


def test_no_module_outside_names_a_kind() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in modules()
        for name in named(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set(OTHER_MEANINGS)


@pytest.mark.parametrize(
    ("planted", "name"),
    [
        ('if kind == "regression":\n    pass', "regression"),
        ("from tasks.kinds.masked_lm import encoding", "import of masked_lm"),
        ("from .kinds import seq2seq", "import of seq2seq"),
        ("import tasks.kinds.dialogue.report", "import of dialogue"),
    ],
)
def test_a_module_that_names_one_is_seen(planted: str, name: str) -> None:
    assert list(named(ast.parse(planted))) == [name]


@pytest.mark.parametrize("kind", kinds())
def test_each_kind_has_every_part_of_the_protocol(kind: str) -> None:
    for part, names in PARTS.items():
        module = importlib.import_module(spec.module_of(kind, part))
        assert not [name for name in names if not hasattr(module, name)], (part, names)
    known = spec.open_kind(kind)
    assert known.traits == traits_of(kind) and callable(getattr(rescoring_program, known.rescored_by))
    if known.tokens:
        assert hasattr(importlib.import_module(spec.module_of(kind, "view")), "open_view")


def test_every_folder_of_a_kind_is_listed() -> None:
    folders = [path.parent.name for path in ROOT.glob("tasks/kinds/*/__init__.py")]
    assert sorted(folders) == FOLDERS


def test_init_takes_the_kinds_that_have_a_starter_recipe() -> None:
    assert {"label_word", "classifier", "dialogue", "regression", "seq2seq"} <= {*init.STARTERS} <= {*kinds()}
    assert {init.known_kind(name) for name in init.STARTERS} == {*init.STARTERS}
    with pytest.raises(typer.BadParameter, match="'masked' is not one of 'label_word', "):
        init.known_kind("masked")


def test_an_earlier_name_of_a_kind_is_read(tmp_path: Path) -> None:
    """In recipes, overrides, options, files of models, and wherever a kind is opened."""
    from configs.load import load_recipe
    from tasks.kinds.text_classification.encoding import LabelWordEncoding, load_encoding

    recipe = ROOT / "configs/reviews_demo.yaml"
    text = recipe.read_text(encoding="utf-8")
    earlier = tmp_path / "earlier.yaml"
    earlier.write_text(text.replace("kind: label_word", "kind: generative"), encoding="utf-8")
    assert earlier.read_text(encoding="utf-8") != text
    assert load_recipe(earlier, []) == load_recipe(recipe, []) == load_recipe(recipe, ["encode.kind=generative"])
    assert init.known_kind("generative") == "label_word"

    encoding = LabelWordEncoding("label_word", ("bad", "good"), (4, 5), {"eos": 0}, 16, "longest", 0)
    encoding.save(tmp_path)
    saved = (tmp_path / spec.FILE).read_text(encoding="utf-8")
    (tmp_path / spec.FILE).write_text(saved.replace("label_word", "generative"), encoding="utf-8")
    assert "generative" in (tmp_path / spec.FILE).read_text(encoding="utf-8")
    assert load_encoding(tmp_path / spec.FILE) == encoding and spec.kind_in(tmp_path) == "label_word"
    assert spec.open_kind("generative") is spec.open_kind("label_word")
    assert spec.open_encoder("generative") is spec.open_encoder("label_word")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_kinds_package_holds_a_docstring_alone(folder: str) -> None:
    """Others may import what lies beside the folders, which to import-linter these packages do too."""
    (statement,) = ast.parse((ROOT / "tasks/kinds" / folder / "__init__.py").read_text(encoding="utf-8")).body
    assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
