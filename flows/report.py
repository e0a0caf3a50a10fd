"""A recipe that was run, or a registered model -> its report as one HTML file; nothing is computed again."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from configs.schema import Recipe


@dataclass(frozen=True)
class Report:
    """The page, and what its file is called where nobody names one."""

    html: str
    name: str


RECIPES = (".yaml", ".yml")


def write_report(what: str, changes: Sequence[str], out: Path | None) -> Path:
    """Write the page of a recipe's file, with changes as section.key=value, or of a registered model; where it lies,
    without `out` below TEMPER_HOME.

    Raises RecipeError, also for a file that is no HTML, and StageError.
    """
    from configs.load import RecipeError

    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise RecipeError(f"{out}: the page is HTML; give a name that ends in .html")
    report = _report_of(what, changes)
    place = (out.expanduser() if out else default_place(report)).absolute()
    if out is None:
        place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(report.html, encoding="utf-8")
    return place


def _report_of(what: str, changes: Sequence[str]) -> Report:
    from configs.load import RecipeError, load_recipe

    if what.endswith(RECIPES) or Path(what).is_file():
        return report_of_recipe(load_recipe(Path(what), changes), shlex.join(["temper", "run", what, *changes]))
    if changes:
        raise RecipeError(f"{what} is a model's name; leave {changes[0]} out, or give the recipe's file")
    return report_of_model(what)


def report_of_recipe(recipe: "Recipe", again: str) -> Report:
    """The report of a recipe's cached stages and of the version that was registered of them.

    Raises StageError, naming the command `again`, where a stage is not cached.
    """
    from configs.literal import complete
    from tasks.report_page.page import build_page
    from tasks.report_page.recipe_text import write_recipe
    from tasks.tracking.report_pages import find_registration

    from .row_inspection import require_cached

    stages = require_cached(recipe, "evaluate", again)
    registered = find_registration(recipe.register.model, stages["train"].digest)
    text = write_recipe(recipe.name, stages, {"register": complete(recipe.register)})
    drill = last_drill(recipe.name)
    return Report(build_page(recipe.name, stages, text, registered, drill=drill), recipe.name)


def report_of_model(model: str) -> Report:
    """The report of a version: from its artifacts where they are on this machine, else as it was registered.

    Raises StageError where neither is there.
    """
    from tasks.report_page.page import build_page
    from tasks.tracking.report_pages import find_version, kept_artifacts, kept_page, kept_recipe, registration

    version = find_version(model)
    name = f"{version.name}-{version.version}"
    stages = kept_artifacts(version)
    if stages is None:
        return Report(kept_page(version), name)
    recipe, text = kept_recipe(version)
    return Report(build_page(recipe, stages, text, registration(version), drill=last_drill(recipe)), name)


def last_drill(recipe: str) -> Mapping[str, Any] | None:
    """The document of a recipe's last drill; None where there is none that can be read."""
    try:
        drill: Mapping[str, Any] = json.loads(drill_place(recipe).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return drill


def drill_place(recipe: str) -> Path:
    """Where a recipe's last drill is kept."""
    return reports_folder() / f"{recipe}.drill.json"


def default_place(report: Report) -> Path:
    """Where a report is written unless somebody names a file."""
    return reports_folder() / f"{report.name}.html"


def reports_folder() -> Path:
    """reports/ below TEMPER_HOME."""
    from configs.settings import settings

    return settings().home.absolute() / "reports"
