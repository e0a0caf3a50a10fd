"""Exported nets give what the model's own net gives, whatever the batch; one that does not is refused by a named check.

The models are untrained and tiny: what is compared is arithmetic. The planted faults are those with which exports of
other tools were caught.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from registered import IDS, LABELS, SPECIAL, WORDS, picture
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertForTokenClassification,
    GPT2Config,
    GPT2LMHeadModel,
)

from configs.kinds import kinds
from configs.models import Cnn
from tasks.artifact import StageError
from tasks.data.errors import DataError
from tasks.export import gate
from tasks.export.build import batches_of, build, preprocessing
from tasks.export.routes import ROUTES, open_route
from tasks.export.write import ORIGIN, origin_in
from tasks.kinds.masked_lm.encoding import MaskedEncoding
from tasks.kinds.multi_label.encoding import LabelSetEncoding
from tasks.kinds.predicting import open_predictor
from tasks.kinds.regression.encoding import RegressionEncoding
from tasks.kinds.spec import open_kind
from tasks.kinds.text_classification.encoding import LabelWordEncoding
from tasks.kinds.token_classification.encoding import TagEncoding
from tasks.kinds.token_classification.predictor import read_entities
from tasks.learn.champion_test import Rule
from tasks.learn.losses import Criterion
from tasks.learn.resampling import Resampling
from tasks.learn.shares import share_interval
from tasks.runtime.net import Net, open_net
from tasks.text.encoding import Encoding
from tasks.text.pairs import PairForm
from tasks.text.tokenizer import TextTokenizer
from tasks.vision.encoding import ImageEncoding
from tasks.vision.models import save_model
from tasks.vision.nets import ImageClassifier, build_net

onnx = pytest.importorskip("onnx", reason="temper export needs the extra export")
pytest.importorskip("onnxruntime", reason="temper export needs the extra export")

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
TEXTS = [f"would come back {number} time" for number in range(12)] + ["good", "never again bad row any time " * 3]
PAIRS = [{"text": text, "text_pair": "bad row"} for text in TEXTS]
DIGEST = "0123456789abcdef" * 4


def bert(**more: Any) -> BertConfig:
    return BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=64, pad_token_id=0, initializer_range=0.3, **more,
    )  # fmt: skip


def special(*roles: str) -> dict[str, int]:
    return {role: IDS[f"[{role.upper()}]"] for role in roles}


def classifier(folder: Path) -> list[Any]:
    Encoding("classifier", LABELS, (), special("cls", "sep"), 32, "longest", 0).save(folder)
    BertForSequenceClassification(bert(num_labels=2)).save_pretrained(folder)
    return TEXTS


def pairs(folder: Path) -> list[Any]:
    cls, sep = IDS["[CLS]"], IDS["[SEP]"]
    form = PairForm((cls,), (sep,), (sep,), (0, 0, 0, 1, 1), "longest_first")
    Encoding("classifier", LABELS, (), special("cls", "sep"), 32, "longest", 0, pair=form).save(folder)
    BertForSequenceClassification(bert(num_labels=2)).save_pretrained(folder)
    return PAIRS


def label_word(folder: Path) -> list[Any]:
    ids = (IDS["bad"], IDS["good"])
    LabelWordEncoding("label_word", LABELS, ids, {"eos": IDS["[SEP]"]}, 32, "longest", 0).save(folder)
    GPT2LMHeadModel(
        GPT2Config(vocab_size=len(WORDS), n_layer=2, n_head=2, n_embd=16, n_positions=64, initializer_range=0.3)
    ).save_pretrained(folder)
    return TEXTS


def regression(folder: Path) -> list[Any]:
    encoding = RegressionEncoding("regression", (), (), special("cls", "sep"), 32, "longest", 0, mean=3.0, sd=2.0)
    encoding.save(folder)
    BertForSequenceClassification(bert(num_labels=1)).save_pretrained(folder)
    return TEXTS


def multi_label(folder: Path) -> list[Any]:
    LabelSetEncoding("multi_label", LABELS, (), special("cls", "sep"), 32, "longest", 0, "half").save(folder)
    (folder / "thresholds.json").write_text('{"neg": 0.5, "pos": 0.4}', encoding="utf-8")
    BertForSequenceClassification(bert(num_labels=2)).save_pretrained(folder)
    return TEXTS


def token_classification(folder: Path) -> list[Any]:
    TagEncoding(
        "token_classification", ("O", "B-a", "I-a"), (), special("cls", "sep", "unk"), 12, "longest", 0, overlap=4,
        pieces="first", tokens=True,
    ).save(folder)  # fmt: skip
    BertForTokenClassification(bert(num_labels=3)).save_pretrained(folder)
    return TEXTS


def masked(folder: Path) -> list[Any]:
    MaskedEncoding(
        "masked", (), (), special("cls", "sep", "mask"), 32, "longest", 0, share=0.4,
        special_ids=tuple(range(len(SPECIAL))), vocabulary=len(WORDS),
    ).save(folder)  # fmt: skip
    BertForMaskedLM(bert()).save_pretrained(folder)
    return TEXTS


def image(folder: Path) -> list[Any]:
    structure = Cnn(kind="cnn", channels=(4,), padding="same", batch_norm=True, dense=(8,))
    encoding = ImageEncoding("image", ("a", "b", "c"), "L", 8, 8, True, "crop", (0.5,), (0.25,))
    encoding.save(folder)
    from configs.literal import complete

    save_model(ImageClassifier(build_net(complete(structure), encoding), encoding, Criterion()), structure, folder)
    return [picture(number) for number in range(12)]


MODELS: dict[str, Callable[[Path], list[Any]]] = {
    "classifier": classifier, "pairs": pairs, "label_word": label_word, "regression": regression,
    "multi_label": multi_label, "token_classification": token_classification, "masked": masked, "image": image,
}  # fmt: skip


def model(name: str, folder: Path) -> list[Any]:
    """The files of a model of this kind; contents that it scores."""
    folder.mkdir(parents=True)
    torch.manual_seed(4)
    contents = MODELS[name](folder)
    if name != "image":
        backend = Tokenizer(models.WordLevel(IDS, unk_token="[UNK]"))
        backend.pre_tokenizer = pre_tokenizers.Whitespace()
        TextTokenizer(backend, {}).save(folder)
    return contents


def exported_net(folder: Path) -> Net:
    def weights() -> Any:
        raise AssertionError("the exported folder was to have a net of its own")

    return open_net(folder, weights, "cpu")


def test_every_kind_whose_net_scores_rows_is_tried_here() -> None:
    assert {name for name in kinds() if open_kind(name).exports} == {*MODELS} - {"pairs"}


@pytest.mark.parametrize(
    ("name", "route"),
    [
        *((name, "onnx") for name in MODELS),
        ("classifier", "torch-export"),
        *(pytest.param(name, "torch-export", marks=pytest.mark.long) for name in MODELS if name != "classifier"),
    ],
)
def test_an_exported_net_scores_as_the_models_own_whatever_the_batch(name: str, route: str, tmp_path: Path) -> None:
    contents = model(name, origin := tmp_path / "origin")
    folder = tmp_path / route
    assert build(ROUTES[route], origin, folder, digest=DIGEST, contents=contents) == []
    assert origin_in(folder / ROUTES[route].file) == DIGEST
    assert not list(folder.glob("*.safetensors"))
    own, other = open_predictor(origin), open_predictor(folder)
    checks = [
        gate.same_files(origin, folder, preprocessing(origin)),
        gate.same_inputs(other.net.inputs, [one for one in own.net.inputs if one in own.inputs(contents[:2])]),
        gate.free_shapes(own.net, exported_net(folder), batches_of(own, contents), ROUTES[route].tolerance),
    ]
    assert [check.seen for check in checks if not check.passed] == []
    wanted = own.scores(contents)
    assert np.std(wanted) > 0.01
    assert other.scores(contents) == pytest.approx(wanted, abs=1e-4)
    given = [f"{text} [MASK]" for text in contents] if name == "masked" else contents
    tables = [_numbers(predictor.frame(given)) for predictor in (other, own)]
    pd.testing.assert_frame_equal(*tables, rtol=1e-4)


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Predictions without the numbers that stand in texts."""
    if "entities" not in table:
        return table
    return table.assign(entities=[read_entities(text) for text in table["entities"]])


