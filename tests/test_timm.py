"""timm's models by name: the same phases, audit, resuming, weights files and registration as torchvision's."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hub_server import Child, Failed, Hub
from registered import _register, picture
from safetensors.torch import save, save_file

from configs import timm_weights as known
from configs.backbones import Timm, Torchvision
from configs.load import RecipeError, load_recipe
from configs.phases import Children, Phase
from configs.schema import Train
from flows.hub_revisions import Reference, pinned, references
from flows.initializations import overrides
from tasks.artifact import Artifact
from tasks.data.errors import DataError
from tasks.kinds.image_classification.training import ImageClassification
from tasks.learn.fit import TrainingCallbacks, TrainingRun, fit
from tasks.learn.losses import Criterion
from tasks.learn.phases import plan_phases
from tasks.pins import pin
from tasks.tracking.fresh import run_fresh
from tasks.tracking.model_package import requirements
from tasks.train import libraries
from tasks.vision.encoding import ImageEncoding
from tasks.vision.models import build_model, save_model
from tasks.vision.nets import ImageClassifier, load_model
from tasks.vision.parts import Part
from tasks.vision.timm_nets import build_timm

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "configs" / "ants_bees_resnet18.yaml"
HALF = (0.5, 0.5, 0.5)
PIXELS = ImageEncoding("image", ("ants", "bees"), "RGB", 32, 32, True, "crop", HALF, HALF)
IMAGES = ImageClassification(PIXELS)
SHA = "0123456789abcdef0123456789abcdef01234567"


class Killed(Exception):
    """What ends a training from outside."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def source(name: str = "test_resnet", **changes: Any) -> Timm:
    return Timm(kind="timm", name=name, **changes)


def model(given: Any, encoding: ImageEncoding = PIXELS) -> ImageClassifier:
    return build_model(Train(model=given), encoding, Criterion())


def part(rows: int, seed: int) -> Part:
    draw = np.random.default_rng(seed)
    classes = draw.integers(0, 2, rows)
    pixels = (draw.integers(0, 100, (rows, 3, 32, 32)) + classes[:, None, None, None] * 120).astype(np.uint8)
    return Part([str(i) for i in range(rows)], classes, pixels)


PARTS = {"train": part(12, 1), "validation": part(6, 2)}


