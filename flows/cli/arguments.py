"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe, such as configs/reviews_demo.yaml.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes, as section.key=value.")]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name in the registry.")]
ModelVersion = Annotated[str, typer.Argument(metavar="MODEL", help="NAME (its champion), NAME@alias or NAME/version.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
