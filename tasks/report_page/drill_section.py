"""The last drill of a recipe (see flows/drill) -> which planted faults its pipeline catches, and by which gates."""

import time
from collections.abc import Mapping
from typing import Any

from .html_elements import Html, element, section, table


def show_drill(drill: Mapping[str, Any] | None) -> Html:
    """A line per fault; nothing where there was no drill."""
    if drill is None:
        return section("drill", "Drill", element("p", "No drill was run: ", element("code", "temper drill RECIPE")))
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(drill["at"]))
    sentence = (
        f"{when} UTC: of {drill['caught'] + drill['uncaught']} faults planted in a small copy of this pipeline "
        f"{drill['caught']} were caught; {drill['not applicable']} cannot occur in it."
    )
    names = ("fault", "outcome", "gate", "statement")
    lines = [[str(fault[name]) for name in names] for fault in drill["faults"]]
    return section("drill", "Drill", element("p", sentence), table(["fault", "", "gate", "what it states"], lines))
