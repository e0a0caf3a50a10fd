"""The schema of recipes: of the same types, fit for every recipe here, and what an editor makes of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import ROOT
from language_server import Server, at, install, opened, running

from configs.load import parse
from configs.recipe_schema import FILE, _classes, modeline, recipe_schema, schema_text

RECIPES = sorted((ROOT / "configs").glob("*.yaml"))


def mistakes(text: str) -> list[str]:
    checker = jsonschema.Draft202012Validator(recipe_schema())
    return [error.message for error in checker.iter_errors(parse(text, str, {}))]


def test_the_committed_schema_is_that_of_the_types() -> None:
    assert FILE.read_text(encoding="utf-8") == schema_text(), "run `python -m configs.recipe_schema`"


def test_every_recipe_names_the_schema_and_fits_it() -> None:
    assert RECIPES
    for path in RECIPES:
        text = path.read_text(encoding="utf-8")
        assert text.splitlines()[0] == modeline(path), path.name
        assert mistakes(text) == [], path.name


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("epochs: 5", "epochs: three"),
        ("epochs: 5", "epoch: 5"),
        ("- missing", "- replace"),
        ("- missing", "- mising"),
        ("kind: hash", "kind: hashes"),
        ("labels: [ham, spam]", "label: [ham, spam]"),
    ],
)
def test_what_no_recipe_may_say_does_not_fit(before: str, after: str) -> None:
    text = (ROOT / "configs" / "sms_spam_gpt2.yaml").read_text(encoding="utf-8")
    assert before in text, "choose another line"
    assert mistakes(text) == []
    assert mistakes(text.replace(before, after))


def test_every_key_is_explained() -> None:
    silent = [
        f"{name}.{key}"
        for name, section in recipe_schema()["$defs"].items()
        for key, field in section.get("properties", {}).items()
        if not field.get("description")
    ]
    assert silent == []


def test_a_recipe_elsewhere_names_the_schema_where_temper_is_installed(tmp_path: Path) -> None:
    assert modeline(tmp_path / "mine.yaml").endswith(f"={FILE}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    program = install(tmp_path_factory.mktemp("npm"))
    if program is None:
        pytest.skip("npm, or a registry of its packages, is not to be had")
    with running(program) as ready:
        yield ready


@pytest.mark.faults
def test_an_editor_completes_keys_and_values(server: Server) -> None:
    path = ROOT / "configs" / "unsaved.yaml"
    uri = opened(server, path, f"{modeline(path)}\nname: x\nclean:\n  steps: [missing]\n  \nsplit:\n  kind: hash\n  ")
    assert {"max_dropped"} <= labels(server.ask("textDocument/completion", at(uri, 4, 2)))
    assert {"seed", "near_copies"} <= labels(server.ask("textDocument/completion", at(uri, 7, 2)))


@pytest.mark.faults
def test_an_editor_shows_what_a_key_means(server: Server) -> None:
    path = ROOT / "configs" / "hovered.yaml"
    uri = opened(server, path, f"{modeline(path)}\nname: x\nclean:\n  max_dropped: 0.2\n")
    shown = server.ask("textDocument/hover", at(uri, 3, 5))
    assert "Largest share of the rows that all steps together may drop" in shown["contents"]["value"].replace("\n", " ")


@pytest.mark.faults
def test_an_editor_finds_nothing_wrong_with_the_recipes_here_and_a_mistake_in_a_wrong_one(server: Server) -> None:
    for path in RECIPES:
        assert server.mistakes(opened(server, path, path.read_text(encoding="utf-8"))) == [], path.name
    wrong = (ROOT / "configs" / "sms_spam_gpt2.yaml").read_text(encoding="utf-8").replace("epochs:", "epoch:")
    assert any("epoch" in one for one in server.mistakes(opened(server, ROOT / "configs" / "wrong.yaml", wrong)))


def labels(found: Any) -> set[str]:
    """The keys that a completion offers."""
    items = found["items"] if isinstance(found, dict) else found
    return {item["label"] for item in items}


def test_no_two_classes_of_configs_have_one_name() -> None:
    """The docstrings of fields are found by the name of their class."""
    names = [name for name, _ in _classes()]
    assert len(names) > 100 and len(set(names)) == len(names)
