"""Weights, published or of one's own: what recipes may name, what files are refused, what is fetched and kept."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torchvision
from hub_server import Hub, sha256
from safetensors.torch import save_file
from torch import Tensor, nn

from configs import weights as known
from configs.load import RecipeError, load_recipe
from configs.models import CifarResnet, Torchvision
from configs.schema import Train
from tasks.artifact import digest_file
from tasks.data.errors import DataError
from tasks.data.sources import fetch
from tasks.learn.losses import Criterion
from tasks.pins import pin
from tasks.vision.backbones import build_torchvision
from tasks.vision.encoding import ImageEncoding
from tasks.vision.models import build_model, save_model
from tasks.vision.nets import ImageClassifier, load_model
from tasks.vision.weights import load_weights, read_weights

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "configs" / "ants_bees_resnet18.yaml"
SMALL = Torchvision(kind="torchvision", name="squeezenet1_1", weights="IMAGENET1K_V1")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pixels(side: int) -> ImageEncoding:
    return ImageEncoding("image", ("ants", "bees"), "RGB", side, side, True, "crop", *known.IMAGENET)


def model(source: Any, side: int = 64) -> ImageClassifier:
    return build_model(Train(model=source), pixels(side), Criterion())


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.fc = nn.Linear(40, 30), nn.Linear(30, 3)


def tensors(**changes: Tensor) -> dict[str, Tensor]:
    torch.manual_seed(3)
    return {**Small().state_dict(), **changes}


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.th", "net.bin"])
def test_a_flipped_bit_that_torch_overlooks_is_found(tmp_path: Path, name: str) -> None:
    path, state = tmp_path / name, tensors()
    torch.save(state, path)
    at = path.read_bytes().index(state["body.weight"].numpy().tobytes())
    flip(path, at + 2000)
    assert not torch.equal(torch.load(path, weights_only=True)["body.weight"], state["body.weight"]), "torch is silent"
    with pytest.raises(DataError, match=rf"{name}: not a whole weights file \(wrong checksum of .*data/0\)"):
        read_weights(path)


SAVED: dict[str, Callable[[Any, Path], None]] = {
    "net.pt": lambda state, path: torch.save(state, path),
    "old.pt": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    "net.safetensors": lambda state, path: save_file(state, path),
}


@pytest.mark.parametrize("name", SAVED)
def test_files_cut_short_are_refused_at_every_length(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    SAVED[name](tensors(), path)
    whole = path.read_bytes()
    for length in {0, 1, 7, 8, 9, *range(0, len(whole), 97), len(whole) - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(
            DataError, match=rf"{name}: (not a whole|holds more than tensors, or is damaged|the file is)"
        ):
            read_weights(path)


@pytest.mark.parametrize("name", SAVED)
def test_damage_anywhere_is_a_message_or_harmless(tmp_path: Path, name: str) -> None:
    """Of the three formats only the newer one of torch has checksums: there, no value ever differs."""
    path, state = tmp_path / name, tensors()
    SAVED[name](state, path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 23):
        path.write_bytes(whole)
        flip(path, at)
        try:
            found = read_weights(path)
        except DataError:
            continue
        for key in found if name == "net.pt" else ():
            assert torch.equal(found[key], state[key]), f"{key} differs after a flip at {at}"


def test_values_that_are_not_finite_are_refused_by_name() -> None:
    for value in (float("nan"), float("inf")):
        odd = tensors()
        odd["body.weight"][2, 1] = value
        with pytest.raises(DataError, match=r"x\.pth: body\.weight holds values that are not finite"):
            load_weights(Small(), odd, "fc", True, "x.pth")
    spoilt = tensors(**{"fc.bias": torch.full((3,), float("nan"))})
    assert load_weights(Small(), spoilt, "fc", False, "x.pth").loaded == ("body.weight", "body.bias"), "fc is replaced"


def test_what_is_left_over_is_refused_unless_partial() -> None:
    more = tensors(**{"body.scale": torch.ones(2)})
    with pytest.raises(DataError, match=r"1 of its tensors are not in the model, such as body\.scale; .*partial: true"):
        load_weights(Small(), more, "fc", False, "x.pth")
    assert load_weights(Small(), more, "fc", True, "x.pth").left == ("body.scale",)
    other = {key: value for key, value in tensors().items() if key.startswith("body")}
    other |= {"fc.0.weight": torch.ones(9), "fc.3.bias": torch.ones(2), "aux1.fc.bias": torch.ones(2)}
    assert not load_weights(Small(), other, "fc", False, "x.pth").left, "the file's own last layer, of another form"


def test_the_table_is_that_of_the_installed_torchvision() -> None:
    assert known.installed() == known.table(), "run python -m configs.weights"
    entries = [entry for choices in known.table().values() for entry in choices.values() if isinstance(entry, dict)]
    assert all(re.fullmatch(r"[\w.-]+-[0-9a-f]{8,}\.pth", entry["file"]) for entry in entries), "a name with a checksum"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ("train.model.name=resnet81", r"train\.model.*: name 'resnet81' is no .* torchvision; did you mean resnet18"),
        ("train.model.name=fasterrcnn_resnet50_fpn", "is no classification model of torchvision"),
        (
            "train.model.weights=IMAGENET1K_V2",
            "none of resnet18, which has IMAGENET1K_V1, DEFAULT, none; did you mean IMAGENET1K_V1",
        ),
        ("train.model.partial=true", "partial is read only with `file`"),
        ("train.model={kind: cifar_resnet, partial: true}", "partial is read only with `file`"),
        ("encode.mode=L encode.normalise=train", r"encode\.mode L gives one channel .*set encode\.mode: RGB"),
        ("train.model={kind: cifar_resnet} encode.mode=L encode.normalise=none", r"set encode\.mode: RGB"),
        ("encode.normalise=train", r"that of the weights IMAGENET1K_V1 of resnet18: set encode\.normalise: imagenet"),
        ("train.model.name=efficientnet_v2_l", r"set encode\.normalise: {mean: \[0\.5, 0\.5, 0\.5\], std: \[0\.5"),
        (
            "train.model={kind: torchvision, name: vit_b_16, weights: IMAGENET1K_SWAG_E2E_V1}",
            r"encode\.size 224 does not fit .* set encode\.size: 384",
        ),
    ],
)
def test_mistakes_are_told_when_the_recipe_is_read(changes: str, said: str) -> None:
    words = re.split(r" (?=encode\.)", changes)
    with pytest.raises(RecipeError, match=said):
        load_recipe(RECIPE, words)


def test_they_are_told_without_torch_and_the_network() -> None:
    script = (
        "import sys\n"
        "for name in ('torch', 'torchvision', 'transformers', 'prefect', 'mlflow', 'httpx'):\n"
        "    sys.modules[name] = None\n"
        f"sys.argv = ['temper', 'plan', {str(RECIPE)!r}, 'train.model.name=resnet81']\n"
        "from flows.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and "did you mean resnet18" in done.stderr, done.stderr


def test_what_fits_is_not_refused() -> None:
    given = "encode.normalise={mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}"
    for changes in (
        ["train.model.weights=none", "encode.normalise=train"],
        ["train.model.name=efficientnet_v2_l", given],
        [
            "train.model={kind: torchvision, name: vit_b_16, weights: IMAGENET1K_SWAG_E2E_V1}",
            "encode.size=384",
            "encode.resize=384",
        ],
        ["train.model.weights=none", "train.model.file=x.pth", "train.model.partial=true"],
    ):
        load_recipe(RECIPE, changes)


def test_the_key_holds_what_default_stands_for() -> None:
    named = [
        Train(model=Torchvision(kind="torchvision", name="resnet50", weights=enum))
        for enum in ("DEFAULT", "IMAGENET1K_V2", "IMAGENET1K_V1")
    ]
    (best, first), (_, second), (_, third) = [pin(section, ask=False) for section in named]
    assert best.model.weights == "IMAGENET1K_V2"  # type: ignore[union-attr]
    assert first == second != third
    assert first["model"]["weights"] == ["IMAGENET1K_V2", "resnet50-11ad3fa6.pth"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub()
    monkeypatch.setattr(fetch, "FIRST_WAIT", 0.01)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("TEMPER_ALLOW_PRIVATE_SOURCES", "true")
    yield server
    server.stop()


def publish(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, digits: str = "") -> tuple[nn.Module, str]:
    """Serve new weights of SMALL in the place of the published ones; the net and the name of its file."""
    torch.manual_seed(8)
    net = torchvision.models.squeezenet1_1(weights=None)
    torch.save(net.state_dict(), folder / "served")
    data = (folder / "served").read_bytes()
    name = f"squeezenet1_1-{digits or sha256(data)[:8]}.pth"
    hub.files = {f"/{name}": data}
    entry = SimpleNamespace(url=f"{hub.url}/{name}")
    monkeypatch.setattr(torchvision.models, "get_model_weights", lambda _: {"IMAGENET1K_V1": entry})
    return net, name


def test_published_weights_are_fetched_once_and_resumed(
    hub: Hub, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, name = publish(hub, tmp_path, monkeypatch)
    hub.fault("GET", cut=100_000)
    found = model(SMALL)
    assert hub.seen() == [f"GET /{name}", f"GET /{name} bytes=100000-"]
    assert torch.equal(found.net.features[0].weight, net.features[0].weight)  # type: ignore[index, union-attr]
    assert found.fresh == {"net.classifier.1.weight", "net.classifier.1.bias"}
    folder = home / ".artifacts" / "weights"
    assert sorted(path.name for path in folder.iterdir()) == [name, f"{name}.lock"]
    model(SMALL)
    assert len(hub.requests) == 2, "kept"
    right = digest_file(folder / name)
    model(replace(SMALL, sha256=right))
    with pytest.raises(DataError, match=rf"{name} has sha256 {right}, and the recipe states {'0' * 64}"):
        model(replace(SMALL, sha256="0" * 64))
    flip(folder / name, 50_000)
    model(SMALL)
    assert len(hub.requests) == 3, "a damaged copy is fetched anew"
    assert sha256((folder / name).read_bytes()).startswith(name[-12:-4])


def test_other_bytes_than_were_published_are_not_kept(
    hub: Hub, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, name = publish(hub, tmp_path, monkeypatch, digits="0" * 8)
    with pytest.raises(DataError, match=r"cannot be had .*not 00000000.*set train\.model\.weights: none, or train"):
        model(SMALL)
    assert [path.name for path in (home / ".artifacts" / "weights").iterdir()] == [f"{name}.lock"]
    hub.files = {}
    with pytest.raises(DataError, match=r"cannot be had .*404"):
        model(SMALL)


def test_a_size_that_the_net_cannot_take_is_told_before_any_download(
    hub: Hub, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(hub, tmp_path, monkeypatch)
    with pytest.raises(DataError, match=r"squeezenet1_1 cannot take images of 8 x 8 pixels .*encode\.size"):
        model(SMALL, 8)
    assert not hub.requests and not (home / ".artifacts" / "weights").exists()


def test_trying_a_size_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image of 36 megapixels takes a millisecond, for only its shape goes through; the net stays as it is."""
    began = time.monotonic()
    net = build_torchvision({"name": "mobilenet_v3_small"}, (3, 6000, 6000), 2)
    assert time.monotonic() - began < 20
    assert net.training and all(value.device.type == "cpu" for value in net.state_dict().values())


