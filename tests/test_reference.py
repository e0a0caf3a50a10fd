"""The reference in docs/reference/ is what the code says now, and lacks no key, command, setting or tag."""

import re
import sys

import pytest
from conftest import ROOT

from configs.recipe_schema import recipe_schema
from configs.settings import Settings
from flows.cli import COMMANDS
from tasks.tracking import wire_format

sys.path.insert(0, str(ROOT / "docs"))

import build_reference


@pytest.mark.parametrize("name", ["recipe.md", "commands.md", "settings.md"])
def test_what_is_committed_is_what_the_code_says(name: str) -> None:
    written = (build_reference.FOLDER / name).read_text(encoding="utf-8")
    assert written == build_reference.pages()[name], "run `make docs`"


def test_every_key_of_every_section_stands_on_the_page() -> None:
    page = build_reference.recipe_page()
    for definition in recipe_schema()["$defs"].values():
        if isinstance(definition.get("properties"), dict):
            assert build_reference._table(recipe_schema(), definition) in page


def test_every_command_setting_and_tag_stands_on_its_page() -> None:
    commands, settings = build_reference.commands_page(), build_reference.settings_page()
    assert [name for name in COMMANDS if f"## `temper {name}`" not in commands] == []
    named = {name: field.validation_alias or f"TEMPER_{name.upper()}" for name, field in Settings.model_fields.items()}
    assert [name for name in named.values() if f"| `{name}` |" not in settings] == []
    tags = [value for value in vars(wire_format).values() if isinstance(value, str) and value.startswith("temper.")]
    assert tags
    assert [tag for tag in tags if f"`{tag}" not in settings] == []


def test_no_row_lacks_its_meaning() -> None:
    for text in build_reference.pages().values():
        assert re.findall(r"^\|.*\|\s*\|$", text, re.M) == []
