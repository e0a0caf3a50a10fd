"""Measures of frozen features against their definitions, successive halving, and advice from recipe to phases."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from registered_recipes import write_recipe
from scipy.optimize import minimize

from configs.load import RecipeError, load_recipe
from flows.advised_recipe import write_recommended
from flows.candidates import Candidates, read_advised
from flows.searched_recipe import Subject
from tasks.advice.blocks import earlier_half
from tasks.advice.h_score import h_score
from tasks.advice.halving import first_budget, survivors
from tasks.advice.leep import leep, leep_of_shares
from tasks.advice.linear_probe import linear_probe
from tasks.advice.logme import decompose, evidence, logme
from tasks.advice.validation import Validation
from tasks.advice.verdict import gain_over, would_change
from tasks.learn.resampling import Resampling
from tasks.store import studies
from tasks.store.events import Event

ROOT = Path(__file__).resolve().parent.parent
HOW = Resampling(resamples=500)


def likeliest(features: Any, target: Any) -> float:
    """The log marginal likelihood of y = F w + noise, per row, maximised over both precisions by Nelder and Mead."""
    sizes, directions = np.linalg.eigh(features @ features.T)
    sizes, shares = np.clip(sizes, 0, None), (directions.T @ target) ** 2

    def negative(logs: Any) -> float:
        alpha, beta = np.exp(np.clip(logs, -30, 30))
        variances = sizes / alpha + 1 / beta
        return float(0.5 * (np.log(2 * np.pi * variances) + shares / variances).sum())

    starts = [(alpha, beta) for alpha in (-2.0, 0.0, 3.0) for beta in (0.0, 3.0)]
    exact = {"xatol": 1e-8, "fatol": 1e-11, "maxiter": 4000}
    return -min(minimize(negative, start, method="Nelder-Mead", options=exact).fun for start in starts) / len(target)


def drawn(rows: int, width: int, classes: int, seed: int = 0) -> tuple[Any, Any]:
    """Features that know a little of the classes."""
    draw = np.random.default_rng(seed)
    ids = draw.integers(0, classes, rows)
    return draw.normal(size=(rows, width)) + 0.6 * np.eye(classes, width)[ids], ids


@pytest.mark.parametrize("shape", [(60, 8, 3), (50, 20, 2), (40, 90, 3)])
def test_logme_is_the_greatest_evidence(shape: tuple[int, int, int]) -> None:
    """Wider features than rows included, of which the published fixed-point program gives no evidence."""
    features, ids = drawn(*shape)
    direct = np.mean([likeliest(features, (ids == each).astype(float)) for each in range(shape[2])])
    assert logme(decompose(features), ids) == pytest.approx(direct, abs=1e-7)


@pytest.mark.parametrize(("shape", "published"), [((60, 8, 3), -0.8323346759), ((200, 30, 2), -1.0479109888)])
def test_logme_is_what_the_published_program_gives(shape: tuple[int, int, int], published: float) -> None:
    """Numbers of github.com/thuml/LogME at 3a08950, which ends its iteration earlier; drawn from one stream."""
    draw = np.random.default_rng(0)
    for rows, width, classes in ((60, 8, 3), (200, 30, 2)):
        ids = draw.integers(0, classes, rows)
        features = draw.normal(size=(rows, width)) + 0.6 * np.eye(classes, width)[ids]
        if (rows, width, classes) == shape:
            assert logme(decompose(features), ids) == pytest.approx(published, abs=5e-4)


def test_logme_of_targets_that_features_explain_or_do_not() -> None:
    features, ids = drawn(200, 10, 2)
    shuffled = np.random.default_rng(1).permutation(ids)
    spectrum = decompose(features)
    assert logme(spectrum, ids) > logme(spectrum, shuffled)
    exact = features @ np.arange(10.0)
    assert np.isfinite(evidence(spectrum, exact)) and evidence(spectrum, exact) > 5, "without noise it has a bound"
    beyond = np.linalg.svd(features)[0][:, -1]
    assert np.isfinite(evidence(spectrum, beyond)), "of what no direction explains too"
    with pytest.raises(ValueError, match="not all 0"):
        decompose(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="finite"):
        decompose(np.full((4, 2), np.nan))
    with pytest.raises(ValueError, match="two classes"):
        logme(spectrum, np.zeros(200, int))


def test_h_score_is_its_definition() -> None:
    from sklearn.covariance import LedoitWolf

    features, ids = drawn(120, 6, 3)
    means = np.stack([features[ids == each].mean(0) for each in range(3)])[ids]
    between = np.cov(means, rowvar=False, bias=True)
    plain = np.trace(np.linalg.inv(np.cov(features, rowvar=False, bias=True)) @ between)
    assert h_score(features, ids, shrunk=False) == pytest.approx(plain)
    fitted = LedoitWolf().fit(features)
    shrunk = np.trace(np.linalg.inv(fitted.covariance_) @ ((1 - fitted.shrinkage_) * between))
    assert h_score(features, ids, shrunk=True) == pytest.approx(shrunk)


def test_h_score_by_hand_and_where_rows_are_few() -> None:
    """One column that is the class has between all of its variance; wide features give any labels the most."""
    ids = np.array([0, 0, 1, 1])
    assert h_score(ids[:, None].astype(float), ids, shrunk=False) == pytest.approx(1)
    assert h_score(np.array([[0.0], [2.0], [2.0], [4.0]]), ids, shrunk=False) == pytest.approx(0.5)
    features, ids = drawn(30, 100, 3)
    shuffled = np.random.default_rng(2).permutation(ids)
    assert h_score(features, shuffled, shrunk=False) == pytest.approx(2)
    assert h_score(features, shuffled, shrunk=True) < 0.5
    assert h_score(np.ones((30, 4)), ids, shrunk=True) == 0


def test_leep_by_hand() -> None:
    """P(y | z) of two rows with the source's 0.8, 0.2 and 0.4, 0.6: 2/3, 1/3 of class 0 and 1/4, 3/4."""
    source, ids = np.array([[0.8, 0.2], [0.4, 0.6]]), np.array([0, 1])
    first = 0.8 * (2 / 3) + 0.2 * (1 / 4)
    second = 0.4 * (1 / 3) + 0.6 * (3 / 4)
    assert leep(source, ids) == pytest.approx((np.log(first) + np.log(second)) / 2)
    knows = np.eye(3)[[0, 1, 1, 0]]
    assert leep(knows, np.array([1, 0, 0, 1])) == pytest.approx(0)
    nothing, ids = np.full((4, 3), 1 / 3), np.array([0, 1, 1, 1])
    assert leep(nothing, ids) == pytest.approx(leep_of_shares(ids))
    with pytest.raises(ValueError, match="add up to 1"):
        leep(source * 2, np.array([0, 1]))


