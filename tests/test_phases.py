"""Phases: what each trains, at which rate, what the audit proves, and resuming within and across them."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

from configs.models import Cnn, NewModel
from configs.optimizers import Adam, Lbfgs, Rprop, Sgd
from configs.phases import Children, Phase
from configs.schema import Train
from tasks.data.errors import DataError
from tasks.kinds.image_classification.training import ImageClassification
from tasks.kinds.text_classification.training import TextClassification
from tasks.learn import fit as fit_module
from tasks.learn.fit import Fitted, TrainingCallbacks, TrainingRun, fit
from tasks.learn.losses import Criterion, balanced
from tasks.learn.phases import Layout, hold_still, left_random, plan_phases
from tasks.text.encoding import Encoding
from tasks.text.models import take_forward
from tasks.text.supervision import SupervisedRows
from tasks.vision.encoding import ImageEncoding
from tasks.vision.models import build_model
from tasks.vision.nets import ImageClassifier
from tasks.vision.parts import Part

PIXELS = ImageEncoding("image", ("a", "b", "c"), "L", 8, 8, False, "crop", (0.5,), (0.25,))
IMAGES = ImageClassification(PIXELS)
READER = Encoding("classifier", ("neg", "pos", "so-so"), (), {"cls": 2, "sep": 3}, 16, "longest", 1)
HEAD, ALL = Phase(trainable="head", epochs=2), Phase(epochs=2)


class Killed(Exception):
    """What ends a training from outside."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def part(rows: int, seed: int) -> Part:
    """Noisy images whose class shows in their brightness."""
    draw = np.random.default_rng(seed)
    classes = draw.integers(0, 3, rows)
    pixels = (draw.integers(0, 60, (rows, 1, 8, 8)) + classes[:, None, None, None] * 90).astype(np.uint8)
    return Part([str(i) for i in range(rows)], classes, pixels)


PARTS = {"train": part(22, 1), "validation": part(9, 2)}


def section(*phases: Phase, **changes: Any) -> Train:
    net = Cnn(kind="cnn", channels=(4, 6), padding="same", batch_norm=True, dense=(8,), dropout=0.1)
    usual = {"model": net, "batch_size": 4, "eval_steps": 4, "logging_steps": 2, "metric": "loss"}
    usual |= {"optimizer": Adam(kind="adam"), "learning_rate": 1e-2}
    return Train(**{**usual, "phases": phases, **changes})


def net(how: Train) -> ImageClassifier:
    """A net whose convolutions count as loaded and whose last layer is new."""
    model = build_model(how, PIXELS, Criterion())
    model.fresh = frozenset(name for name, _ in model.named_parameters() if name.startswith(f"net.{model.head}."))
    model.loaded = "- the convolutions"
    return model


Spoil = Callable[[ImageClassifier], None]


def train(
    root: Path,
    how: Train,
    kill: Callable[[int, dict[str, float]], bool] | None = None,
    *,
    spoil: Spoil | None = None,
    start: Spoil = lambda model: None,
) -> tuple[dict[str, Tensor], Fitted, list[str]]:
    model, said = net(how), []
    start(model)

    def report(step: int, values: Any) -> None:
        if spoil is not None:
            spoil(model)
        if kill is not None and kill(step, values):
            raise Killed

    torch.seed()
    callbacks = TrainingCallbacks(report, lambda *a: None, said.append)
    fitted = fit(how, model, IMAGES.feed(PARTS), TrainingRun(root, callbacks, 1), IMAGES.layout(model))
    return model.state_dict(), fitted, said


def reader() -> Any:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        num_labels=3,
    )
    model = take_forward(BertForSequenceClassification(config), SupervisedRows)
    model.fresh = frozenset({"classifier.weight", "classifier.bias"})
    return model


def trained(*phases: Phase, **changes: Any) -> list[set[str]]:
    model = reader()
    layout = TextClassification(READER, None).layout(model)  # type: ignore[arg-type]
    how = Train(model=NewModel(kind="new", family="bert"), phases=phases, **changes)
    return [set(plan.trained) for plan in plan_phases(how, layout)]


def of(prefix: str) -> set[str]:
    return {name for name, _ in reader().named_parameters() if name.startswith(prefix)}


EVERYTHING = of("")