def test_weights_of_eight_bits_are_smaller_and_near(tmp_path: Path) -> None:
    contents = model("classifier", origin := tmp_path / "origin")
    for route in ("onnx", "int8"):
        build(ROUTES[route], origin, tmp_path / route, digest=DIGEST, contents=contents)
    whole, eight = open_predictor(tmp_path / "onnx"), open_predictor(tmp_path / "int8")
    assert not np.array_equal(whole.scores(contents), eight.scores(contents))
    assert gate.apart(whole.scores(contents), eight.scores(contents)) < ROUTES["int8"].tolerance
    kinds_of_nodes = {node.op_type for node in onnx.load(tmp_path / "int8" / "model.onnx").graph.node}
    assert "MatMulInteger" in kinds_of_nodes or "DynamicQuantizeMatMul" in kinds_of_nodes
    (embeddings,) = (
        weight
        for weight in onnx.load(tmp_path / "int8" / "model.onnx").graph.initializer
        if "word_embeddings" in weight.name and len(weight.dims) == 2
    )
    assert embeddings.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    assert origin_in(tmp_path / "int8" / "model.onnx") == DIGEST


def test_layers_that_change_the_scores_most_are_left_out(tmp_path: Path) -> None:
    """A layer with one column of weights far above the others loses those in eight bits, and stays as it is."""
    contents = model("classifier", origin := tmp_path / "origin")
    loaded = BertForSequenceClassification.from_pretrained(origin)
    with torch.no_grad():
        loaded.bert.encoder.layer[1].output.dense.weight[:, 0] *= 200
    loaded.save_pretrained(origin)
    build(ROUTES["int8"], origin, tmp_path / "all", digest=DIGEST, contents=contents)
    wanted = open_predictor(origin).scores(contents)
    far = gate.apart(wanted, open_predictor(tmp_path / "all").scores(contents))
    strict = replace(ROUTES["int8"], tolerance=1.8 * far)
    left_out = build(strict, origin, tmp_path / "int8", digest=DIGEST, contents=contents)
    assert left_out
    assert gate.apart(wanted, open_predictor(tmp_path / "int8").scores(contents)) <= strict.tolerance / 2 < far