def test_the_probe_separates_what_a_line_separates_and_fits_no_validation_row() -> None:
    features, ids = drawn(150, 5, 2)
    features[:, 0] += 4 * ids
    probe = linear_probe(features[:100], ids[:100], features[100:], 3)
    assert (probe.probabilities.argmax(1) == ids[100:]).mean() > 0.9
    assert probe.probabilities[:, 2].max() == 0, "a class without training rows has no probability"
    again = linear_probe(features[:100], ids[:100], np.zeros((1, 5)), 3)
    assert again.strength == probe.strength
    alone = linear_probe(features[:3], np.array([0, 0, 1]), features[3:], 2)
    assert np.allclose(alone.probabilities.sum(1), 1), "a class of one row leaves no folds"


@pytest.mark.parametrize("objective", ["accuracy", "loss", "macro_f1"])
def test_a_gain_is_paired_and_is_none_between_equals(objective: str) -> None:
    from sklearn.metrics import f1_score

    draw = np.random.default_rng(0)
    truth = draw.integers(0, 3, 400)
    good = np.eye(3)[np.where(draw.random(400) < 0.9, truth, 0)] * 0.8 + 0.2 / 3
    poor = np.eye(3)[np.where(draw.random(400) < 0.5, truth, 0)] * 0.8 + 0.2 / 3
    validation = Validation(truth, None, objective, HOW)
    gain = validation.gain(good, poor)
    sign = -1 if objective == "loss" else 1
    scores = [validation.score(each).value or 0.0 for each in (good, poor)]
    assert gain.value == pytest.approx(sign * (scores[0] - scores[1])) and gain.interval is not None
    assert gain.interval[0] > 0
    same = validation.gain(good, good)
    assert same.value == 0 and same.interval in (None, (0.0, 0.0))
    if objective == "macro_f1":
        assert scores[0] == pytest.approx(f1_score(truth, good.argmax(1), average="macro"))
    grouped = Validation(truth, [str(row // 20) for row in range(400)], objective, HOW).of(np.arange(40))
    assert grouped.groups == ["0"] * 20 + ["1"] * 20 and len(grouped.truth) == 40


def test_half_of_a_round_goes_on() -> None:
    scores = {"head": 0.5, "partial": 0.7, "full": None, "scratch": 0.7}
    assert survivors(scores, lower=False) == ["partial", "scratch"], "of equals what trains less goes first"
    assert survivors(scores, lower=True) == ["head", "partial"]
    assert survivors({"head": None}, lower=True) == []
    assert [first_budget(total) for total in (1, 4, 10, 25)] == [1, 1, 2, 6]


@pytest.mark.parametrize(
    ("names", "frozen"),
    [
        (
            ["embeddings.word.weight", *(f"encoder.layer.{n}.dense.weight" for n in range(4)), "pooler.dense.weight"],
            ("embeddings", "encoder.layer.0-1"),
        ),
        (
            ["conv1.weight", "layer1.0.conv1.weight", "layer1.1.conv1.weight", "layer2.0.conv1.weight", "fc.weight"],
            ("conv1", "layer1.0"),
        ),
        (
            ["class_token", "encoder.pos_embedding", *(f"encoder.layers.encoder_layer_{n}.w" for n in range(4))],
            ("class_token", "encoder.pos_embedding", "encoder.layers.encoder_layer_0"),
        ),
        (["body.weight", "fc.weight"], ()),
    ],
)
def test_the_earlier_half_is_named_as_phases_name_it(names: list[str], frozen: tuple[str, ...]) -> None:
    from tasks.learn.phases import Layout, _members

    shown = {f"net.{name}": name for name in names}
    head = {"net.fc.weight"} & shown.keys()
    assert earlier_half(shown, head) == frozen
    if frozen:
        held = _members(frozen, Layout(shown, ()), "freeze")
        assert head.isdisjoint(held) and len(held) < len(shown) - len(head)


def test_candidates_are_the_recipe_with_other_phases() -> None:
    """Each candidate's recipe loads, differs in `train` alone, and with the recipe's rates."""
    path = ROOT / "configs" / "ants_bees_cifar_resnet.yaml"
    candidates = Candidates(read_advised(path, []), ("layer1",), ("train.model.file=null",))
    assert candidates.names == ["head", "partial", "full", "scratch"]
    assert Candidates(candidates.subject, (), ()).names == ["head", "full", "scratch"]
    recipe = candidates.subject.recipe
    for name in candidates.names:
        loaded = candidates.recipe(name, 3)
        (phase,) = loaded.train.phases
        assert phase.epochs == 3 and loaded.encode == recipe.encode and loaded.split == recipe.split
        assert (loaded.train.model == recipe.train.model) == (name != "scratch")
        assert phase.schedule == (None if name == "head" else "cosine"), "the recipe's, of the phase like it"
    minilm = Subject(ROOT / "x", (), load_recipe(ROOT / "configs" / "polarity_minilm.yaml"))
    rates = {name: Candidates(minilm, ("a",), ()).phase(name, 1) for name in candidates.names}
    assert rates["full"]["pretrained_rate"] == rates["partial"]["pretrained_rate"] == 1, "as without phases"
    assert rates["head"]["learning_rate"] == rates["scratch"]["learning_rate"] == 5e-4


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("digits_demo", [], "starts from new weights"),
        ("reviews_demo", [], "not for encode.kind label_word"),
        ("sts_benchmark", [], "not for encode.kind regression"),
        ("polarity_minilm", ["train.lora={rank: 4}"], "train.lora"),
        ("polarity_minilm", ["split.validation=0", "split.test=0.2", "train.metric=accuracy"], "validation rows"),
        ("ants_bees_cifar_resnet", ["train.model={kind: clip, source: {kind: files, path: x}}"], "clip"),
    ],
)
def test_what_has_nothing_to_choose_is_refused_first(name: str, changes: list[str], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        read_advised(ROOT / "configs" / f"{name}.yaml", changes)


def result(candidate: str, value: float | None, accuracy: float | None = None, reason: str = "") -> Any:
    return {
        "candidate": candidate,
        "value": value,
        "accuracy": accuracy,
        "seconds": 1.0,
        "key": candidate,
        "reason": reason,
    }


ROUNDS: Any = [
    {
        "epochs": 2,
        "results": [
            result("head", 0.31, 0.9),
            result("partial", 0.42, 0.8),
            result("full", 0.3, 0.93),
            result("scratch", None, reason="train.model: no room"),
        ],
    },
    {"epochs": 4, "results": [result("head", 0.21, 0.93), result("full", 0.24, 0.93)]},
]
MEASURES: Any = {
    "rows": 238,
    "width": 1280,
    "logme": -0.3121,
    "logme_chance": -0.74,
    "h_score": 1.0,
    "h_score_shrunk": 0.71,
    "h_score_chance": 0.02,
    "h_score_most": 1,
    "source_classes": 1000,
    "leep": -0.21,
    "leep_of_shares": -0.6921,
    "probe": {"value": 0.9677, "low": 0.9032, "high": 1.0},
    "probe_strength": 0.01,
    "majority": 0.5161,
}


ADVICE: Any = {
    "recipe": "ants",
    "objective": "loss",
    "confidence": 0.95,
    "seed": 42,
    "training_rows": 238,
    "validation_rows": 31,
    "per_class": {"ants": 124, "bees": 114},
    "measures": MEASURES,
    "rounds": ROUNDS,
    "best": "head",
    "gain": {"over": "full", "mean": 0.03, "low": -0.1, "high": 0.2, "decided": False, "rows_needed": 900},
    "changes": ["train.phases=[]"],
    "would_change": ["more validation rows"],
    "full": None,
    "full_best": None,
}


def predicted(wrong: int) -> Any:
    """Probabilities of 31 rows of class 0, so many of which are wrong."""
    return np.eye(2)[[1] * wrong + [0] * (31 - wrong)] * 0.8 + 0.1


def test_what_would_change_the_advice_is_measured() -> None:
    validation = Validation(np.zeros(31, int), None, "loss", HOW)
    gain = gain_over(["head", "full"], 4, {("head", 4): predicted(2), ("full", 4): predicted(3)}, validation)
    assert gain is not None and not gain["decided"] and gain["mean"] == pytest.approx(np.log(9) / 31)
    assert gain["rows_needed"] is not None and gain["rows_needed"] > 31
    sentences = "\n".join(would_change(ROUNDS, MEASURES, gain, validation))
    assert f"about {gain['rows_needed']:,} in place of 31" in sentences
    assert "after 2 full was first, after 4 head" in sentences
    assert "the linear probe reaches 0.9677" in sentences and "the head in the race 0.9300" in sentences
    alike = gain_over(["head", "full"], 4, {("head", 4): predicted(2), ("full", 4): predicted(2)}, validation)
    assert alike is not None and alike["rows_needed"] is None and not alike["decided"]
    assert "head and full score alike" in would_change(ROUNDS, MEASURES, alike, validation)[0]
    better = gain_over(["head", "full"], 4, {("head", 4): predicted(0), ("full", 4): predicted(20)}, validation)
    assert better is not None and better["decided"] and better["rows_needed"] is None
    assert "validation rows" not in "\n".join(would_change(ROUNDS, MEASURES, better, validation))
    assert gain_over(["head"], 4, {}, validation) is None


def test_the_table_fits_80_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.cli.advise import _show
    from tasks.advice.advice_page import page

    monkeypatch.setenv("COLUMNS", "80")
    advice: Any = dict(ADVICE)
    _show(advice)
    shown = capsys.readouterr().out
    tables = shown.partition("\nhead: ")[0]  # sentences stay in one line where no terminal breaks them
    assert "race by" in tables and max(map(len, tables.splitlines())) <= 80
    for words in ("ants 124, bees 114", "-0.3121", "0.2100 (0.9300)", "failed", "not better than chance"):
        assert words in shown
    assert "scratch failed: train.model: no room" in shown and "scratch failed" in page(advice)
    advice.update(full=ROUNDS[1], full_best="full")
    _show(advice)
    assert "best of all candidates after 4 epochs: not the same: full" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["polarity_minilm", "ants_bees_efficientnet", "ants_bees_cifar_resnet"])
def test_a_recipe_is_written_with_the_recommendation_and_its_evidence(name: str, tmp_path: Path) -> None:
    """Lists no deeper than their key included (ants_bees_efficientnet); labels cannot leave their remark."""
    subject = read_advised(ROOT / "configs" / f"{name}.yaml", ["split.train_rows=100"])
    candidates = Candidates(subject, ("embeddings", "encoder.layer.0-1"), ())
    for best in candidates.names:
        changes = candidates.changes(best, 10)
        advice: Any = {**ADVICE, "best": best, "changes": changes, "per_class": {"ants": 124, "be\nes": 114}}
        output = tmp_path / f"{best}.yaml"
        write_recommended(subject, advice, output)
        assert load_recipe(output) == subject.with_values(changes)
        assert f"# Advised by `temper advise`: {best}: " in output.read_text(encoding="utf-8")
        with pytest.raises(RecipeError, match="not written over"):
            write_recommended(subject, advice, output)


@pytest.fixture
def pretrained(home: Path) -> Path:
    """A recipe of a small BERT in a folder, as if it were pretrained."""
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 16}
    model = BertModel(BertConfig(vocab_size=350, max_position_embeddings=40, **sizes), add_pooling_layer=False)
    path = write_recipe("classifier", home.parent, 0)
    model.save_pretrained(home.parent / "data" / "bert")
    text = path.read_text(encoding="utf-8")
    begin, end = text.index("  model: {kind: new"), text.index("  learning_rate")
    path.write_text(
        f"# A small BERT.\n{text[:begin]}  model: {{kind: files, path: bert}}\n{text[end:]}", encoding="utf-8"
    )
    return path


