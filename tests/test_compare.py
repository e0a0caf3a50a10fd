"""temper compare: the starts of a recipe, what is refused, and the flow from recipes to verdict, MLflow and Prefect."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from tiny import ROOT, STAGES, TINY

from configs.load import RecipeError, load_recipe
from configs.models import LocalModel, NewModel
from flows.cli import compare
from flows.initializations import overrides, starting
from flows.variants import read_variants
from tasks.artifact import StageError
from tasks.data.errors import DataError
from tasks.store.events import Event

RECIPE = str(ROOT / "configs" / "reviews_demo.yaml")
DIGITS = str(ROOT / "configs" / "digits_demo.yaml")
QUICK = [*TINY, "evaluate.baselines=[majority]"]
GPT2 = {"n_layer": 1, "n_head": 2, "n_embd": 16, "n_positions": 64, "vocab_size": 500}
BERT = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 24, "vocab_size": 500}
TRAIN = {"epochs": 3, "phases": []}
HEAD = {
    "trainable": "head",
    "freeze": [],
    "epochs": 2,
    "learning_rate": 1e-2,
    "pretrained_rate": 0.1,
    "rates": {},
    "optimizer": None,
}
ALL = HEAD | {"trainable": {"first": None, "last": 2}, "freeze": ["bn1"], "epochs": 5, "learning_rate": 3e-3}


def variants(*words: str, starts: str | None = None) -> Any:
    return read_variants(list(words), QUICK, starts)[1]


@pytest.mark.parametrize(
    ("start", "train", "expected"),
    [
        ("pretrained", {**TRAIN, "model": {"kind": "files", "path": "bert"}}, []),
        ("scratch", {**TRAIN, "model": {"kind": "files", "path": "bert"}}, ['train.model={"kind": "new"}']),
        (
            "head",
            {**TRAIN, "model": {"kind": "files", "path": "bert"}},
            ['train.phases=[{"trainable": "head", "epochs": 3}]', "train.epochs=1"],
        ),
        (
            "scratch",
            {**TRAIN, "model": {"kind": "torchvision", "weights": "DEFAULT", "file": None}},
            ["train.model.weights=none"],
        ),
        (
            "scratch",
            {**TRAIN, "model": {"kind": "cifar_resnet", "weights": "none", "file": "a.th"}},
            ["train.model.file=null"],
        ),
        (
            "scratch",
            {**TRAIN, "model": {"kind": "cifar_resnet", "file": "a.th", "partial": True}},
            ["train.model.file=null", "train.model.partial=false"],
        ),
        (
            "scratch",
            {"epochs": 1, "phases": [HEAD, ALL], "model": {"kind": "cifar_resnet", "file": "a.th"}},
            ["train.model.file=null", 'train.phases=[{"trainable": "all", "epochs": 7, "learning_rate": 0.003}]'],
        ),
        (
            "head",
            {"epochs": 1, "phases": [HEAD, ALL], "model": {"kind": "cifar_resnet", "file": "a.th"}},
            ['train.phases=[{"trainable": "head", "epochs": 7, "learning_rate": 0.01}]', "train.epochs=1"],
        ),
    ],
)
def test_starts_are_plain_overrides(start: str, train: dict[str, Any], expected: list[str]) -> None:
    new = {"kind": "new"} if start == "scratch" and train["model"]["kind"] == "files" else None
    assert overrides(start, train, new) == expected


def local_model(folder: Path, family: str, config: dict[str, Any]) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

    auto = AutoModelForCausalLM if family == "gpt2" else AutoModelForMaskedLM
    model = auto.from_config(AutoConfig.for_model(family, **config))
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize(("family", "config"), [("gpt2", GPT2), ("bert", BERT)])
def test_scratch_is_the_same_net(tmp_path: Path, family: str, config: dict[str, Any]) -> None:
    from transformers import AutoConfig

    from tasks.text.scratch import new_model

    old = local_model(tmp_path / "data" / "start", family, config).config.to_dict()
    stated = new_model(LocalModel(kind="files", path="start"))
    NewModel(**stated)
    again = AutoConfig.for_model(stated["family"], **stated["config"]).to_dict()
    own = ("architectures", "dtype", "transformers_version", "_name_or_path")
    assert {k: v for k, v in again.items() if k not in own} == {k: v for k, v in old.items() if k not in own}


def test_a_registered_model_is_a_pretrained_start(tmp_path: Path) -> None:
    given = load_recipe(ROOT / "configs" / "airline_tweets_bert.yaml", ["train.model={kind: registered, name: tweets}"])
    assert starting(given, "pretrained") == []
    assert starting(given, "head")[-1] == "train.epochs=1"
    with pytest.raises(StageError, match="the registered model tweets champion cannot be had"):
        starting(given, "scratch")  # its config would say what the same net is


def test_scratch_refuses_what_a_recipe_cannot_say(tmp_path: Path) -> None:
    from tasks.text.scratch import new_model

    folder = tmp_path / "data" / "start"
    folder.mkdir()
    source = LocalModel(kind="files", path="start")
    with pytest.raises(DataError, match=r"start: no config\.json"):
        new_model(source)
    folder.joinpath("config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"start: no config\.json"):
        new_model(source)
    config = {"model_type": "gpt2", "task_specific_params": {"x": 1}, "summary_activation": "tanh"}
    folder.joinpath("config.json").write_text(json.dumps(config), encoding="utf-8")
    assert new_model(source)["config"] == {"summary_activation": "tanh", "vocab_size": 50257}
    folder.joinpath("config.json").write_text(
        json.dumps({"model_type": "longformer", "attention_window": [64] * 2}), encoding="utf-8"
    )
    with pytest.raises(DataError, match=r"attention_window.*leave `scratch` out"):
        new_model(source)


@pytest.mark.parametrize(
    ("words", "starts", "message"),
    [
        ([RECIPE], None, "nothing to compare"),
        ([RECIPE, RECIPE], None, "same training"),
        ([RECIPE, RECIPE, "register.model=other"], None, "same training"),
        (["train.epochs=2", RECIPE, RECIPE], None, "before any recipe"),
        ([RECIPE, "absent.yaml"], None, "no such recipe"),
        ([RECIPE, RECIPE, "train.epoch=2"], None, "did you mean `epochs`"),
        ([RECIPE, RECIPE], "pretrained,scratch", "give one"),
        ([RECIPE], "pretrained,warm", "'warm' is no start"),
        ([RECIPE], "pretrained", "two or more"),
        ([RECIPE], "scratch,scratch", "each once"),
        ([RECIPE], "pretrained,scratch", "starts from new weights"),
        ([RECIPE, "train.model={kind: files, path: x}"], "pretrained,head", "no head of its own"),
    ],
)
def test_what_cannot_be_compared_ends_with_code_2(
    words: list[str], starts: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        compare.command(words, starts, 2, QUICK)
    assert ended.value.exit_code == 2
    said = capsys.readouterr()
    assert message in said.err.replace("\n", " ")
    assert said.out == ""


def test_changes_belong_to_the_recipe_before_them() -> None:
    first, second = variants(RECIPE, RECIPE, "train.learning_rate=5e-4")
    assert (first.name, second.name) == ("reviews_demo", "reviews_demo train.learning_rate=5e-4")
    assert (first.recipe.train.learning_rate, second.recipe.train.learning_rate) == (1e-3, 5e-4)
    assert {one.recipe.train.epochs for one in (first, second)} == {1}, "--set changes both"


def test_recipes_of_one_name_are_told_apart(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(Path(RECIPE).read_text(encoding="utf-8").replace("{n_layer: 2", "{n_layer: 1"), encoding="utf-8")
    named = read_variants([RECIPE, "train.seed=1", str(other), "train.seed=1"], ["train.clip=2"], None)
    with pytest.raises(RecipeError, match="same training"):
        read_variants([RECIPE, str(other)], QUICK, None)
    assert [variant.name for variant in named[1]] == ["reviews_demo train.seed=1 (1)", "reviews_demo train.seed=1 (2)"]


def run(found: Any, seeds: int = 2, first_is_new: bool = False) -> dict[str, Any]:
    from flows.compare import compare as flow

    result: dict[str, Any] = flow("compare-test", found, seeds, first_is_new)
    return result


@pytest.mark.faults
def test_two_rates_from_recipes_to_verdict(harness: None, heard: list[Event]) -> None:
    """Four trainings, then none; one parent run in MLflow with four children; nothing registered."""
    from tasks.tracking.runs import client

    found = run(variants(RECIPE, RECIPE, "train.learning_rate=1e-6"))
    assert (found["trained"], found["cached"]) == (4, 0)
    assert any("2 recipes x 2 seeds = 4 trainings: 0 cached, 4 to do" in event.text for event in heard)
    assert [[t["seed"] for t in one["trainings"]] for one in found["recipes"]] == [[42, 43], [42, 43]]
    (pair,) = found["pairs"]
    assert (pair["recipe"], pair["against"]) == ("reviews_demo train.learning_rate=1e-6", "reviews_demo")
    means = [one["accuracy"]["mean"] for one in found["recipes"]]
    assert pair["difference"]["mean"] == pytest.approx(means[1] - means[0])
    each = [training["accuracy"] for training in found["recipes"][0]["trainings"]]
    assert means[0] == pytest.approx(sum(each) / 2)

    again = run(variants(RECIPE, RECIPE, "train.learning_rate=1e-6"))
    assert (again["trained"], again["cached"], again["mlflow_run_id"]) == (0, 4, found["mlflow_run_id"])
    assert again["pairs"] == found["pairs"]

    api = client()
    parent = api.get_run(found["mlflow_run_id"])
    assert {item.path for item in api.list_artifacts(parent.info.run_id)} == {
        "summary.md",
        "comparison.png",
        "comparison.json",
        "trainings.json",
    }
    assert parent.data.metrics["test.accuracy.reviews_demo"] == pytest.approx(means[0])
    assert pair["verdict"] in parent.data.tags.values()
    children = [t["mlflow_run_id"] for one in found["recipes"] for t in one["trainings"]]
    assert len(set(children)) == 4
    for child, value in zip(
        children, [t["accuracy"] for one in found["recipes"] for t in one["trainings"]], strict=True
    ):
        data = api.get_run(child).data
        assert data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert data.metrics["test.accuracy"] == pytest.approx(value)
        assert api.get_experiment(api.get_run(child).info.experiment_id).name == "reviews_demo"
    assert data.metrics["test.evaluations"] == 4
    assert api.search_registered_models() == []


@pytest.mark.faults
def test_prefect_shows_the_trainings_and_the_report(harness: None, heard: list[Event]) -> None:
    from prefect.client.orchestration import get_client

    run(variants(RECIPE, RECIPE, "train.learning_rate=1e-6"))
    with get_client(sync_client=True) as api:
        names = [flow.name for flow in api.read_flow_runs()]
        pages = [str(one.data) for one in api.read_artifacts(limit=200) if one.key == "compare-summary"]
    assert {"compare-test", "reviews_demo seed 42", "reviews_demo train.learning_rate=1e-6 seed 43"} <= set(names)
    assert "| recipe | against | difference |" in pages[-1]
    assert "data:image/png;base64" in pages[-1]


@pytest.mark.long
def test_a_training_has_one_parent(harness: None, heard: list[Event]) -> None:
    """The second comparison lists the trainings that belong to the first, and leaves them there."""
    from tasks.tracking.runs import client

    first = run(variants(RECIPE, RECIPE, "train.learning_rate=1e-6"))
    second = run(variants(RECIPE, RECIPE, "train.learning_rate=2e-6"))
    assert second["cached"] == 2
    shared = second["recipes"][0]["trainings"][0]["mlflow_run_id"]
    assert client().get_run(shared).data.tags["mlflow.parentRunId"] == first["mlflow_run_id"]
    assert second["mlflow_run_id"] != first["mlflow_run_id"]


@pytest.mark.long
def test_starts_of_a_pretrained_text_model(harness: None, heard: list[Event], tmp_path: Path) -> None:
    local_model(tmp_path / "data" / "start", "gpt2", GPT2)
    found = run(variants(RECIPE, "train.model={kind: files, path: start}", starts="pretrained,scratch"), 2, True)
    assert [one["name"] for one in found["recipes"]] == ["pretrained", "scratch"]
    assert (found["pairs"][0]["recipe"], found["pairs"][0]["against"]) == ("pretrained", "scratch")
    means = [one["accuracy"]["mean"] for one in found["recipes"]]
    assert found["pairs"][0]["difference"]["mean"] == pytest.approx(means[0] - means[1])


@pytest.mark.faults
def test_other_test_rows_are_refused_before_anything_is_trained(harness: None, heard: list[Event]) -> None:
    with pytest.raises(StageError, match=r"a paired test needs the same rows\. The recipes differ in split;"):
        run(variants(RECIPE, RECIPE, "split.seed=7"))
    assert not [event for event in heard if event.stage == "train"]


@pytest.mark.faults
def test_other_labels_are_refused(harness: None, heard: list[Event], tmp_path: Path) -> None:
    table = pd.read_csv(ROOT / "tasks" / "data" / "demo" / "reviews.csv")
    table.assign(label=table["label"].replace({"pos": "good"})).to_csv(tmp_path / "data" / "good.csv", index=False)
    changes = ["download={kind: file, path: good.csv}", "validate.labels=[neg, good]"]
    with pytest.raises(StageError, match=r"other labels \(good, pos\)"):
        run(variants(RECIPE, RECIPE, *changes))


def test_predictions_for_other_rows_are_refused(tmp_path: Path) -> None:
    from tasks.learn.comparison import read_right

    table = pd.DataFrame({"id": ["a", "b", "c"], "label": ["x", "y", "x"], "predicted": ["x", "x", "x"]})
    table.to_parquet(tmp_path / "p.parquet")
    assert read_right(tmp_path / "p.parquet", pd.Index(["c", "b", "a"])).tolist() == [True, False, True]
    for ids in (["a", "b"], ["a", "b", "d"], ["a", "b", "c", "d"]):
        with pytest.raises(DataError, match="other test rows"):
            read_right(tmp_path / "p.parquet", pd.Index(ids))
    pd.concat([table, table.head(1)]).to_parquet(tmp_path / "twice.parquet")
    with pytest.raises(DataError, match="other test rows"):
        read_right(tmp_path / "twice.parquet", pd.Index(["a", "b", "c", "a"]))


def test_groups_are_the_units_where_the_split_is_by_group(tmp_path: Path) -> None:
    from flows.compare import tested_units

    def artifact(folder: Path) -> Any:
        class Files:
            def file(self, name: str) -> Path:
                return folder / name

        return Files()

    from tasks.data.ledger import advance, open_ledger, write_ledger
    from tasks.data.rows import write_rows

    rows = pd.DataFrame({"id": list("abcde"), "text": "t", "label": "x", "group": ["g", "h", "g", None, "h"]})
    write_rows(rows.astype({"group": "object"}), tmp_path / "test.parquet")
    dropped = pd.DataFrame({"id": ["e"], "reason": ["too long"]})
    ledger = open_ledger(rows["id"])
    ledger = advance(ledger, "split", rows["id"], dropped.head(0), parts=pd.Series(["test"] * 5))
    write_ledger(advance(ledger, "encode", rows["id"].head(4), dropped), tmp_path / "ledger.parquet")
    made = (artifact(tmp_path), artifact(tmp_path))
    ids, groups = tested_units(made, by_group=True)
    assert (ids.tolist(), groups.tolist()) == (list("abcd"), [0, 1, 0, 2])
    assert tested_units(made, by_group=False)[1].tolist() == [0, 1, 2, 3]


@pytest.mark.faults
def test_one_json_document_on_stdout(
    harness: None, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEMPER_HOME", str(place))
    words = [RECIPE, RECIPE, "train.learning_rate=1e-6"]
    compare.command(words, None, 2, QUICK, True)
    found = json.loads(capsys.readouterr().out)
    assert found["pairs"][0]["verdict"] in ("helped", "hurt", "undecided")
    assert {stage["stage"] for stage in found["stages"]} == set(STAGES) - {"register"}
    compare.command(words, None, 2, QUICK)
    shown = capsys.readouterr().out
    assert f"{found['pairs'][0]['verdict']} (" in shown
    assert "4 trainings cached, 0 done" in shown
    chart = next(line.split(maxsplit=1)[1] for line in shown.splitlines() if line.startswith("Chart:"))
    assert Path(chart).read_bytes().startswith(b"\x89PNG")


def test_names_that_charts_and_mlflow_dislike(tmp_path: Path) -> None:
    """Dollars, pipes and braces in a name: no formula in the chart, no broken table, a name that MLflow takes."""
    import numpy as np

    from tasks.learn.comparison import Side, describe, draw, weigh
    from tasks.tracking.keys import key

    right = np.random.default_rng(0).random((2, 3, 40)) < 0.7
    name = "a|b train.model={kind: $x_1^{$}"
    sides = [Side(name, (1, 2, 3), right[0], ([],) * 3), Side("二", (1, 2, 3), right[1], ([],) * 3)]
    found = weigh(sides, np.arange(40), 0.95, first_is_new=False)
    draw(sides, found, tmp_path / "chart.png")
    assert "a\\|b" in describe(found)
    assert key(name).startswith("a_b train.model__kind_ _x_1____-") and key(name) != key(name + "|")
