"""Several labels from a recipe to the registry and back: every stage and command, by an embedded-size set."""

import json
import random
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from tiny import run

from configs.load import load_recipe
from flows.cli import data, mask, predict, trace
from flows.starter_recipe import prepare
from tasks.store.events import Event
from tasks.tracking.models import connect
from tasks.tracking.rescoring import rescore
from tasks.tracking.wire_format import VERDICT

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
MARKS = ("cold", "late", "loud")
RECIPE = """
name: marks
download: {kind: file, path: rows.jsonl, columns: {labels: marks}}
validate: {min_rows: 20, labels: [late, cold, loud]}
split: {kind: hash, exact: true, train: 0.6, validation: 0.2, test: 0.2, near_copies: keep}
encode: {kind: multi_label, tokenizer: {kind: train, vocab_size: 400}, max_length: 24, thresholds: per_label}
train:
  model:
    kind: new
    family: bert
    config: {hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32}
  learning_rate: 1e-2
  epochs: 4
  batch_size: 16
  eval_steps: 20
  class_weights: balanced
  metric: loss
evaluate: {bootstrap: 100}
register: {model: marks, metric: micro_f1}
"""


def table(folder: Path) -> pd.DataFrame:
    """Reports that name what was amiss: none, some or all of three."""
    draw = random.Random(0)
    rows = []
    for number in range(240):
        marks = [mark for mark in MARKS if draw.random() < 0.4]
        rows.append({"text": f"train {number} was {' and '.join(marks) or 'fine'}", "marks": marks})
    rows[3]["text"] = None
    written = pd.DataFrame(rows)
    written.to_json(folder / "rows.jsonl", orient="records", lines=True)
    return written


@pytest.mark.long
def test_rows_of_several_labels_go_through_every_stage_and_command(
    harness: None, heard: list[Event], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table(tmp_path / "data")
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    version, states = run(load_recipe(path), heard)
    assert set(states.values()) == {"run"} and version.aliases == ("champion",)
    scores, baselines = version.report["scores"], version.report["baselines"]
    assert {*baselines} == {"majority", "tfidf"} and scores["micro_f1"] > baselines["majority"]["micro_f1"]
    assert [one["label"] for one in version.report["per_label"]] == ["late", "cold", "loud"]
    assert 0 < min(version.report["thresholds"].values()) <= max(version.report["thresholds"].values()) < 1
    _show(path, capsys)
    _predict(tmp_path, rows, capsys)
    _load(rows)
    again, _ = run(load_recipe(path, ["train.seed=7"]), heard)
    assert again.version == "2" and again.report["scores"].keys() == scores.keys()
    tags = mlflow.MlflowClient().get_model_version("marks", "2").tags
    assert "micro_f1" in tags[VERDICT] and f"of version 1 on {again.report['rows']} rows" in tags[VERDICT]


def _show(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    trace.command(path, "4", [], True)
    assert json.loads(capsys.readouterr().out)["end"]["reason"] == "missing text"
    trace.command(path, "10", [], True)
    way = json.loads(capsys.readouterr().out)
    assert {"probability of late", "probability of loud"} <= {*way["answer"]["told"]}
    assert {*json.loads(way["raw"]["labels"])} <= {*MARKS}
    mask.command(path, [])
    assert "certificate holds" in " ".join(capsys.readouterr().out.split())
    data.command(path, as_json=True)
    labels = {line["label"] for line in json.loads(capsys.readouterr().out)["labels"]}
    assert labels == {*MARKS, "(no label)"}


def _predict(folder: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    predict.command("marks", "train 900 was late and cold")
    shown = capsys.readouterr().out
    assert shown.splitlines()[0].startswith("[") and "late" in shown and "probability" not in shown
    rows[["text"]].dropna().to_csv(folder / "asked.csv", index=False)
    predict.command("marks", str(folder / "asked.csv"), output=folder / "predicted.csv")
    written = pd.read_csv(folder / "predicted.csv")
    assert len(written) == len(rows) - 1 and {"labels", "probability of cold"} <= {*written}
    assert {mark for one in written["labels"] for mark in json.loads(one)} <= {*MARKS}


def _load(rows: pd.DataFrame) -> None:
    """As anybody loads it: the signature names each column, and a score again is the same."""
    connect()
    model = mlflow.pyfunc.load_model("models:/marks@champion")
    names = ["labels", *(f"probability of {mark}" for mark in ("late", "cold", "loud"))]
    assert model.metadata.signature.outputs.input_names() == names
    texts = rows["text"].dropna().tolist()[:5]
    table = model.predict(texts)
    assert [*table] == names
    asked = pd.DataFrame({"id": list("abcde"), "content": texts})
    again = rescore("models:/marks/1", "multi_label", asked, {"batch_size": 8})
    assert again["predicted"].tolist() == table["labels"].tolist()


@pytest.mark.parametrize("form", ["lists", "texts", "columns"])
def test_a_starter_recipe_reads_each_form(tmp_path: Path, form: str) -> None:
    rows = table(tmp_path)
    path = tmp_path / "rows.csv"
    if form == "lists":
        rows.rename(columns={"marks": "labels"}).to_csv(path, index=False)
    elif form == "texts":
        rows.assign(labels=rows["marks"].map("; ".join)).drop(columns="marks").to_csv(path, index=False)
    else:
        switches = {mark: rows["marks"].map(lambda marks, mark=mark: int(mark in marks)) for mark in MARKS}
        rows.drop(columns="marks").assign(**switches).to_csv(path, index=False)
    starter, _ = prepare(path, tmp_path / "new.yaml", None if form == "lists" else "multi_label")
    (tmp_path / "new.yaml").write_text(starter.text(), encoding="utf-8")
    loaded = load_recipe(tmp_path / "new.yaml")
    assert loaded.encode.kind == "multi_label" and loaded.validate.labels == MARKS
    given = getattr(loaded.download, "columns", None)
    assert given.text == "text" and given.label_separator == (";" if form == "texts" else None)
    assert given.labels == (MARKS if form == "columns" else "labels") and "labels" in starter.seen()
