"""temper schema: the JSON Schema of recipes, for editors."""

import sys

from .failures import failures


def command() -> None:
    """Print the JSON Schema of recipes, by which editors complete and explain their keys.

    Recipes in configs/ and those that `temper init` writes name it in their first line, which editors with a YAML
    language server read (VS Code: the extension YAML). It knows keys, types, defaults and explanations; what keys ask
    of one another `temper plan RECIPE` checks.
    """
    with failures():
        from configs.recipe_schema import schema_text

        sys.stdout.write(schema_text())