def test_transformers_take_the_size_of_the_images() -> None:
    with torch.device("meta"):
        net = build_torchvision({"name": "vit_b_32"}, (3, 64, 64), 2)
        assert net(torch.zeros(3, 3, 64, 64)).shape == (3, 2)
        with pytest.raises(ValueError, match=r"vit_b_32 cannot take images of 70 x 70 pixels .*indivisible"):
            build_torchvision({"name": "vit_b_32"}, (3, 70, 70), 2)


@pytest.mark.parametrize(("name", "side"), [("googlenet", 64), ("inception_v3", 96)])
def test_nets_of_another_scale_and_with_auxiliary_heads_answer_as_published(name: str, side: int) -> None:
    torch.manual_seed(1)
    options: Any = {"transform_input": True, "aux_logits": True, "init_weights": False}  # as torchvision loads them
    theirs = torchvision.models.get_model(name, weights=None, **options).eval()
    ours = build_torchvision({"name": name}, (3, side, side), 2)
    loaded = load_weights(ours, theirs.state_dict(), "fc", False, name)
    assert not loaded.left and loaded.fresh == {"fc.weight", "fc.bias"}
    theirs.fc, ours.fc = nn.Identity(), nn.Identity()
    images = torch.randn(1, 3, side, side)
    with torch.no_grad():
        expected = theirs(images)
        assert torch.allclose(ours.eval()(images), expected, atol=1e-5)
        assert isinstance(ours.train()(images.expand(2, -1, -1, -1)), Tensor), "one output in training too"


