"""A recipe that was run, or a registered model -> its report as one HTML file; nothing is computed again."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from configs.schema import Recipe


@dataclass(frozen=True)
class Report:
    """The page, and what its file is called where nobody names one."""

    html: str
    name: str


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
    return Report(build_page(recipe.name, stages, text, registered), recipe.name)


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
    return Report(build_page(recipe, stages, text, registration(version)), name)


def default_place(report: Report) -> Path:
    """Where a report is written unless somebody names a file: reports/ below TEMPER_HOME."""
    from configs.settings import settings

    return settings().home.absolute() / "reports" / f"{report.name}.html"
