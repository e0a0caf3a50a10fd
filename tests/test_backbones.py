"""Backbones and their weights: built by name, loaded with an account of every tensor, never run as code."""

import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from configs.load import RecipeError, load_recipe
from configs.models import CifarResnet, Torchvision
from configs.phases import Children, Phase
from configs.schema import Train
from tasks.data.errors import DataError
from tasks.kinds.image_classification.training import ImageClassification
from tasks.learn.fit import TrainingCallbacks, TrainingRun, fit
from tasks.learn.losses import Criterion
from tasks.learn.phases import plan_phases
from tasks.pins import pin
from tasks.vision.backbones import ConcatPool, build_torchvision
from tasks.vision.encoding import ImageEncoding
from tasks.vision.models import build_model, save_model
from tasks.vision.nets import ImageClassifier, load_model
from tasks.vision.parts import Part
from tasks.vision.weights import load_weights, read_weights

ROOT = Path(__file__).resolve().parent.parent
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pixels(side: int = 32, mode: str = "RGB") -> ImageEncoding:
    mean, std = ((0.5,), (0.25,)) if mode == "L" else (MEAN, STD)
    return ImageEncoding("image", ("ants", "bees"), mode, side, side, True, "crop", mean, std)


def model(source: Any, encoding: ImageEncoding | None = None, **changes: Any) -> ImageClassifier:
    return build_model(Train(model=source, **changes), encoding or pixels(), Criterion())


def small(file: Path | None = None, partial: bool = False) -> CifarResnet:
    return CifarResnet(kind="cifar_resnet", file=str(file) if file else None, partial=partial)


@pytest.mark.parametrize(
    ("depth", "name", "tensors"), [(20, "resnet20-12fca82f.th", 97), (56, "resnet56-4bfd9763.th", 277)]
)
def test_published_cifar_weights_load_through_their_wrapper(
    datasets: Path, depth: Any, name: str, tensors: int
) -> None:
    path = datasets / "pretrained" / "resnet-cifar10" / name
    raw = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    assert len(raw) == tensors and all(key.startswith("module.") for key in raw)
    found = model(CifarResnet(kind="cifar_resnet", depth=depth, file=str(path)))
    assert found.fresh == {"net.linear.weight", "net.linear.bias"}
    assert found.loaded.splitlines() == [
        f"- {tensors - 2} tensors loaded from {name}",
        "- new: linear.weight, linear.bias",
    ]
    own = found.net.state_dict()
    assert all(torch.equal(own[key[7:]], value) for key, value in raw.items() if "linear" not in key)
    published = {20: 269_722, 56: 853_018}[depth]
    assert sum(value.numel() for value in found.parameters()) == published - 8 * 65, "2 classes in place of 10"


def test_a_basic_block_is_the_published_one() -> None:
    """Written out once more with plain functions: option A's shortcut, two convolutions, ReLU last."""
    block = model(small()).net.layer2[0].eval()
    images = torch.randn(2, 16, 8, 8)
    f = nn.functional
    first = f.relu(block.bn1(f.conv2d(images, block.conv1.weight, stride=2, padding=1)))
    second = block.bn2(f.conv2d(first, block.conv2.weight, padding=1))
    short = torch.zeros(2, 32, 4, 4)
    short[:, 8:24] = images[:, :, ::2, ::2]
    assert torch.allclose(block(images), f.relu(second + short), atol=1e-6)


@pytest.fixture
def tensors() -> dict[str, Any]:
    torch.manual_seed(5)
    return {
        name: torch.rand_like(value) / 10 if value.is_floating_point() else value
        for name, value in model(small()).net.state_dict().items()
    }


def test_wrappers_nesting_and_formats_are_all_read(tmp_path: Path, tensors: dict[str, Any]) -> None:
    wrapped = {f"module.{name.replace('layer1.', 'layer1.module.')}": value for name, value in tensors.items()}
    torch.save({"model": wrapped, "epoch": 3}, tmp_path / "a.pth")
    torch.save(tensors, tmp_path / "b.pt")
    save_file(tensors, tmp_path / "c.safetensors")
    for name in ("a.pth", "b.pt", "c.safetensors"):
        found = model(small(tmp_path / name)).net.state_dict()
        assert torch.equal(found["layer1.0.conv1.weight"], tensors["layer1.0.conv1.weight"]), name
        assert not torch.equal(found["linear.weight"], tensors["linear.weight"]), "the last layer is new"


