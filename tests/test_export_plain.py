"""A merged export is read by transformers alone, and refused where transformers makes something else of it."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import registered_recipes
import torch
import typer
from sampled import sampled
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from configs.load import load_recipe
from flows.cli.export import command
from flows.drill.export_faults import turn_weights
from tasks.artifact import StageError
from tasks.data.sources.pretrained import RECORD
from tasks.export.gate_page import power
from tasks.export.plain import card
from tasks.export.plain.checks import same_outputs
from tasks.export.plain.questions import Question
from tasks.export.plain.write_folder import write_plain
from tasks.export.routes import open_route
from tasks.kinds.predicting import open_predictor
from tasks.kinds.spec import open_kind
from tasks.tracking.exports import Origin, find_origin
from tasks.tracking.models import model_folder

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
PLAIN = [name for name in (registered_recipes.KINDS | registered_recipes.NEWER) if name not in ("image", "generative")]
OTHERS = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "TEMPER_ARTIFACTS", "TEMPER_DATA")
SCORED = ["files", "tokens", "transformers", "scores", "predictions", "metric"]
CHECKS = {
    "classifier": [*SCORED, "calibration", "classes"],
    "paired_classifier": [*SCORED, "calibration", "classes"],
    "dialogue": ["files", "tokens", "served", "predictions", "metric"],
    "seq2seq": ["files", "tokens", "served", "predictions", "metric"],
    "preference": ["files", "tokens", "transformers", "predictions", "metric"],
}


@pytest.fixture(autouse=True)
def own_place(harness: None, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module's home and registry."""
    for name in OTHERS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEMPER_HOME", str(place))
    monkeypatch.setenv("TEMPER_DATA", str(place / "data"))


def registered(name: str, place: Path) -> None:
    """The tiny recipe of this name, run as far as its version."""
    from flows.finetune import finetune

    finetune(load_recipe(registered_recipes.write_recipe(name, place, 0)))


def export(*given: Any) -> Any:
    from flows.export import export as flow

    return flow(*given)


@pytest.mark.parametrize("name", sampled(PLAIN, "classifier", "dialogue"))
def test_transformers_alone_gives_what_the_registered_model_does(name: str, place: Path, tmp_path: Path) -> None:
    registered(name, place)
    result = export(name, "merged")
    checks = result["report"]["checks"]
    assert result["passed"], checks
    assert [check["name"] for check in checks] == CHECKS.get(name, SCORED)
    assert (result["version"], result["alias"]) == ("2", "champion-merged")
    again = export(name, "merged")
    assert again["again"] and again["version"] == "2"
    card = (model_folder(name, "2") / "README.md").read_text(encoding="utf-8")
    assert open_kind(str(find_origin(name).facts["kind"])).plain in card and f"{name} version 1" in card


def write_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def turned(folder: Path, origin: Origin) -> None:
    turn_weights(folder / "model.safetensors")


def other_epsilon(folder: Path, origin: Origin) -> None:
    write_json(folder / "config.json", layer_norm_eps=0.1)


def bare_rows(folder: Path, origin: Origin) -> None:
    write_json(folder / "tokenizer.json", post_processor=None)


def unreadable(folder: Path, origin: Origin) -> None:
    (folder / "tokenizer_config.json").write_text("{", encoding="utf-8")


def template_of_the_page(folder: Path, origin: Origin) -> None:
    """Without the recipe's tools."""
    own = json.loads((origin.folder / "encoding.json").read_text(encoding="utf-8"))["template"]
    (folder / "chat_template.jinja").write_text(own, encoding="utf-8")


def other_end(folder: Path, origin: Origin) -> None:
    """The letters that the model writes first end its turns."""
    first = open_predictor(origin.folder, "cpu").prompt([{"role": "user", "content": "a bus"}])[0]
    every = list(range(first + 1, 300))
    write_json(folder / "generation_config.json", eos_token_id=every)


FAULTS = [
    ("classifier", turned, "files"),
    ("classifier", other_epsilon, "files"),
    ("classifier", bare_rows, "tokens"),
    ("classifier", unreadable, "loads"),
    ("dialogue", template_of_the_page, "tokens"),
    ("dialogue", other_end, "predictions"),
]