def test_the_metric_is_judged_by_independent_units() -> None:
    """Two rows of 200 that turn wrong are within the margin; where the rows are but two dialogues, nobody knows."""
    scores = np.tile(np.array([[1.0, 0.0], [0.0, 1.0]]), (100, 1))
    truth = [LABELS[0], LABELS[1]] * 100
    table = pd.DataFrame({"id": [str(row) for row in range(200)], "label": truth, "predicted": truth})
    worse = gate.Side(table.assign(predicted=[LABELS[1], LABELS[0], *truth[2:]]), scores)

    def holds(units: list[str] | None) -> bool:
        rule = Rule(Resampling(100, 0.95, 0), 0.04, 1)
        rules = gate.Rules(ROUTES["int8"], 1e-3, rule, "classifier", "accuracy", LABELS, units)
        checks = gate.compare(gate.Side(table, scores), worse, rules)
        return next(check.passed for check in checks if check.name == "metric")

    assert holds(None)
    assert not holds(["first"] * 100 + ["second"] * 100)


def test_a_score_without_a_paired_test_holds_where_no_prediction_changed() -> None:
    """And there alone: a known test that cannot be made on these rows is no proof, whatever was predicted."""
    numbers = np.arange(30.0)
    table = pd.DataFrame({"id": numbers.astype(str), "true": numbers, "value": numbers + 0.5})

    def holds(metric: str, exported: pd.DataFrame, units: list[str] | None = None) -> bool:
        rules = gate.Rules(
            ROUTES["merged"], 1e-3, Rule(Resampling(100, 0.95, 0), 0.04, 1), "regression", metric, [], units
        )
        checks = gate.compare_tables(table, exported, rules)
        return next(check.passed for check in checks if check.name == "metric")

    moved = table.assign(value=table["value"] + np.linspace(0, 2, 30))
    assert holds("spearman", table) and not holds("spearman", moved)
    nearly = table.assign(value=table["value"] + 1e-6)
    assert holds("rmse", nearly) and not holds("rmse", nearly, ["one group"] * 30)


