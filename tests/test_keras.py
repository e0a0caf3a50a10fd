"""Keras's layers in the same recipe: the same function, the same trainer, the same files."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from configs.load import RecipeError, load_recipe
from configs.models import Cnn
from configs.optimizers import Adam
from configs.schema import Train
from tasks.data.errors import DataError
from tasks.kinds.image_classification.predictor import Predictor
from tasks.kinds.image_classification.training import ImageClassification
from tasks.learn.fit import TrainingCallbacks, TrainingRun, fit
from tasks.learn.losses import Criterion
from tasks.tracking.model_package import requirements
from tasks.vision.encoding import ImageEncoding
from tasks.vision.models import build_model
from tasks.vision.parts import Part

ROOT = Path(__file__).resolve().parent.parent
PIXELS = ImageEncoding("image", ("a", "b", "c"), "L", 16, 12, False, "crop", (0.5,), (0.25,))
IMAGES = ImageClassification(PIXELS)


class Killed(Exception):
    """What ends a training from outside."""


@pytest.fixture(autouse=True)
def keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    torch.set_num_threads(1)


def source(framework: str, **changes: Any) -> Cnn:
    usual = {"channels": (4, 6), "dense": (8, 7), "dropout": 0.3, "initial": "keras", "framework": framework}
    return Cnn(kind="cnn", **{**usual, **changes})


def section(framework: str, **changes: Any) -> Train:
    return Train(
        model=source(framework, **changes),
        optimizer=Adam(kind="adam"),
        learning_rate=1e-2,
        epochs=15,
        batch_size=4,
        eval_steps=5,
        logging_steps=2,
        metric="loss",
    )


def part(rows: int, seed: int) -> Part:
    draw = np.random.default_rng(seed)
    classes = draw.integers(0, 3, rows)
    pixels = (draw.integers(0, 60, (rows, 1, 16, 12)) + classes[:, None, None, None] * 90).astype(np.uint8)
    return Part([str(i) for i in range(rows)], classes, pixels)


PARTS = {"train": part(30, 1), "validation": part(9, 2)}


def train(root: Path, kill: int | None = None) -> tuple[Any, Any]:
    how = section("keras")
    model = IMAGES.model(how, PARTS["train"])

    def report(step: int, values: Any) -> None:
        if step == kill:
            raise Killed

    callbacks = TrainingCallbacks(report, lambda *a: None, lambda *a: None)
    return model, fit(how, model, IMAGES.feed(PARTS), TrainingRun(root, callbacks, 1), IMAGES.layout(model))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.faults
def test_with_the_same_weights_both_frameworks_compute_the_same(padding: str) -> None:
    how = [section(name, padding=padding) for name in ("torch", "keras")]
    ours, theirs = (build_model(one, PIXELS, Criterion()).eval() for one in how)
    twin = dict(theirs.net.named_parameters())
    with torch.no_grad():
        for number, name in ((0, "conv1"), (3, "conv2")):
            ours.net[number].weight.copy_(twin[f"{name}.kernel"].permute(3, 2, 0, 1))
        height, width = (4, 3) if padding == "same" else (2, 1)
        first = twin["dense1.kernel"].reshape(height, width, 6, 8)
        ours.net[7].weight.copy_(first.permute(3, 2, 0, 1).reshape(8, -1))
        for number, name in ((10, "dense2"), (12, "head")):
            ours.net[number].weight.copy_(twin[f"{name}.kernel"].T)
    pixels = torch.from_numpy(PARTS["train"].pixels)
    assert torch.allclose(ours(pixel_values=pixels).logits, theirs(pixel_values=pixels).logits, atol=1e-5)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in twin.values() if p.requires_grad)


def test_initial_weights_are_glorots_and_follow_the_seed() -> None:
    how = section("keras", channels=(32,), dense=(64,))
    one, two = (build_model(how, PIXELS, Criterion()).net.state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    kernel = one["dense1.kernel"]
    limit = (6 / sum(kernel.shape)) ** 0.5
    assert kernel.abs().max() <= limit and kernel.std() == pytest.approx(limit / 3**0.5, rel=0.05)
    assert not one["dense1.bias"].any()


@pytest.mark.faults
def test_it_learns_resumes_bit_equal_is_saved_and_serves(tmp_path: Path) -> None:
    model, fitted = train(tmp_path / "whole")
    assert fitted.history[-1]["eval_accuracy"] == 1.0
    with pytest.raises(Killed):
        train(tmp_path / "killed", 18)
    again, resumed = train(tmp_path / "killed")
    assert resumed.resumed_at == 15 and resumed.history == fitted.history
    assert all(torch.equal(again.state_dict()[name], value) for name, value in model.state_dict().items())
    folder = tmp_path / "model"
    folder.mkdir()
    IMAGES.save(model, section("keras"), folder)
    PIXELS.save(folder)
    found = Predictor.load(folder, "cpu").score(PARTS["validation"].pixels)
    with torch.inference_mode():
        same = model.eval()(pixel_values=torch.from_numpy(PARTS["validation"].pixels)).logits.numpy()
    assert np.allclose(found, same, atol=1e-6)
    assert any(line.startswith("keras==") for line in requirements("image", folder / "config.json"))


def test_what_keras_does_not_offer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = ROOT / "configs" / "digits_demo.yaml"
    with pytest.raises(RecipeError, match="framework keras goes with initial: keras and without batch_norm"):
        load_recipe(digits, ["train.model.framework=keras"])
    with pytest.raises(DataError, match="leave nothing of 12 x 16 pixels"):
        build_model(section("keras", channels=(4, 4, 4, 4)), PIXELS, Criterion())

    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(DataError, match=r"pip install 'temper\[keras\]'"):
        build_model(section("keras"), PIXELS, Criterion())