@pytest.mark.parametrize(("name", "spoil", "check"), FAULTS)
def test_a_folder_of_which_transformers_makes_something_else_is_refused(
    name: str, spoil: Callable[[Path, Origin], None], check: str, place: Path, tmp_path: Path
) -> None:
    from flows.export import Asked, judge

    registered(name, place)
    origin, folder = find_origin(name), tmp_path / "exported"
    kind, predictor = open_kind(str(origin.facts["kind"])), open_predictor(origin.folder, "cpu")
    write_plain(kind, predictor, origin.folder, folder, "")
    spoil(folder, origin)
    report = judge(origin, open_route("merged"), folder, Asked())
    assert not report["passed"]
    assert check in [line["name"] for line in report["checks"] if not line["passed"]], report["checks"]


def test_outputs_that_differ_fail_their_check() -> None:
    question = Question({}, [2, 5, 3])
    predictor = SimpleNamespace(net=lambda batch: (np.array([[1.0, -1.0]]),))
    same, other = ({"input_ids": [2, 5, 3], "outputs": torch.tensor([1.0, end])} for end in (-1.0, -0.9))
    assert same_outputs(predictor, [question], [same], 1e-3).passed
    assert not same_outputs(predictor, [question], [other], 1e-3).passed


def test_rows_that_transformers_would_be_given_otherwise_are_left_out_and_counted(place: Path, tmp_path: Path) -> None:
    """A special token that somebody typed: letters for Temper, the token for whoever uses the template."""
    from flows.export import Asked, judge

    registered("dialogue", place)
    origin, folder = find_origin("dialogue"), tmp_path / "exported"
    kind, predictor = open_kind("dialogue"), open_predictor(origin.folder, "cpu")
    write_plain(kind, predictor, origin.folder, folder, "")
    predictions = origin.predictions().head(4)
    asked = origin.asked(predictions)
    typed = asked.assign(content=[text.replace("number", "<|im_end|>") for text in asked["content"][:2]]
                         + list(asked["content"][2:]))  # fmt: skip
    turned = predictions.assign(ended=[*predictions["ended"][:3], not predictions["ended"].iloc[3]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Origin, "asked", lambda self, given: typed)
        patch.setattr(Origin, "predictions", lambda self: turned)
        other = judge(origin, open_route("merged"), folder, Asked())
        patch.setattr(Origin, "predictions", lambda self: predictions)
        report = judge(origin, open_route("merged"), folder, Asked())
    (metric,) = (line for line in other["checks"] if line["name"] == "metric")
    assert not metric["passed"] and "of one group" in metric["seen"], "the units are those of the rows that were asked"
    assert report["passed"], report["checks"]
    (tokens,) = (line for line in report["checks"] if line["name"] == "tokens")
    assert tokens["seen"] == "2 rows have the ids that Temper gives the model; 2 not asked, spells a special token"
    assert power(report).startswith("All 4 test rows, 2 of them left out: a change of 100.00%")


def test_the_card_states_the_weights_that_training_started_from(place: Path) -> None:
    registered("classifier", place)
    origin = find_origin("classifier")
    kind, predictor = open_kind("classifier"), open_predictor(origin.folder, "cpu")
    assert "starts from" not in card.describe(origin, kind, predictor)
    record = {"source": "package:some/model", "licence": "Apache-2.0"}
    (origin.stages["train"].records / RECORD).write_text(json.dumps(record), encoding="utf-8")
    told = card.describe(origin, kind, predictor)
    assert "Its training starts from package:some/model; as the recipe states: Apache-2.0." in told


def test_what_needs_temper_around_it_is_refused_before_anything_is_computed() -> None:
    from flows.export import require_exportable

    for kind in ("image", "label_word"):
        with pytest.raises(StageError, match="no class that answers without Temper; take --to onnx"):
            require_exportable(SimpleNamespace(facts={"kind": kind}, named="it"), "merged")  # type: ignore[arg-type]


def test_the_command_copies_the_files_into_a_new_folder(place: Path, tmp_path: Path) -> None:
    registered("classifier", place)
    target = tmp_path / "out"
    (target / "there").mkdir(parents=True)
    with pytest.raises(typer.Exit):
        command("classifier", "merged", output=target)
    (target / "there").rmdir()
    command("classifier", "merged", output=target)
    texts = ["the bus number 3 was late", "the ship number 4 was early"]
    model = AutoModelForSequenceClassification.from_pretrained(target).eval()
    given = AutoTokenizer.from_pretrained(target)(texts, padding=True, return_tensors="pt")
    logits = model(**given).logits.detach().numpy()
    own = open_predictor(find_origin("classifier").folder, "cpu").scores(texts)
    np.testing.assert_allclose(logits, own, atol=1e-5)
