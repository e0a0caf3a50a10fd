"""The door for notebooks: results that show themselves, and recipes of frames; test_tutorials.py executes its
tutorial."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from html_reader import read
from test_escape import LABEL, TEXT

from configs.load import RecipeError, load_recipe
from flows.notebook import Result, report, starter_recipe
from tasks.artifact import Version

FACTS: dict[str, Any] = {
    "shown": ["accuracy"],
    "scores": {"accuracy": 0.5},
    "intervals": {"accuracy": [0.4, 0.6]},
    "rows": 1200,
    "baselines": {},
    "confidence": 0.95,
}


def test_a_result_shows_score_verdict_drops_and_links_and_nothing_in_them_acts() -> None:
    links = {"run": "http://127.0.0.1:5000/#/run", "version": "javascript:alert(1)"}
    version = Version("m", "3", ("champion", LABEL), TEXT, "r", {"accuracy": 0.5}, FACTS, 1, links=links)
    result = Result("m", version, {"download": "cached"}, {LABEL: 1200, "missing text": 1})
    reader = read(result._repr_html_())
    assert "m version 3 @champion" in reader.shown and "accuracy 0.5000 [0.4000, 0.6000]" in reader.shown
    assert "1,200 <script>alert(1)</script>" in reader.shown and "1 missing text" in reader.shown
    assert [value for name, value in reader.attributes if name == "href"] == ["http://127.0.0.1:5000/#/run"]
    assert "download cached" in reader.shown and "load_model('models:/m/3')" in reader.shown
    assert repr(result).startswith("m version 3: accuracy 0.5000 [0.4000, 0.6000] on 1,200 test rows; ")
    assert (result.scores, result.uri) == ({"accuracy": 0.5}, "models:/m/3")


def test_a_frame_becomes_a_recipe_that_loads_and_no_file_is_written_over(tmp_path: Path) -> None:
    words = ["good value", "works well", "broken", "never again"]
    frame = pd.DataFrame({"review": [f"{words[n % 4]} {n}" for n in range(80)],
                          "stars": [("five", "one")[n % 4 // 2] for n in range(80)]}, index=range(7, 87))  # fmt: skip
    path = starter_recipe(frame, tmp_path / "deep" / "boxes.yaml", label="stars")
    loaded: Any = load_recipe(path)
    assert (loaded.name, loaded.download.columns.label) == ("boxes", "stars")
    assert pd.read_parquet(path.with_suffix(".parquet")).equals(frame.reset_index(drop=True))
    with pytest.raises(RecipeError, match=r"boxes\.parquet exists and stays as it is"):
        starter_recipe(frame, path)
    path.with_suffix(".parquet").unlink()
    with pytest.raises(RecipeError, match=r"boxes\.yaml exists and stays as it is"):
        starter_recipe(frame, path)


def test_the_report_of_a_model_takes_no_changes() -> None:
    with pytest.raises(RecipeError, match=r"leave train\.epochs=2 out"):
        report("a-model", "train.epochs=2")