def test_parts_are_chosen_by_name_by_count_or_as_head() -> None:
    head = of("classifier")
    layers = [of(f"bert.encoder.layer.{number}.") for number in range(3)]
    cases: list[tuple[Phase, set[str]]] = [
        (Phase(), EVERYTHING),
        (Phase(trainable="head"), head),
        (Phase(freeze="encoder.layer.0-1"), EVERYTHING - layers[0] - layers[1]),  # type: ignore[arg-type]
        (Phase(freeze=("bert.encoder.layer.0", "embeddings")), EVERYTHING - layers[0] - of("bert.embeddings")),
        (Phase(trainable=("classifier", "encoder.layer.2")), head | layers[2]),
        (Phase(trainable=("*.bias",)), {name for name in EVERYTHING if name.endswith(".bias")}),
        (Phase(freeze=Children(first=2)), of("bert.pooler") | head),
        (Phase(trainable=Children(last=1)), head),
        (Phase(trainable=("encoder",), freeze=("encoder.layer.1-2",)), layers[0]),
    ]
    for phase, wanted in cases:
        assert trained(phase) == [wanted], phase
    assert trained() == [EVERYTHING]


def test_the_first_children_of_a_net_are_its_own() -> None:
    how = section(Phase(freeze=Children(first=5)))
    plan = plan_phases(how, IMAGES.layout(net(how)))[0]
    assert {name.split(".")[1] for name in plan.trained} == {"5", "9", "12"}, (
        "0 to 4 are convolution, norm, ReLU, pooling, convolution"
    )


def test_new_weights_that_no_phase_trains_are_told() -> None:
    """Features that start random and stay so are worth nothing, and a mistake in all but a few recipes."""
    how = section(Phase(freeze=("0", "4")), Phase(trainable="head"))
    layout = IMAGES.layout(net(how))
    assert layout.fresh, "this net's first layers count as loaded"
    assert left_random(plan_phases(how, layout), layout) == ""
    new = replace(layout, fresh=frozenset(), new=True)
    assert left_random(plan_phases(how, new), new).startswith(
        "4 parameters start new and no phase trains them, so they stay random (0, 4): give train.model weights"
    )
    later = section(Phase(freeze=("0", "4")), Phase())
    assert left_random(plan_phases(later, new), new) == ""
    headless = section(Phase(freeze=("12",)))
    assert "(12)" in left_random(plan_phases(headless, layout), layout), "a new head among loaded layers"
    assert TextClassification(READER, None).layout(reader()).new, "a text model with a family's new weights"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        (Phase(freeze=("encoder.layr.0",)), r"phases\.0\.freeze: no part .* did you mean encoder\.layer\.0"),
        (Phase(trainable=("xyz",)), r"its parts are embeddings, encoder, pooler, classifier"),
        (Phase(trainable=Children(first=9)), r"the model has 5 children, not 9"),
        (Phase(trainable="head", freeze=("classifier",)), r"phases\.0 leaves nothing to train"),
        (Phase(rates={"nothing": 0.1}), r"phases\.0\.rates: no part"),
    ],
)
def test_parts_that_are_none_are_named(phase: Phase, message: str) -> None:
    with pytest.raises(DataError, match=message):
        trained(phase)


def test_a_model_without_a_head_of_its_own_is_named() -> None:
    layout = Layout({"wte.weight": "wte.weight"}, ("wte",))
    with pytest.raises(DataError, match="leaves nothing to train: this model has no head of its own"):
        plan_phases(Train(model=NewModel(kind="new", family="gpt2"), phases=(Phase(trainable="head"),)), layout)


def test_loaded_weights_move_at_a_tenth_of_the_rate_of_new_ones() -> None:
    how = section(Phase(learning_rate=0.5, rates={"0": 0.03}), Phase(pretrained_rate=0.0), learning_rate=0.2)
    first, second = plan_phases(how, IMAGES.layout(net(how)))
    assert (first.rates["net.12.weight"], first.rates["net.4.weight"], first.rates["net.0.bias"]) == (0.5, 0.05, 0.03)
    assert (second.rates["net.12.weight"], second.rates["net.4.weight"]) == (0.2, 0.0)
    assert set(plan_phases(section(), IMAGES.layout(net(how)))[0].rates.values()) == {1e-2}, "no phases, one rate"


def test_rates_reach_the_optimiser_and_zero_leaves_weights_in_place(tmp_path: Path) -> None:
    """Plain SGD for one step: each part moves by its own rate times its gradient."""
    how = section(Phase(rates={"0": 0.0}), learning_rate=0.5, optimizer=Sgd(kind="sgd"), batch_size=22)
    before = net(how).state_dict()
    after, fitted, _ = train(tmp_path, how)
    assert torch.equal(after["net.0.weight"], before["net.0.weight"])
    assert not torch.equal(after["net.4.weight"], before["net.4.weight"])
    assert "net.0.weight" in fitted.audits[0].still, "the audit tells what a rate of 0 left in place"