def test_the_table_is_that_of_the_installed_timm() -> None:
    found = known.installed()
    assert found == known.table(), "run python -m configs.timm_weights"
    assert [list(tags) for tags in found.values()] == [list(tags) for tags in known.table().values()], "first choices"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ("{kind: timm, name: resnet81}", r"train\.model.*: name 'resnet81' is no model of timm .*did you mean resnet"),
        ("{kind: timm, name: resnet18.a1_in1k}", r"has a tag: write name: resnet18 and weights: a1_in1k"),
        ("{kind: timm, name: deit_tiny_distilled_patch16_224}", "no model of timm with one classification layer"),
        ("{kind: timm, name: resnet18, weights: a1_in2k}", r"none of resnet18, which has a1_in1k, .*published, none;"),
        ("{kind: timm, name: beit3_giant_patch14_224, weights: published}", "which has none$"),
        ("{kind: timm, name: resnet18, weights: published, file: x.pth}", "weights and file exclude each other"),
        ("{kind: timm, name: resnet18, partial: true}", "partial is read only with `file`"),
        ("{kind: timm, name: resnet18, revision: v1}", "revision is not read with weights: none"),
        ("{kind: timm, name: test_resnet, weights: published}", r"set encode\.normalise: {mean: \[0\.5, 0\.5, 0\.5\]"),
        ("{kind: timm, name: vit_base_patch32_clip_224, weights: openai}", r"set encode\.normalise: clip"),
        (
            "{kind: timm, name: vit_base_patch16_384, weights: augreg_in21k_ft_in1k} "
            "encode.normalise={mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}",
            r"encode\.size 224 does not fit .* set encode\.size: 384",
        ),
        ("{kind: timm, name: resnet18} encode.mode=L encode.normalise=none", r"set encode\.mode: RGB"),
    ],
)
def test_mistakes_are_told_when_the_recipe_is_read(changes: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe(RECIPE, re.split(r" (?=encode\.)", f"train.model={changes}"))


def test_what_fits_is_not_refused() -> None:
    for changes in (
        ["train.model={kind: timm, name: resnet18, weights: published}"],
        ["train.model={kind: timm, name: resnet18, file: x.pth, partial: true}"],
        ["train.model={kind: timm, name: vit_base_patch32_clip_224, weights: openai}", "encode.normalise=clip"],
    ):
        load_recipe(RECIPE, changes)


@pytest.mark.parametrize(("name", "head"), [("test_resnet", "fc"), ("test_vit", "head"), ("test_convnext", "head.fc")])
def test_nets_get_a_new_last_layer_and_take_the_size_of_the_images(name: str, head: str) -> None:
    found = model(source(name)).eval()
    assert found.head == head and list(IMAGES.layout(found).head) and not found.fresh
    with torch.no_grad():
        assert found(pixel_values=torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).logits.shape == (2, 2)
    again = model(source(name)).state_dict()
    assert all(torch.equal(value, again[key]) for key, value in found.state_dict().items()), "the seed decides"


def test_the_new_last_layer_begins_small_whatever_the_number_of_classes() -> None:
    """timm's own rule for EfficientNets makes weights of up to 0.7 with two classes, and a first loss above 2."""
    from torch import nn

    for classes in (2, 1000):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = build_timm({"name": "tf_efficientnet_lite0"}, (3, 32, 32), classes)
        last = net.get_submodule("classifier")
        assert isinstance(last, nn.Linear) and last.weight.abs().max() <= last.in_features**-0.5
        assert last.bias.abs().max() <= last.in_features**-0.5


def test_what_cannot_be_built_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = ImageEncoding("image", ("a", "b"), "RGB", 33, 33, True, "crop", HALF, HALF)
    with pytest.raises(DataError, match=r"test_vit cannot take images of 33 x 33 pixels .*encode\.size"):
        model(source("test_vit"), odd)
    with torch.device("meta"), pytest.raises(ValueError, match="mobilenetv5_300m_enc has no classification layer"):
        build_timm({"name": "mobilenetv5_300m_enc"}, (3, 256, 256), 2)
    real = importlib.import_module

    def absent(name: str, *more: Any) -> Any:
        if name == "timm":
            raise ModuleNotFoundError(name=name)
        return real(name, *more)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(DataError, match=r"kind timm needs the package timm: pip install 'temper\[timm\]'"):
        model(source())


def test_a_file_of_weights_loads_with_an_account_and_a_foreign_one_is_refused(tmp_path: Path) -> None:
    state = {
        name: torch.rand_like(value) / 10 if value.is_floating_point() else value
        for name, value in model(source()).net.state_dict().items()
    }
    save_file(state, tmp_path / "own.safetensors")
    found = model(source(file=str(tmp_path / "own.safetensors")))
    assert torch.equal(found.net.state_dict()["conv1.0.weight"], state["conv1.0.weight"])
    assert found.fresh == {"net.fc.weight", "net.fc.bias"} and "tensors loaded from own.safetensors" in found.loaded
    rates = plan_phases(Train(model=source(), learning_rate=0.1, phases=(Phase(),)), IMAGES.layout(found))[0].rates
    assert rates["net.fc.weight"] == 0.1 and rates["net.conv1.0.weight"] == pytest.approx(0.01)
    state.pop("conv1.0.weight")
    save_file(state, tmp_path / "less.safetensors")
    with pytest.raises(DataError, match=r"less.*not in it, such as conv1\.0\.weight; .*partial: true"):
        model(source(file=str(tmp_path / "less.safetensors")))
    assert "net.conv1.0.weight" in model(source(file=str(tmp_path / "less.safetensors"), partial=True)).fresh


PHASES = (Phase(trainable="head", epochs=2), Phase(freeze=Children(first=2), epochs=2), Phase(freeze=("layer1", "bn1")))


def train(root: Path, kill: int | None = None) -> tuple[Any, Any]:
    how = Train(model=source(), phases=PHASES, batch_size=4, eval_steps=2, logging_steps=1, learning_rate=1e-2)
    found = IMAGES.model(how, PARTS["train"])

    def report(step: int, values: Any) -> None:
        if step == kill:
            raise Killed

    callbacks = TrainingCallbacks(report, lambda *a: None, lambda *a: None)
    return found, fit(how, found, IMAGES.feed(PARTS), TrainingRun(root, callbacks, 1), IMAGES.layout(found))


@pytest.mark.faults
def test_phases_hold_still_what_they_name_and_resume_bit_equal(tmp_path: Path) -> None:
    found, fitted = train(tmp_path / "whole")
    first, second, third = fitted.audits
    assert set(first.moved) == {"net.fc.weight", "net.fc.bias"}, "batch norms keep their statistics"
    moved = {name.split(".")[1] for name in second.moved}
    assert "fc" in moved and "layer4" in moved and not moved & {"conv1", "bn1"}
    assert any(name.startswith("net.layer1.") for name in third.still) and "net.bn1.running_mean" in third.still
    assert not any(name.startswith(("net.layer1.", "net.bn1.")) for name in third.moved)
    with pytest.raises(Killed):
        train(tmp_path / "killed", 9)
    again, resumed = train(tmp_path / "killed")
    assert resumed.resumed_at is not None and resumed.history == fitted.history
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in found.state_dict().items())


def test_keys_hold_the_weights_and_only_such_a_training_hangs_on_timm(tmp_path: Path) -> None:
    plain = pin(Train(model=source("resnet18")), ask=False)[1]["model"]
    assert plain == {"kind": "timm", "name": "resnet18"}
    published = Train(model=source("resnet18", weights="published", revision=SHA))
    section, values = pin(published, ask=False)
    assert section.model.weights == "a1_in1k"  # type: ignore[union-attr]
    assert values["model"] == {**plain, "weights": ["a1_in1k", "timm/resnet18.a1_in1k"], "commit": SHA}
    (tmp_path / "a.pt").write_bytes(b"a")
    assert set(pin(Train(model=source(file=str(tmp_path / "a.pt"))), ask=False)[1]["model"]) == {
        "kind",
        "name",
        "sha256",
    }
    assert "timm" in libraries(published)
    assert "timm" not in libraries(Train(model=Torchvision(kind="torchvision", name="resnet18")))


