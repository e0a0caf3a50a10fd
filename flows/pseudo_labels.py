"""pseudo_label: a recipe, texts without a label and registered models come in; rows that the recipe can add go out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from prefect import flow

from configs.literal import complete
from configs.pseudo_labels import PseudoLabels
from configs.schema import Recipe
from configs.sources import added_rows
from tasks.clean import clean
from tasks.download import download
from tasks.pseudo_labels import REPORT, pseudo_labels
from tasks.split import split
from tasks.validate import validate

from .hooks import watched
from .recipe_edits import with_values
from .teachers import require_fitted_apart

if TYPE_CHECKING:
    from tasks.kinds.pseudo_labelling import Labelled


class Written(TypedDict):
    """What an artifact of pseudo-labels holds, and its digest, which a recipe names."""

    artifact: str
    path: str
    report: "Labelled"


@flow(name="label", flow_run_name="{recipe.name}", persist_result=False, **watched())
def pseudo_label(recipe: Recipe, section: PseudoLabels) -> Written:
    """Label the rows of `section` that are unlike what the recipe holds out; those that are confident are kept.

    Raises StageError where a teacher was trained or chosen on rows that the recipe holds out, DataError where one has
    other labels, or no row is confident.
    """
    raw = download(recipe.download)
    checked = validate(recipe.validate, raw)
    rows = clean(recipe.clean, checked)
    splits = split(recipe.split, rows)
    require_fitted_apart(section.teachers, splits, "--teacher")
    given = pseudo_labels(section, splits)
    counts: Labelled = json.loads(given.file(REPORT).read_text(encoding="utf-8"))
    return {"artifact": given.digest, "path": str(given.path), "report": counts}


def added_to(recipe: Recipe, artifact: str) -> str:
    """The change of a recipe that adds the rows of an artifact to those that it adds already."""
    known = [complete(extra) for extra in added_rows(recipe.download) if extra.artifact != artifact]
    return f"download.extra={json.dumps([*known, {'kind': 'pseudo_labels', 'artifact': artifact}])}"


def apply(path: Path, recipe: Recipe, written: Written) -> str:
    """Write it into the recipe's file; what was done, for a person. Raises RecipeError."""
    counts = written["report"]
    with_values(path, [added_to(recipe, written["artifact"])], f"{counts['taken']:,} of {counts['rows']:,} rows")
    plural = "s" * (counts["taken"] != 1)
    return f"{path}: download.extra adds {counts['taken']:,} row{plural} for training"