# Planted faults ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of pairs, and its true export."""
    place = tmp_path_factory.mktemp("planted")
    model("pairs", place / "origin")
    build(ROUTES["onnx"], place / "origin", place / "exported", digest=DIGEST, contents=PAIRS)
    return place


def judged(origin: Path, folder: Path) -> dict[str, bool]:
    """The gate's checks of an exported folder by name, on rows with labels that the origin predicts."""
    own = open_predictor(origin)
    checks = [
        gate.same_files(origin, folder, preprocessing(origin)),
        gate.same_origin(origin_in(folder / "model.onnx"), DIGEST),
        gate.same_inputs(exported_net(folder).inputs, own.net.inputs),  # type: ignore[attr-defined]
    ]
    if checks[-1].passed:
        checks.append(gate.free_shapes(own.net, exported_net(folder), batches_of(own, PAIRS), 1e-3))
    if not checks[-1].seen.startswith("batch of"):
        other = open_predictor(folder)
        sides = [side(predictor, own.frame(PAIRS)["label"]) for predictor in (own, other)]
        rules = gate.Rules(
            ROUTES["onnx"], 1e-3, Rule(Resampling(100, 0.95, 0), 0.01, 1), "classifier", "accuracy", LABELS
        )
        checks += gate.compare(sides[0], sides[1], rules)
    return {check.name: check.passed for check in checks}


def side(predictor: Any, truth: Any) -> gate.Side:
    table = predictor.frame(PAIRS)
    ids = [str(row) for row in range(len(PAIRS))]
    return gate.Side(
        pd.DataFrame({"id": ids, "label": list(truth), "predicted": table["label"]}), predictor.scores(PAIRS)
    )


def test_a_true_export_passes_every_check(whole: Path) -> None:
    checks = judged(whole / "origin", whole / "exported")
    assert set(checks.values()) == {True}
    assert [*checks] == [
        "files", "origin", "inputs", "shapes", "scores", "predictions", "metric", "calibration", "classes",
    ]  # fmt: skip


def _weights(graph: Any, wanted: Callable[[Any], bool]) -> Any:
    return next(weight for weight in graph.graph.initializer if wanted(onnx.numpy_helper.to_array(weight)))


def transposed(folder: Path, origin: Path) -> None:
    graph = onnx.load(folder / "model.onnx")
    weight = _weights(graph, lambda values: values.shape == (16, 16))
    values = onnx.numpy_helper.to_array(weight).T.copy()
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save(graph, folder / "model.onnx")


def epsilon(folder: Path, origin: Path) -> None:
    graph = onnx.load(folder / "model.onnx")
    node = next(node for node in graph.graph.node if node.op_type == "LayerNormalization")
    (attribute,) = (attribute for attribute in node.attribute if attribute.name == "epsilon")
    attribute.f = 1e-1
    onnx.save(graph, folder / "model.onnx")


def no_token_types(folder: Path, origin: Path) -> None:
    predictor = open_predictor(origin)

    class Untyped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = predictor.net.module

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.inner(input_ids, attention_mask)

    from tasks.export.build import examples_of
    from tasks.export.write import write_graph

    write_graph(Untyped(), examples_of(predictor, PAIRS), folder / "model.onnx", DIGEST)


