"""Scores that were renamed: their earlier names are read in recipes and in the tags of registered versions."""

import json
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from configs.load import RecipeError, load_recipe
from configs.scores import RENAMED, present_scores
from tasks.kinds import outcomes
from tasks.kinds.dialogue.metrics import Turn, turn_statistics
from tasks.tracking.wire_format import PREDICTIONS, SCORE

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "configs" / "hotel_demo.yaml"
ARCHIVE = Path(__file__).parent / "registered" / "models.tar.xz"


@pytest.mark.parametrize(("earlier", "present"), list(RENAMED.items()))
def test_a_recipe_with_an_earlier_name_is_the_recipe_with_the_present_one(earlier: str, present: str) -> None:
    before, now = (
        load_recipe(DEMO, [f"register.metric={name}", f"register.thresholds={{{name}: 0.2}}"]).register
        for name in (earlier, present)
    )
    assert before == now and now.metric == present and now.thresholds == {present: 0.2}


def test_a_threshold_under_both_names_is_refused() -> None:
    with pytest.raises(RecipeError, match="slot_f1 is the earlier name of argument_f1; leave it out"):
        load_recipe(DEMO, ["register.thresholds={slot_f1: 0.2, argument_f1: 0.3}"])


def test_the_names_are_those_of_scores_that_turns_have() -> None:
    call = {"function": {"name": "departures", "arguments": {"from": "Ghent"}}}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    turns = [Turn("a", 1, message, message, True)]
    for earlier, present in RENAMED.items():
        assert turn_statistics(turns, present) is not None and turn_statistics(turns, earlier) is None


def unpack(folder: Path) -> Path:
    """The files of the dialogue model that an earlier Temper registered."""
    with tarfile.open(ARCHIVE) as file:
        kept = [one for one in file if one.name.startswith(("dialogue/version.json", "dialogue/run"))]
        file.extractall(folder, kept, filter="data")
    return folder / "dialogue"


def test_its_predictions_are_compared_by_either_score(tmp_path: Path) -> None:
    (path,) = (unpack(tmp_path) / "run" / PREDICTIONS).glob("*.parquet")
    table = pd.read_parquet(path)
    for present in RENAMED.values():
        assert outcomes.outcomes(table, "dialogue", present, []).statistics.shape[0] == len(table) > 0


def test_the_tags_of_a_version_registered_before_are_read_under_the_present_names(tmp_path: Path) -> None:
    unpack(tmp_path)
    tags = json.loads((tmp_path / "dialogue" / "version.json").read_text(encoding="utf-8"))["tags"]
    kept = [(tag.removeprefix(SCORE), float(value)) for tag, value in tags.items() if tag.startswith(SCORE)]
    assert {"slot_f1", "search_exact"} & {name for name, _ in kept}
    scores = present_scores(kept)
    assert not {*RENAMED} & {*scores} and len(scores) == len(kept)
    assert present_scores([("slot_f1", 0.1), ("loss", 2.0), ("argument_f1", 0.3)]) == {"argument_f1": 0.3, "loss": 2.0}