def test_a_rate_of_zero_freezes_batch_norms_too(tmp_path: Path) -> None:
    """The fourth way of freezing: neither weights nor statistics move, and the audit holds both."""
    after, fitted, _ = train(tmp_path, section(Phase(rates={"0": 0.0, "1": 0.0})))
    before = net(section()).state_dict()
    frozen = [name for name in before if name.startswith(("net.0.", "net.1."))]
    assert len(frozen) == 7 and all(torch.equal(after[name], before[name]) for name in frozen)
    assert set(frozen) <= set(fitted.audits[0].still)
    assert "net.5.running_mean" in fitted.audits[0].moved
    every = plan_phases(section(Phase(pretrained_rate=0.0)), IMAGES.layout(net(section())))[0]
    assert every.trained == {"net.12.weight", "net.12.bias"}
    with pytest.raises(DataError, match="leaves nothing to train"):
        plan_phases(section(Phase(rates={"*": 0.0})), IMAGES.layout(net(section())))


def test_only_the_head_moves_then_everything(tmp_path: Path) -> None:
    how = section(HEAD, ALL)
    start = net(how).state_dict()
    _, fitted, _ = train(tmp_path, how)
    head, everything = fitted.audits
    assert set(head.moved) == {"net.12.weight", "net.12.bias"}
    assert "net.1.running_mean" in head.still and "net.1.running_mean" in everything.moved
    assert {name for name in start if "num_batches" not in name} <= set(everything.moved)
    assert (head.start, head.end, everything.start, everything.end) == (1, 12, 13, 24)
    assert [row["step"] for row in fitted.history] == sorted(row["step"] for row in fitted.history)
    assert fitted.steps == 24 and 13 <= fitted.step <= 24


def shift(model: ImageClassifier) -> None:
    with torch.no_grad():
        model.net[0].weight += 1e-3  # type: ignore[index]


def thaw(model: ImageClassifier) -> None:
    model.net[1].__dict__.pop("train", None)  # type: ignore[index]


@pytest.mark.parametrize(("spoil", "part"), [(shift, r"net\.0\.weight"), (thaw, r"net\.1\.running_mean")])
def test_the_audit_catches_what_moved_though_it_was_frozen(tmp_path: Path, spoil: Spoil, part: str) -> None:
    """Planted: a frozen layer that something changes, and a frozen batch norm that keeps counting."""
    with pytest.raises(DataError, match=rf"holds still have moved, such as {part}"):
        train(tmp_path, section(HEAD, ALL), spoil=spoil)
    assert not list(tmp_path.glob("phase-1/end")), "nothing is kept of it"


def test_the_audit_catches_a_layer_that_was_not_frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(model: nn.Module, trained: Any) -> frozenset[str]:
        return hold_still(model, {*trained, "net.4.weight"})

    monkeypatch.setattr(fit_module, "hold_still", forgetful)
    with pytest.raises(DataError, match=r"such as net\.4\.weight"):
        train(tmp_path, section(HEAD))


def test_a_thawed_batch_norm_counts_again() -> None:
    model = net(section())
    hold_still(model, set())
    assert not model.train().net[1].training  # type: ignore[index]
    hold_still(model, {name for name, _ in model.named_parameters()})
    assert model.train().net[1].training  # type: ignore[index]


WHEN: dict[str, Callable[[int, dict[str, float]], bool]] = {
    "in the first phase": lambda step, values: step == 8,
    "at its last validation": lambda step, values: step == 12 and "eval_loss" in values,
    "at the second's first report": lambda step, values: step == 14,
    "in the second phase": lambda step, values: step == 18,
    "at the very end": lambda step, values: step == 24 and "eval_loss" in values,
}


def equal(one: tuple[dict[str, Tensor], Fitted, list[str]], other: tuple[dict[str, Tensor], Fitted, list[str]]) -> None:
    assert one[1].history == other[1].history
    assert (one[1].step, one[1].steps, one[1].audits) == (other[1].step, other[1].steps, other[1].audits)
    assert all(torch.equal(one[0][name], value) for name, value in other[0].items())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Tensor], Fitted, list[str]]:
    torch.set_num_threads(1)
    return train(tmp_path_factory.mktemp("whole"), section(HEAD, ALL))