def test_what_does_not_fit_is_named_tensor_by_tensor(tmp_path: Path, tensors: dict[str, Any]) -> None:
    odd = dict(tensors)
    del odd["layer3.2.bn2.weight"]
    odd["conv1.weight"] = torch.zeros(16, 1, 3, 3)
    odd["extra.weight"] = torch.zeros(3)
    save_file(odd, tmp_path / "odd.safetensors")
    said = (
        r"odd.*: 1 of the model's tensors are not in it, such as layer3\.2\.bn2\.weight; conv1\.weight is "
        r"\[16, 1, 3, 3\] there, \[16, 3, 3, 3\] here; .*partial: true"
    )
    with pytest.raises(DataError, match=said):
        model(small(tmp_path / "odd.safetensors"))
    found = model(small(tmp_path / "odd.safetensors", partial=True))
    assert {"net.conv1.weight", "net.layer3.2.bn2.weight", "net.linear.weight"} <= found.fresh
    assert "- new, since of another shape there: conv1.weight" in found.loaded
    assert "- left over there: extra.weight" in found.loaded
    with pytest.raises(DataError, match="none of its 2 tensors fits this model, such as a"):
        load_weights(found.net, {"a": torch.zeros(1), "b": torch.zeros(2)}, "linear", True, "x")