def test_features_are_what_reaches_the_first_new_layer(pretrained: Path, home: Path) -> None:
    """Of a BERT without a pooler the last hidden state of the first token, whatever pads the batch."""
    import torch
    from transformers import BertModel

    from flows.stage_graph import perform_until
    from tasks.advice.features import frozen_body
    from tasks.kinds.spec import open_training

    recipe = load_recipe(pretrained)
    encoded = perform_until(recipe, "encode")["encode"].result
    body = frozen_body(recipe.train, encoded, lambda done, of: None)
    assert body.earlier == ("embeddings", "encoder.layer.0-1") and body.source is None
    training = open_training(encoded.file("encoding.json").parent)
    part = training.read(encoded.file("validation.parquet"))
    bert = BertModel.from_pretrained(home.parent / "data" / "bert", add_pooling_layer=False).eval()
    assert len(body.validation.features) == len(part) > 5
    for row, features in enumerate(body.validation.features):
        start, stop = part.encoded.offsets[row : row + 2]
        tokens = torch.from_numpy(part.encoded.ids[start:stop].astype(np.int64))[None]
        with torch.inference_mode():
            expected = bert(input_ids=tokens).last_hidden_state[0, 0].numpy()
        np.testing.assert_allclose(features, expected, atol=1e-5)
    np.testing.assert_array_equal(body.validation.class_ids, part.class_ids)


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_advice_from_recipe_to_phases(
    harness: None, heard: list[Event], pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test row is read; a second call trains nothing; what is written is the recommendation and loads."""
    from configs.settings import settings
    from flows import advise as flow
    from tasks.advice.advice_page import page
    from tasks.artifact import Artifact
    from tasks.tracking.runs import client

    whole, prepare = Artifact.file, flow.prepare

    def unreadable(self: Artifact, name: str) -> Path:
        if self.stage in ("split", "encode") and name.startswith("test."):
            raise PermissionError(f"{self.stage}/{name} is read")
        return whole(self, name)

    def prepared(recipe: Any) -> Any:
        rows = prepare(recipe)
        monkeypatch.setattr(Artifact, "file", unreadable)
        return rows

    monkeypatch.setattr(flow, "prepare", prepared)
    subject = read_advised(pretrained, ["evaluate.bootstrap=200"])
    advice = flow.advise(subject, flow.RaceOptions(epochs=1, full=True))
    assert json.loads(json.dumps(advice)) == advice
    assert [(each["epochs"], len(each["results"])) for each in advice["rounds"]] == [(1, 4), (2, 2)]
    assert advice["full"] is not None and advice["full"]["epochs"] == 2 and len(advice["full"]["results"]) == 4
    assert not [result["reason"] for each in advice["rounds"] for result in each["results"] if result["reason"]]
    assert advice["full_best"] is not None and advice["gain"] is not None
    trained = [event for event in heard if event.stage == "train" and event.status == "run"]
    assert len(trained) == 10 - 2, "two of the full race are those of the last round"
    assert list(studies.begun(settings().store)) == []
    api = client()
    parent = api.get_run(advice["mlflow_run_id"])
    assert parent.data.tags["temper.recommended"] == advice["best"]
    named = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    assert len(api.search_runs([parent.info.experiment_id], named)) == 8 and api.search_registered_models() == []

    heard.clear()
    again = flow.advise(subject, flow.RaceOptions(epochs=1, full=True))
    assert not [event for event in heard if event.stage == "train" and event.status == "run"]
    assert again["measures"] == advice["measures"] and again["gain"] == advice["gain"]
    assert again["mlflow_run_id"] == advice["mlflow_run_id"]

    output = pretrained.with_name("advised.yaml")
    write_recommended(subject, advice, output)
    written = output.read_text(encoding="utf-8")
    assert written.startswith("# A small BERT.\n#\n# Advised by `temper advise`") and "LogME" in written
    assert load_recipe(output) == subject.with_values(advice["changes"])
    assert "What would change the advice" in page(advice)
    with pytest.raises(RecipeError, match="not written over"):
        write_recommended(subject, advice, output)