@pytest.mark.parametrize(("name", "side"), [("mnasnet0_5", 64), ("googlenet", 64)])
def test_a_saved_model_loads_alone_and_answers_alike(tmp_path: Path, name: str, side: int) -> None:
    source = Torchvision(kind="torchvision", name=name)
    first = model(source, side).eval()
    save_model(first, source, tmp_path)
    again = load_model(tmp_path, pixels(side)).eval()
    images = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(again(pixel_values=images).logits, first(pixel_values=images).logits)
    own = tmp_path / "own.safetensors"
    save_file(first.net.state_dict(), own)
    assert model(Torchvision(kind="torchvision", name=name, file=str(own)), side).loaded.count("\n- ") == 1


def test_a_published_file_with_a_wrapper_is_strict_too(datasets: Path, tmp_path: Path) -> None:
    path = datasets / "pretrained" / "resnet-cifar10" / "resnet20-12fca82f.th"
    with pytest.raises(DataError, match=r"of the model's tensors are not in it"):
        model(CifarResnet(kind="cifar_resnet", depth=32, file=str(path)), 32)
    deeper = path.with_name("resnet56-4bfd9763.th")
    with pytest.raises(DataError, match=r"\d+ of its tensors are not in the model, such as layer1\.3\."):
        model(CifarResnet(kind="cifar_resnet", depth=20, file=str(deeper)), 32)