def another_version(folder: Path, origin: Path) -> None:
    graph = onnx.load(folder / "model.onnx")
    (entry,) = (entry for entry in graph.metadata_props if entry.key == ORIGIN)
    entry.value = "f" * 64
    onnx.save(graph, folder / "model.onnx")


def another_tokenizer(folder: Path, origin: Path) -> None:
    text = (folder / "tokenizer.json").read_text(encoding="utf-8")
    (folder / "tokenizer.json").write_text(text.replace('"good": ', '"goood": '), encoding="utf-8")


def one_answer(folder: Path, origin: Path) -> None:
    graph = onnx.load(folder / "model.onnx")
    (scores,) = graph.graph.output
    last = next(node for node in graph.graph.node if scores.name in node.output)
    last.output[0] = "scores"
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array([100, -100], np.float32), "more"))
    graph.graph.node.append(onnx.helper.make_node("Add", ["scores", "more"], [scores.name]))
    onnx.save(graph, folder / "model.onnx")


def fixed_length(folder: Path, origin: Path) -> None:
    from tasks.export.build import examples_of
    from tasks.export.write import write_graph

    predictor = open_predictor(origin)
    whole, half = examples_of(predictor, PAIRS)
    rows = [whole, {name: values[:2] for name, values in whole.items()}]
    write_graph(predictor.net.module, rows, folder / "model.onnx", DIGEST)
    assert half is not None


@pytest.mark.parametrize(
    ("plant", "caught"),
    [
        (transposed, "scores"),
        (epsilon, "scores"),
        (no_token_types, "inputs"),
        (another_version, "origin"),
        (another_tokenizer, "files"),
        (one_answer, "classes"),
        (fixed_length, "shapes"),
    ],
)
def test_a_fault_in_an_export_is_caught_by_a_named_check(
    plant: Callable[[Path, Path], None], caught: str, whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole / "exported", tmp_path / "exported")
    plant(tmp_path / "exported", whole / "origin")
    assert not judged(whole / "origin", tmp_path / "exported")[caught]


def test_an_export_of_another_model_states_so_or_scores_otherwise(whole: Path, tmp_path: Path) -> None:
    """Also where its digest is forged."""
    (tmp_path / "origin").mkdir()
    torch.manual_seed(1)
    pairs(tmp_path / "origin")
    shutil.copyfile(whole / "origin" / "tokenizer.json", tmp_path / "origin" / "tokenizer.json")
    build(ROUTES["onnx"], tmp_path / "origin", tmp_path / "exported", digest=DIGEST, contents=PAIRS)
    checks = judged(whole / "origin", tmp_path / "exported")
    assert checks["origin"] and not checks["scores"]


# Words ---------------------------------------------------------------------------------------------------------------


def test_what_cannot_be_exported_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageError, match="--to tflite: there is no such form; take one of onnx, int8, torch-export"):
        open_route("tflite")
    monkeypatch.setattr("tasks.export.routes.find_spec", lambda name: None)
    with pytest.raises(StageError, match=r"needs the package onnx: pip install 'temper\[export\]'"):
        open_route("onnx")
    assert open_route("torch-export").needs == ()


def test_an_operation_that_no_exporter_knows_is_an_error_of_ours(tmp_path: Path) -> None:
    from tasks.export.write import write_graph

    class Odd(torch.nn.Module):
        def forward(self, pixel_values: Any) -> Any:
            return pixel_values if pixel_values.sum().item() > 0 else -pixel_values

    batch = {"pixel_values": np.ones((3, 4), np.float32)}
    with pytest.raises(DataError, match="cannot export this model"):
        write_graph(Odd(), [batch, {"pixel_values": np.ones((2, 2), np.float32)}], tmp_path / "odd.onnx", DIGEST)


def test_the_share_of_kept_predictions_has_an_exact_interval() -> None:
    assert share_interval(66, 66) == (pytest.approx(0.9456, abs=1e-4), 1.0)
    assert share_interval(0, 10)[0] == 0.0