@pytest.mark.parametrize(
    "when", [pytest.param(when, marks=[pytest.mark.faults] * (when != "in the second phase")) for when in WHEN]
)
def test_a_killed_training_ends_bit_equal_whichever_phase_it_was_in(tmp_path: Path, when: str, whole: Any) -> None:
    with pytest.raises(Killed):
        train(tmp_path, section(HEAD, ALL), WHEN[when])
    again = train(tmp_path, section(HEAD, ALL))
    assert again[1].resumed_at is not None
    equal(again, whole)


@pytest.mark.faults
def test_damaged_weights_of_an_ended_phase_are_made_anew(tmp_path: Path, whole: Any) -> None:
    with pytest.raises(Killed):
        train(tmp_path, section(HEAD, ALL), WHEN["in the second phase"])
    path = tmp_path / "phase-1" / "end" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    again = train(tmp_path, section(HEAD, ALL))
    assert "the weights of phase-1 are damaged (model.safetensors has other bytes than were written)" in again[2][0]
    equal(again, whole)
    shutil.rmtree(tmp_path / "phase-1")
    equal(train(tmp_path, section(HEAD, ALL)), whole)


@pytest.mark.parametrize("phase", [HEAD, Phase(freeze=("0-2",), epochs=2), ALL], ids=["head", "some", "all"])
def test_checkpoints_hold_what_a_phase_changes_and_no_frozen_weights(tmp_path: Path, phase: Phase) -> None:
    how = section(phase)
    state, _, _ = train(tmp_path, how)
    trained = plan_phases(how, IMAGES.layout(net(how)))[0].trained
    frozen = {name for name, _ in net(how).named_parameters()} - trained
    held = [set(load_file(path)) for path in tmp_path.glob("checkpoint-*/model.safetensors")]
    assert len(held) >= 2 and held == [state.keys() - frozen] * len(held)
    assert bool(frozen) == (phase is not ALL)


def test_a_checkpoint_beside_other_frozen_weights_is_not_gone_on_from(tmp_path: Path) -> None:
    how = section(HEAD)
    with pytest.raises(Killed):
        train(tmp_path / "killed", how, lambda step, values: step == 10)
    assert train(tmp_path / "killed", how)[1].resumed_at == 8
    with pytest.raises(Killed):
        train(tmp_path / "other", how, lambda step, values: step == 10)
    _, fitted, said = train(tmp_path / "other", how, start=shift)
    assert fitted.resumed_at is None and len(said) == 2
    assert all("is damaged (it goes with other frozen weights)" in line for line in said)


def test_each_phase_has_its_own_patience_schedule_and_optimiser(tmp_path: Path) -> None:
    how = section(
        Phase(epochs=9, patience=1, learning_rate=1e-9),
        Phase(epochs=2, schedule="linear", optimizer=Sgd(kind="sgd"), learning_rate=0.1),
    )
    _, fitted, _ = train(tmp_path, how)
    first, second = fitted.audits
    assert first.end < 54, "stopped early"
    assert second.end - first.end == 12
    rates = [row["learning_rate"] for row in fitted.history if "learning_rate" in row and row["step"] > first.end]
    assert rates == sorted(rates, reverse=True) and rates[0] > 0.05 * 0.1 and rates[-1] < rates[0]


# optimisers, schedules, losses, precision


def test_the_rate_goes_down_by_steps(tmp_path: Path) -> None:
    how = section(epochs=4, schedule="step", step_epochs=2, step_factor=0.5, logging_steps=1)
    _, fitted, _ = train(tmp_path, how)
    rates = {row["step"]: row["learning_rate"] for row in fitted.history if "learning_rate" in row}
    assert [rates[step] for step in (1, 11, 13, 24)] == [0.01, 0.01, 0.005, 0.005], "6 steps an epoch"