def test_a_start_from_scratch_leaves_no_word_of_the_weights() -> None:
    given = {
        "phases": [],
        "epochs": 1,
        "model": {
            "kind": "timm",
            "name": "resnet18",
            "weights": "published",
            "revision": "v1",
            "file": None,
            "partial": False,
        },
    }
    changes = overrides("scratch", given, None)
    model = "train.model={kind: timm, name: resnet18, weights: published, revision: v1}"
    assert load_recipe(RECIPE, [model, "train.phases=[]", *changes]).train.model == source("resnet18")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "train:\n  model:\n    kind: timm\n    weights: published\n",
            f"train:\n  model:\n    kind: timm\n    weights: published\n    revision: {SHA}  # main\n",
        ),
        (
            "train:\n  model: {kind: timm, weights: published}\n",
            f"train:\n  model: {{kind: timm, weights: published, revision: {SHA}}}\n",
        ),
    ],
)
def test_pin_writes_the_commit_behind_the_weights(before: str, after: str) -> None:
    assert pinned(before, {Reference(("train", "model"), "model", "timm/x", "main"): SHA}) == after


def test_pin_finds_published_weights_and_no_others() -> None:
    found = list(references(Train(model=source("resnet18", weights="a2_in1k")), ("train",)))
    assert found == [Reference(("train", "model"), "model", "timm/resnet18.a2_in1k", "main")]
    assert not list(references(Train(model=source("resnet18"))))


BUILD = """
import torch
from configs.backbones import Timm
from configs.schema import Train
from tasks.learn.losses import Criterion
from tasks.pins import pin
from tasks.vision.encoding import ImageEncoding
from tasks.vision.models import build_model
half = (0.5, 0.5, 0.5)
pixels = ImageEncoding("image", ("a", "b"), "RGB", 32, 32, True, "crop", half, half)
section, values = pin(Train(model=Timm(kind="timm", name="test_resnet", weights="published")), ask=True)
found = build_model(section, pixels, Criterion())
result = [values["model"], found.net.state_dict()["conv1.0.weight"].sum().item(), sorted(found.fresh)]
"""


@pytest.mark.faults
def test_published_weights_come_from_the_hub_at_a_commit_as_safetensors_alone(tmp_path: Path) -> None:
    hub = Hub()
    child = Child(hub.url, tmp_path / "hub")
    try:
        with pytest.raises(Failed, match=r"timm/test_resnet.r160_in1k@main: not on the Hub"):
            child.run(BUILD)
        torch.manual_seed(9)
        state = importlib.import_module("timm").create_model("test_resnet").state_dict()
        bare = hub.add("model", "timm/test_resnet.r160_in1k", {"pytorch_model.bin": b"x", "config.json": b"{}"})
        with pytest.raises(Failed, match=r"no file fits model\.safetensors"):
            child.run(BUILD)
        commit = hub.add("model", "timm/test_resnet.r160_in1k", {"model.safetensors": save(state), "x.bin": b"x"})
        values, total, fresh = child.run(BUILD)
        assert values["commit"] == commit != bare
        assert values["weights"] == ["r160_in1k", "timm/test_resnet.r160_in1k"]
        assert total == pytest.approx(state["conv1.0.weight"].sum().item()), "the tensors that were published"
        assert fresh == ["net.fc.bias", "net.fc.weight"] and not hub.seen(r"\.bin$")
    finally:
        child.stop()
        hub.stop()


@pytest.mark.faults
def test_a_registered_one_answers_alone_in_a_fresh_process(tmp_path: Path, home: Path) -> None:
    found = model(source())
    folder = Artifact("train", "timm0", "").path / "data"
    folder.mkdir(parents=True)
    PIXELS.save(folder)
    save_model(found, source(), folder)
    assert json.loads((folder / "config.json").read_text("utf-8")) == {
        "kind": "timm",
        "name": "test_resnet",
        "head": "linear",
    }
    wanted = [line.partition("==")[0] for line in requirements("image", folder / "config.json")]
    assert {"timm", "torchvision", "torch"} <= set(wanted)
    _register("timm-net", folder, "image", "image", PIXELS.labels, [{"image": "aGVsbG8="}])
    (tmp_path / "a.png").write_bytes(picture(1, 32))
    program = (
        "import pandas\nframe = pandas.DataFrame({'image': [open(sys.argv[2], 'rb').read()]})\n"
        "print(model.predict(frame).to_json(orient='records'))"
    )
    done = run_fresh(program, "models:/timm-net/1", str(tmp_path / "a.png"))
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout.splitlines()[-1])
    pixels = torch.from_numpy(PIXELS.pixels((tmp_path / "a.png").read_bytes()))[None]
    with torch.no_grad():
        expected = load_model(folder, PIXELS).eval()(pixel_values=pixels).logits.softmax(1)[0]
    assert answer["probability of bees"] == pytest.approx(expected[1].item(), abs=1e-5)
