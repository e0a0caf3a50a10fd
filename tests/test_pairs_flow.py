"""Pairs of texts from a recipe to the registry and back: every stage and command, by an embedded-size set."""

import json
import random
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from tiny import run

from configs.load import RecipeError, load_recipe
from flows.cli import inspect, mask, predict, trace
from flows.cli.serve import curl
from flows.model_inputs import one_content, open_model, open_model_for, open_questions
from flows.starter_recipe import prepare
from tasks.store.events import Event
from tasks.tracking.models import connect
from tasks.tracking.named import find_named, read_packed
from tasks.tracking.rescoring import rescore

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
THINGS = ("plane", "train", "bus", "ship", "taxi", "tram")
RECIPE = """
name: paired
download:
  kind: file
  path: rows.csv
  columns: {text: premise, text_pair: hypothesis, label: label}
validate: {min_rows: 20, max_missing: 0.1}
split: {kind: hash, near_copies: report}
encode: {kind: classifier, tokenizer: {kind: train, vocab_size: 400}, max_length: 24}
train:
  model:
    kind: new
    family: bert
    config: {hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 24}
  learning_rate: 1e-2
  epochs: 1
  eval_steps: 10
  metric: loss
evaluate: {bootstrap: 100, order_symmetry: true}
register: {model: paired}
"""


def table(folder: Path) -> pd.DataFrame:
    """Premises, each with a hypothesis that says the same or not; of some rows one of both is missing."""
    draw = random.Random(0)
    rows = []
    for number in range(150):
        thing = draw.choice(THINGS)
        other = thing if number % 2 else draw.choice([one for one in THINGS if one != thing])
        rows.append((f"on day {number // 2} the {thing} was late", f"a {other} came {number} minutes late",
                     "yes" if number % 2 else "no"))  # fmt: skip
    found = pd.DataFrame(rows, columns=["premise", "hypothesis", "label"])
    found.loc[[3, 4], "hypothesis"] = None
    found.loc[5, "premise"] = " "
    found.to_csv(folder / "rows.csv", index=False)
    return found


@pytest.mark.long
def test_a_pair_goes_through_every_stage_and_command(
    harness: None, heard: list[Event], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table(tmp_path / "data")
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    version, states = run(load_recipe(path), heard)
    assert set(states.values()) == {"run"} and version.aliases == ("champion",)
    assert version.report["pairs"] and 0 <= version.report["order_symmetry"]["same_label"] <= 1
    _trace_and_mask(path, capsys)
    _predict(tmp_path, rows, capsys)
    _load(rows)
    starter, _ = prepare(tmp_path / "data" / "rows.csv", tmp_path / "new.yaml", None)
    (tmp_path / "new.yaml").write_text(starter.text(), encoding="utf-8")
    columns: Any = load_recipe(tmp_path / "new.yaml").download
    assert (columns.columns.text, columns.columns.text_pair) == ("premise", "hypothesis")
    assert load_recipe(tmp_path / "new.yaml").encode.kind == "classifier" and "text_pair" in starter.seen()


def _trace_and_mask(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    ways = []
    for number in ("4", "6", "10"):
        trace.command(path, number, [], True)
        ways.append(json.loads(capsys.readouterr().out))
    assert [way["end"].get("reason") for way in ways] == ["missing text_pair", "missing text", None]
    assert ways[2]["clean"]["text_pair"].startswith("a ") and ways[2]["answer"]["predicted"] in ("yes", "no")
    assert ways[2]["encode"]["tokens"].count("[SEP]") == 2
    mask.command(path, [])
    shown = capsys.readouterr().out
    assert "[SEP]" in shown and "certificate holds" in " ".join(shown.split())
    inspect.command(path, ["10"], as_json=True)
    looked = json.loads(capsys.readouterr().out)
    assert set(looked["probabilities"]) == {"yes", "no"} and Path(looked["picture"]).stat().st_size > 1000


def _predict(folder: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    predict.command("paired", "the bus was late", pair="a tram came late")
    assert "yes" in capsys.readouterr().out
    with pytest.raises(RecipeError, match="paired takes pairs of texts; give the second one with --pair"):
        one_content(open_model("paired", "text")[1], "the bus was late", None, "paired")
    whole = rows[rows.notna().all(axis=1) & (rows["premise"] != " ")].rename(columns={"premise": "text"})
    whole.to_csv(folder / "asked.csv", index=False)
    predict.command("paired", str(folder / "asked.csv"), pair="hypothesis", output=folder / "told.csv")
    told = pd.read_csv(folder / "told.csv")
    assert len(told) == len(whole) and {"predicted label", "probability of yes"} <= {*told}
    with pytest.raises(RecipeError, match=r"no column 'text_pair' among .*; name that of the second texts with --pair"):
        open_model_for("paired", open_questions(folder / "asked.csv", None), None)


def _load(rows: pd.DataFrame) -> None:
    """As anybody loads it: a table, objects, and what is refused; and the request that `temper serve` shows."""
    connect()
    model = mlflow.pyfunc.load_model("models:/paired@champion")
    assert model.metadata.signature.inputs.input_names() == ["text", "text_pair"]
    given = [
        {"text": a, "text_pair": b} for a, b in zip(rows["premise"][10:13], rows["hypothesis"][10:13], strict=True)
    ]
    assert model.predict(given).equals(model.predict(pd.DataFrame(given)))
    for odd in ([{"text": "alone"}], [{"text": "a", "text_pair": None}]):
        with pytest.raises(Exception, match="text_pair"):
            model.predict(odd)
    asked = pd.DataFrame({"id": ["a", "b", "c"], "content": given})
    again = rescore("models:/paired/1", "classifier", asked, {"batch_size": 8})
    assert again["predicted"].tolist() == model.predict(given)["label"].tolist()
    packed = read_packed(find_named("paired"))
    assert '"text_pair"' in curl(packed.example, 1)


@pytest.mark.parametrize("drop", [True, False])
def test_a_side_missing_behind_cleaning_is_a_named_error(tmp_path: Path, drop: bool) -> None:
    from flows.stage_graph import perform_until
    from tasks.data.errors import DataError

    table(tmp_path / "data")
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    steps = "clean.steps=[missing]" if drop else "clean.steps=[duplicates]"
    loaded = load_recipe(tmp_path / "recipe.yaml", [steps])
    if drop:
        ledger = pd.read_parquet(perform_until(loaded, "clean")["clean"].result.file("ledger.parquet"))
        counts = ledger["reason"].value_counts()
        assert (counts["missing text_pair"], counts["missing text"]) == (2, 1)
    else:
        with pytest.raises(DataError, match="leaves 1 of 150 rows without a text"):
            perform_until(loaded, "clean")
