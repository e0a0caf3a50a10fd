"""A recipe's artifacts, its text and its registration -> the whole page: one file that needs nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs.stages import CACHED

from ..artifact import Artifact
from .data_sections import show_data, show_splits
from .decision_sections import show_decision, show_lineage, show_reproduction
from .drill_section import show_drill
from .html_elements import Html, element, join
from .mask_section import show_masks
from .registration import Registration
from .result_sections import headline, read_facts, show_results, show_training

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser may do for the page: no script, and nothing from elsewhere."""
PARTS = {
    "results": "Results",
    "decision": "Decision",
    "data": "Data",
    "splits": "Splits",
    "masks": "Masks",
    "training": "Training",
    "drill": "Drill",
    "lineage": "Lineage",
    "reproduce": "Reproduce",
}


def build_page(
    recipe: str,
    stages: Mapping[str, Artifact],
    recipe_text: str,
    registered: Registration | None = None,
    *,
    drill: Mapping[str, Any] | None = None,
) -> Html:
    """The page of a recipe (its name), from the artifacts of its stages up to `evaluate`; nothing is computed again.

    drill: the document of its last drill.
    """
    stages = {name: stages[name] for name in CACHED}
    sections = [
        show_results(stages["evaluate"]),
        show_decision(registered),
        show_data(stages),
        show_splits(stages),
        show_masks(stages["encode"]),
        show_training(stages["train"]),
        show_drill(drill),
        show_lineage(stages),
        show_reproduction(recipe_text, registered),
    ]
    title = recipe if registered is None else f"{registered.name} version {registered.version}"
    links = [element("a", name, href=f"#{part}") for part, name in PARTS.items()]
    top = element(
        "header",
        element("p", "Temper report", class_="kicker"),
        element("h1", title),
        element("p", headline(read_facts(stages["evaluate"])), class_="headline"),
        element("p", f"from the recipe {recipe}" + (f": {registered.verdict}" if registered else ""), class_="remark"),
        element("nav", *links),
    )
    body = element("body", top, element("main", *sections))
    style = Html((Path(__file__).parent / "page.css").read_text(encoding="utf-8"))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{title}: report"),
        element("style", style),
    )
    return join([Html("<!doctype html>\n"), element("html", head, body, lang="en"), Html("\n")])