def test_lbfgs_is_torchs_with_its_closure(tmp_path: Path) -> None:
    how = section(
        epochs=3,
        optimizer=Lbfgs(kind="lbfgs", max_iter=5, line_search="strong_wolfe"),
        learning_rate=0.5,
        batch_size=22,
        model=Cnn(kind="cnn", channels=(4,), dense=(), dropout=0.0),
    )
    model = build_model(how, PIXELS, Criterion())
    plain = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=5, line_search_fn="strong_wolfe")
    pixels, labels = torch.from_numpy(PARTS["train"].pixels), torch.from_numpy(PARTS["train"].class_ids)
    losses = []
    for _ in range(3):

        def closure() -> Tensor:
            plain.zero_grad()
            loss = model(pixel_values=pixels, labels=labels).loss
            loss.backward()
            return loss

        losses.append(float(plain.step(closure).detach()))
    found, fitted, _ = train(tmp_path / "lbfgs", how)
    assert losses[-1] < 0.1 * losses[0]
    assert fitted.step == 3
    for name, value in model.state_dict().items():
        assert torch.allclose(found[name], value, atol=2e-3), name


@pytest.mark.faults
def test_lbfgs_with_dropout_resumes_bit_equal(tmp_path: Path) -> None:
    how = section(epochs=2, optimizer=Lbfgs(kind="lbfgs", max_iter=3), learning_rate=0.1)
    once = train(tmp_path / "whole", how)
    with pytest.raises(Killed):
        train(tmp_path / "killed", how, lambda step, values: step == 6)
    equal(train(tmp_path / "killed", how), once)


def test_lbfgs_refuses_several_rates(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="set pretrained_rate: 1"):
        train(tmp_path, section(ALL, optimizer=Lbfgs(kind="lbfgs")))
    with pytest.raises(ValueError, match="neither accumulation nor clip"):
        section(optimizer=Lbfgs(kind="lbfgs"), clip=1.0)
    for change in ({"clip": 1.0}, {"accumulation": 2}, {"precision": "bfloat16"}):
        with pytest.raises(ValueError, match="rprop reads the signs of gradients alone"):
            section(optimizer=Rprop(kind="rprop"), **change)


def test_losses_are_torchs() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 0, 1])
    one_hot, soft = nn.functional.one_hot(labels, 3).float(), logits.softmax(1)
    wanted = {
        "cross_entropy": nn.CrossEntropyLoss()(logits, labels),
        "nll": nn.NLLLoss()(logits.log_softmax(1), labels),
        "bce": nn.BCEWithLogitsLoss()(logits, one_hot),
        "softmax_bce": nn.BCELoss()(soft, one_hot),
        "mse": nn.MSELoss()(soft, one_hot),
        "euclidean": nn.PairwiseDistance(eps=0)(soft, one_hot).mean(),
        "cosine": nn.CosineEmbeddingLoss()(soft, one_hot, torch.ones(6)),
    }
    for name, value in wanted.items():
        assert torch.allclose(Criterion({name: 1.0})(logits, labels, None), value, atol=1e-6), name
        assert torch.allclose(Criterion({name: 1.0})(logits, labels, 12), value / 2, atol=1e-6), name
    mixed = Criterion({"cross_entropy": 0.7, "cosine": 2.0})(logits, labels, None)
    assert torch.allclose(mixed, 0.7 * wanted["cross_entropy"] + 2 * wanted["cosine"], atol=1e-6)
    smooth = Criterion({"nll": 1.0}, 0.2)(logits, labels, None)
    assert torch.allclose(smooth, nn.CrossEntropyLoss(label_smoothing=0.2)(logits, labels), atol=1e-6)
    weights = balanced(labels.numpy(), 3)
    assert weights == (6 / 9, 1.0, 2.0)
    weighted = Criterion(classes=weights)(logits, labels, None)
    plain = nn.CrossEntropyLoss(weight=torch.tensor(weights), reduction="sum")(logits, labels) / 6
    assert torch.allclose(weighted, plain, atol=1e-6)


def test_class_weights_for_other_classes_are_refused() -> None:
    how = section(class_weights=(1.0, 2.0))
    with pytest.raises(DataError, match="class_weights has 2 values, the labels are 3"):
        IMAGES.model(how, PARTS["train"])


def test_the_output_layer_stays_float32_in_reduced_precision(tmp_path: Path) -> None:
    how = section(precision="bfloat16")
    model, seen = net(how), []
    model.net[9].register_forward_hook(lambda module, given, made: seen.append(("dense", made.dtype)))  # type: ignore[index]
    model.net[12].register_forward_hook(lambda module, given, made: seen.append(("head", made.dtype)))  # type: ignore[index]
    quiet = TrainingCallbacks(lambda *a: None, lambda *a: None, lambda *a: None)
    fit(how, model, IMAGES.feed(PARTS), TrainingRun(tmp_path, quiet, 1), IMAGES.layout(model))
    assert set(seen) == {("dense", torch.bfloat16), ("head", torch.float32)}