class Canary:
    """What a hostile weights file may hold."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_files_that_are_no_weights_are_refused_and_never_run(tmp_path: Path, tensors: dict[str, Any]) -> None:
    canary = tmp_path / "executed"
    (tmp_path / "raw.pth").write_bytes(pickle.dumps(Canary(canary)))
    torch.save({"state_dict": Canary(canary)}, tmp_path / "zipped.pt")
    torch.save(tensors, tmp_path / "cut.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "cut.pt").read_bytes()[:5000])
    (tmp_path / "text.safetensors").write_text("hello")
    torch.save([1, 2], tmp_path / "list.pt")
    (tmp_path / "weights.h5").write_bytes(b"x")
    for name, said in (
        ("raw.pth", "holds more than tensors"),
        ("zipped.pt", "holds more than tensors"),
        ("cut.pt", "not a whole weights file|damaged"),
        ("text.safetensors", "not a whole weights file"),
        ("list.pt", "holds no tensors by name"),
        ("weights.h5", "should end in one of"),
        ("absent.pt", "no such file"),
    ):
        with pytest.raises(DataError, match=said):
            read_weights(tmp_path / name)
    assert not canary.exists()
    pickle.loads((tmp_path / "raw.pth").read_bytes())
    assert canary.exists(), "the canary does sing when it is let out"


HEADS = {
    "resnet18": "fc",
    "squeezenet1_1": "classifier.1",
    "alexnet": "classifier.6",
    "googlenet": "fc",
    "mobilenet_v3_small": "classifier.3",
}


@pytest.mark.parametrize("name", HEADS)
def test_torchvisions_nets_get_a_new_last_layer(name: str) -> None:
    found = model(Torchvision(kind="torchvision", name=name), pixels(96)).eval()
    assert found.head == HEADS[name]
    assert found(pixel_values=torch.zeros(2, 3, 96, 96, dtype=torch.uint8)).logits.shape == (2, 2)
    first = next(name for name, _ in found.net.named_children())
    assert first in ("conv1", "features"), "the source's own names, for phases"


def test_alexnet_is_the_published_one() -> None:
    net = model(Torchvision(kind="torchvision", name="alexnet"), pixels(224)).net
    assert [part.out_channels for part in net.features if isinstance(part, nn.Conv2d)] == [64, 192, 384, 256, 256]
    linear = [part for part in net.classifier if isinstance(part, nn.Linear)]
    assert [(part.in_features, part.out_features) for part in linear] == [(9216, 4096), (4096, 4096), (4096, 2)]


def test_the_concat_pool_head_sees_average_and_maximum() -> None:
    net = build_torchvision({"name": "resnet50", "head": "concat_pool"}, (3, 64, 64), 5)
    kinds = [type(part).__name__ for part in net.fc]
    assert kinds == ["Flatten", "BatchNorm1d", "Dropout", "Linear", "ReLU", "BatchNorm1d", "Linear"]
    assert (net.fc[3].in_features, net.fc[3].out_features, net.fc[2].p, net.fc[6].out_features) == (4096, 512, 0.5, 5)
    maps = torch.randn(2, 4, 3, 3)
    assert torch.equal(ConcatPool()(maps).flatten(1), torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))
    source = Torchvision(kind="torchvision", name="resnet18", head="concat_pool")
    found = model(source, pixels(64))
    layout = ImageClassification(pixels(64)).layout(found)
    assert {name.split(".")[1] for name in layout.head} == {"fc"} and len(layout.head) == 8


@pytest.mark.parametrize(
    ("source", "encoding", "said"),
    [
        (Torchvision(kind="torchvision", name="resnet18"), pixels(64, "L"), "set encode.mode: RGB"),
        (Torchvision(kind="torchvision", name="vit_b_16"), pixels(50), "images of 50 x 50 pixels .*encode.size"),
        (Torchvision(kind="torchvision", name="alexnet"), pixels(32), "cannot take images of 32 x 32 pixels"),
        (Torchvision(kind="torchvision", name="densenet121", head="concat_pool"), pixels(64), "take head: linear"),
        (CifarResnet(kind="cifar_resnet"), pixels(32, "L"), "set encode.mode: RGB"),
    ],
)
def test_what_cannot_be_built_is_said(source: Any, encoding: ImageEncoding, said: str) -> None:
    with pytest.raises(DataError, match=said):
        model(source, encoding)


def test_a_files_bytes_enter_the_key_and_its_place_does_not(tmp_path: Path, tensors: dict[str, Any]) -> None:
    keys = []
    for name, content in (
        ("a.safetensors", tensors),
        ("b.safetensors", tensors),
        ("c.safetensors", {**tensors, "conv1.weight": torch.zeros(16, 3, 3, 3)}),
    ):
        save_file(content, tmp_path / name)
        keys.append(pin(Train(model=small(tmp_path / name)), ask=False)[1]["model"])
    assert keys[0] == keys[1] != keys[2]
    assert set(keys[0]) == {"kind", "sha256"}


def test_it_is_trained_by_phases_saved_and_loaded_without_its_first_weights(
    tmp_path: Path, tensors: dict[str, Any]
) -> None:
    save_file(tensors, tmp_path / "start.safetensors")
    source, images = small(tmp_path / "start.safetensors"), ImageClassification(pixels())
    phases = (Phase(trainable="head"), Phase(freeze=Children(first=3)))
    how = Train(model=source, phases=phases, batch_size=4, eval_steps=2, logging_steps=1, learning_rate=1e-2)
    draw = np.random.default_rng(0)
    part = Part([str(i) for i in range(8)], np.arange(8) % 2, draw.integers(0, 255, (8, 3, 32, 32)).astype(np.uint8))
    found = images.model(how, part)
    layout = images.layout(found)
    rates = plan_phases(how, layout)[1].rates
    assert (rates["net.linear.weight"], rates["net.layer3.0.conv1.weight"]) == (1e-2, pytest.approx(1e-3))
    quiet = TrainingCallbacks(*[lambda *a: None] * 3)
    first, second = fit(
        how, found, images.feed({"train": part, "validation": part}), TrainingRun(tmp_path / "c", quiet, 1), layout
    ).audits
    assert set(first.moved) == {"net.linear.weight", "net.linear.bias"}
    assert {name.split(".")[1] for name in second.moved} == {"layer2", "layer3", "linear"}
    (tmp_path / "model").mkdir()
    save_model(found, source, tmp_path / "model")
    (tmp_path / "start.safetensors").unlink()
    again = load_model(tmp_path / "model", pixels())
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in found.state_dict().items())
    assert "start" not in (tmp_path / "model" / "config.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "head", "side", "rows", "batch", "said"),
    [
        ("resnet18", "concat_pool", 64, 5, 4, r"5 training rows leave a last batch of one row.*batch_size to 5"),
        ("resnet18", "linear", 32, 5, 4, r"leave a last batch of one row.*set train\.batch_size to 5"),
        ("mobilenet_v3_small", "linear", 32, 9, 2, r"leave a last batch of one row.*set train\.batch_size to 3"),
        ("resnet18", "linear", 32, 4, 1, r"leave batches of one row.*set train\.batch_size to 2"),
        ("resnet18", "linear", 32, 1, 4, r"there is one training row, .*add rows"),
        ("resnet18", "linear", 64, 5, 4, None),
        ("alexnet", "linear", 64, 1, 4, None),
    ],
)
def test_one_row_is_refused_before_any_step_where_a_batch_norm_would_fail(
    tmp_path: Path, name: str, head: Any, side: int, rows: int, batch: int, said: str | None
) -> None:
    images = ImageClassification(pixels(side))
    how = Train(model=Torchvision(kind="torchvision", name=name, head=head), batch_size=batch, epochs=1)
    part = Part(list("abcdefghi"[:rows]), np.arange(rows) % 2, np.zeros((rows, 3, side, side), np.uint8))
    found, steps = images.model(how, part), []
    feed = images.feed({"train": part, "validation": Part([], part.class_ids[:0], part.pixels[:0])})
    callbacks = TrainingCallbacks(lambda *_: None, lambda step, *_: steps.append(step), lambda *_: None)
    if said is None:
        fit(how, found, feed, TrainingRun(tmp_path, callbacks, 1))
        return
    before = {key: value.clone() for key, value in found.state_dict().items()}
    state = torch.get_rng_state()
    with pytest.raises(DataError, match=said):
        fit(how, found, feed, TrainingRun(tmp_path, callbacks, 1))
    assert not steps and torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, found.state_dict()[key]) for key, value in before.items())


def test_a_batch_norm_that_is_held_still_takes_one_row(tmp_path: Path) -> None:
    images = ImageClassification(pixels(32))
    how = Train(model=Torchvision(kind="torchvision", name="resnet18"), batch_size=4, phases=(Phase(trainable="head"),))
    part = Part(list("abcde"), np.arange(5) % 2, np.zeros((5, 3, 32, 32), np.uint8))
    found = images.model(how, part)
    feed = images.feed({"train": part, "validation": part})
    quiet = TrainingCallbacks(*[lambda *a: None] * 3)
    audit = fit(how, found, feed, TrainingRun(tmp_path, quiet, 1), images.layout(found)).audits[0]
    assert audit.end == 2 and "net.bn1.running_mean" in audit.still


def test_weights_from_two_places_are_refused_at_load() -> None:
    with pytest.raises(RecipeError, match="weights and file exclude each other"):
        load_recipe(ROOT / "configs" / "ants_bees_resnet18.yaml", ["train.model.file=x.pth"])


def test_the_first_nine_children_of_a_residual_net_are_all_but_its_head() -> None:
    """The published example freezes by count: conv1, bn1, relu, maxpool, four layers and avgpool."""
    for name in ("resnet18", "resnet50"):
        how = Train(model=Torchvision(kind="torchvision", name=name), phases=(Phase(freeze=Children(first=9)),))
        layout = ImageClassification(pixels(64)).layout(build_model(how, pixels(64), Criterion()))
        assert len(layout.children) == 10
        assert plan_phases(how, layout)[0].trained == {"net.fc.weight", "net.fc.bias"}


@pytest.mark.parametrize("name", ["cifar_resnet", "resnet18", "alexnet"])
def test_the_recipes_load(name: str) -> None:
    assert load_recipe(ROOT / "configs" / f"ants_bees_{name}.yaml").train.phases
