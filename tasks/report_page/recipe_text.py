"""The sections of a recipe as its stages had them -> the recipe as YAML, every value written out."""

from collections.abc import Mapping
from typing import Any

import yaml

from configs.stages import CACHED

from ..artifact import Artifact

REMARK = "# The recipe of this run, every value written out: temper run recipe.yaml\n"


def write_recipe(name: str, stages: Mapping[str, Artifact], last: Mapping[str, Any]) -> str:
    """The recipe of these artifacts; `last`: the sections behind them."""
    sections = {stage: stages[stage].manifest()["section"] for stage in CACHED if stage in stages} | dict(last)
    return REMARK + str(yaml.safe_dump({"name": name, **sections}, sort_keys=False, allow_unicode=True))
