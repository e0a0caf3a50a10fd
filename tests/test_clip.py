"""A linear layer on CLIP's embeddings: what files it takes, what is trained, what is kept."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hub_server import Child, Failed, Hub
from registered import _register, picture
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from configs import weights
from configs.load import RecipeError, load_recipe
from configs.models import Clip
from configs.phases import Phase
from configs.schema import Train
from flows.initializations import STARTS, starting
from tasks.artifact import Artifact
from tasks.data.errors import DataError
from tasks.kinds.image_classification import encode as rows
from tasks.kinds.image_classification.predictor import Predictor
from tasks.kinds.image_classification.training import ImageClassification
from tasks.learn.fit import TrainingCallbacks, TrainingRun, fit
from tasks.learn.losses import Criterion
from tasks.pins import pin
from tasks.tracking.fresh import run_fresh
from tasks.vision.encoding import ImageEncoding
from tasks.vision.models import build_model, save_model
from tasks.vision.nets import ImageClassifier
from tasks.vision.parts import Part

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "configs" / "ants_bees_resnet18.yaml"
PIXELS = ImageEncoding("image", ("ants", "bees"), "RGB", 8, 8, True, "crop", *weights.CLIP)
IMAGES = ImageClassification(PIXELS)
VISION: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "projection_dim": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 8,
    "patch_size": 4,
}
TEXT = {
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 9,
    "projection_dim": 12,
}


class Killed(Exception):
    """What ends a training from outside."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tower(tmp_path: Path) -> Path:
    """An image tower of random weights as its owner saves it."""
    torch.manual_seed(4)
    CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION)).save_pretrained(tmp_path / "tower")
    mean, std = weights.CLIP
    note = {"image_mean": list(mean), "image_std": list(std), "crop_size": 8}
    (tmp_path / "tower" / "preprocessor_config.json").write_text(json.dumps(note), "utf-8")
    return tmp_path / "tower"


def source(folder: Path) -> Clip:
    return Clip(kind="clip", source={"kind": "files", "path": str(folder)})  # type: ignore[arg-type]


def model(folder: Path, encoding: ImageEncoding = PIXELS) -> ImageClassifier:
    return build_model(Train(model=source(folder)), encoding, Criterion())


def part(number: int, seed: int) -> Part:
    draw = np.random.default_rng(seed)
    classes = draw.integers(0, 2, number)
    pixels = (draw.integers(0, 60, (number, 3, 8, 8)) + classes[:, None, None, None] * 150).astype(np.uint8)
    return Part([str(i) for i in range(number)], classes, pixels)


PARTS = {"train": part(32, 1), "validation": part(12, 2)}


def train(root: Path, folder: Path, kill: int | None = None, **changes: Any) -> tuple[Any, Any]:
    how = Train(
        **{
            "model": source(folder),
            "batch_size": 4,
            "eval_steps": 8,
            "logging_steps": 1,
            "metric": "loss",
            "learning_rate": 1e-1,
            **changes,
        }
    )
    found = IMAGES.model(how, PARTS["train"])

    def report(step: int, values: Any) -> None:
        if step == kill:
            raise Killed

    callbacks = TrainingCallbacks(report, lambda *a: None, lambda *a: None)
    return found, fit(how, found, IMAGES.feed(PARTS), TrainingRun(root, callbacks, 1), IMAGES.layout(found))


def test_embeddings_are_transformers_own_at_length_one(tower: Path) -> None:
    net = model(tower).net.eval()
    theirs = CLIPVisionModelWithProjection.from_pretrained(tower).eval()
    images = torch.randn(3, 3, 8, 8)
    with torch.no_grad():
        expected = theirs(pixel_values=images).image_embeds
        found = net.embed(images)  # type: ignore[operator]
        assert torch.allclose(found, expected / expected.norm(dim=1, keepdim=True), atol=1e-6)
        assert torch.allclose(net(images), net.head(found), atol=1e-6)


def test_without_phases_the_layer_alone_moves_and_all_else_is_audited(tower: Path, tmp_path: Path) -> None:
    found, fitted = train(tmp_path / "c", tower, epochs=4)
    assert set(fitted.audits[0].moved) == {"net.head.weight", "net.head.bias"} and len(fitted.audits) == 1
    assert any("vision_model" in name for name in fitted.audits[0].still)
    before = load_file(tower / "model.safetensors")
    own = found.net.state_dict()
    assert all(torch.equal(own[name], value) for name, value in before.items())
    assert fitted.history[-1]["eval_accuracy"] == 1.0 and fitted.steps == 32
    assert "tensors loaded from the image tower" in found.loaded and "- new: head.weight, head.bias" in found.loaded


def test_a_tower_that_moves_all_the_same_ends_the_run(tower: Path, tmp_path: Path) -> None:
    how = Train(model=source(tower), batch_size=4, logging_steps=1, eval_steps=4)
    found = IMAGES.model(how, PARTS["train"])
    touched = found.net.get_parameter("visual_projection.weight")
    callbacks = TrainingCallbacks(lambda step, values: touched.data.add_(1.0), lambda *a: None, lambda *a: None)
    with pytest.raises(DataError, match=r"1 parts that this phase holds still have moved, such as net\.visual_proj"):
        fit(how, found, IMAGES.feed(PARTS), TrainingRun(tmp_path / "c", callbacks, 1), IMAGES.layout(found))


@pytest.mark.faults
def test_phases_may_train_the_tower_and_resume_bit_equal(tower: Path, tmp_path: Path) -> None:
    given = {"phases": (Phase(trainable="head"), Phase(freeze=("vision_model.encoder.layers.0",))), "epochs": 1}
    found, fitted = train(tmp_path / "whole", tower, **given)
    second = {name for name in fitted.audits[1].moved if name.startswith("net.vision_model.encoder.")}
    assert second and not any(".layers.0." in name for name in second)
    with pytest.raises(Killed):
        train(tmp_path / "killed", tower, 13, **given)
    again, resumed = train(tmp_path / "killed", tower, **given)
    assert resumed.resumed_at is not None and resumed.history == fitted.history
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in found.state_dict().items())


def test_a_whole_clip_gives_its_image_tower(tmp_path: Path) -> None:
    torch.manual_seed(3)
    whole = CLIPModel(CLIPConfig(vision_config=VISION, text_config=TEXT, projection_dim=12))
    whole.save_pretrained(tmp_path / "whole")
    state = load_file(tmp_path / "whole" / "model.safetensors")
    state["vision_model.embeddings.position_ids"] = torch.arange(5)[None]  # as files of older versions
    save_file(state, tmp_path / "whole" / "model.safetensors", {"format": "pt"})
    save_file({"visual.proj": torch.zeros(2)}, tmp_path / "whole" / "open_clip_model.safetensors")
    found = model(tmp_path / "whole")
    assert "left over" not in found.loaded
    own = found.net.state_dict()
    assert torch.equal(own["visual_projection.weight"], state["visual_projection.weight"])


def test_files_that_do_not_fit_are_refused_before_any_work(tower: Path, tmp_path: Path) -> None:
    def changed(name: str, **fields: Any) -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(tower, folder)
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | fields), "utf-8")
        return folder

    config, note = "config.json", "preprocessor_config.json"
    for folder, said in (
        (changed(config, model_type="siglip"), "is of model_type siglip, not of a CLIP"),
        (changed(config, hidden_size="x"), r"config\.json: .*hidden_size"),
        (changed(config, image_size=[8, 8]), r"image_size \[8, 8\] is not one number"),
        (
            changed(config, image_size=16),
            r"colour images of 16 x 16 pixels, got 8 x 8 .*encode\.size: 16",
        ),
        (
            changed(config, num_hidden_layers=3),
            r"of the model's tensors are not in it, such as vision_model\.e",
        ),
        (changed(note, image_mean=[0.5] * 3, image_std=[0.5] * 3), r"set encode\.normalise: {mean: \[0\.5, 0\.5"),
        (changed(note, image_mean="x"), "has no image_mean and image_std of numbers"),
    ):
        with pytest.raises(DataError, match=said):
            model(folder)
    other = ImageEncoding("image", ("a", "b"), "RGB", 8, 8, True, "crop", *weights.IMAGENET)
    with pytest.raises(DataError, match=r"normalised otherwise: set encode\.normalise: clip"):
        model(tower, other)
    (tower / "model.safetensors").rename(tower / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"no model\.safetensors; Temper loads no other format"):
        model(tower)
    save_file({"text_model.x": torch.zeros(1)}, tower / "model.safetensors")
    with pytest.raises(DataError, match="none of its 1 tensors is of an image tower"):
        model(tower)
    (tower / "config.json").write_text("{", "utf-8")
    with pytest.raises(DataError, match=r"config\.json cannot be read"):
        model(tower)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([], r"encode\.normalise imagenet is not what CLIP was trained with: set encode\.normalise: clip"),
        (["encode.mode=L", "encode.normalise=none"], r"set encode\.mode: RGB"),
        (["encode.mode=L", "encode.normalise=clip"], "normalise: clip needs mode RGB"),
    ],
)
def test_mistakes_are_told_when_the_recipe_is_read(changes: list[str], said: str) -> None:
    given = "train.model={kind: clip, source: {kind: hub, repo: openai/clip-vit-large-patch14}}"
    with pytest.raises(RecipeError, match=said):
        load_recipe(RECIPE, [given, *changes])
    load_recipe(RECIPE, [given, "encode.normalise=clip"])


@pytest.mark.parametrize("start", STARTS)
def test_no_other_start_is_made_up_for_it(start: str) -> None:
    given = ["train.model={kind: clip, source: {kind: files, path: x}}", "encode.normalise=clip"]
    with pytest.raises(RecipeError, match=r"--starts: .* layer on CLIP's embeddings; there is no other start"):
        starting(load_recipe(RECIPE, given), start)


def test_the_word_clip_stands_for_its_constants() -> None:
    assert (rows.CLIP.mean, rows.CLIP.std) == weights.CLIP
    section = load_recipe(RECIPE, ["train.model={kind: torchvision, name: resnet18}", "encode.normalise=clip"]).encode
    assert rows._constants(section, np.zeros((3, 256), np.int64)) == rows.CLIP  # type: ignore[arg-type]


def test_the_files_bytes_enter_the_key_and_their_place_does_not(tower: Path, tmp_path: Path) -> None:
    shutil.copytree(tower, tmp_path / "moved")
    one, two = (pin(Train(model=source(folder)), ask=False)[1]["model"] for folder in (tower, tmp_path / "moved"))
    assert one == two and set(one["source"]["files"]) >= {"config.json", "model.safetensors"}
    (tmp_path / "moved" / "config.json").write_text("{}", "utf-8")
    assert pin(Train(model=source(tmp_path / "moved")), ask=False)[1]["model"] != one


BUILD = """
import torch
from configs import weights
from configs.models import Clip
from configs.schema import Train
from tasks.learn.losses import Criterion
from tasks.pins import pin
from tasks.vision.encoding import ImageEncoding
from tasks.vision.models import build_model
pixels = ImageEncoding("image", ("a", "b"), "RGB", side, side, True, "crop", *weights.CLIP)
section, values = pin(Train(model=Clip(kind="clip", source={"kind": "hub", "repo": "t/clip"})), ask=True)
found = build_model(section, pixels, Criterion())
result = [values["model"], found.net.state_dict()["visual_projection.weight"].sum().item()]
"""


@pytest.mark.faults
def test_a_tower_comes_from_the_hub_at_a_commit_and_its_size_is_looked_at_first(tower: Path, tmp_path: Path) -> None:
    hub = Hub()
    child = Child(hub.url, tmp_path / "hub")
    try:
        files = {path.name: path.read_bytes() for path in tower.iterdir()} | {"pytorch_model.bin": b"x"}
        commit = hub.add("model", "t/clip", files)
        with pytest.raises(Failed, match=r"takes colour images of 8 x 8 pixels, got 16 x 16"):
            child.run(BUILD, side=16)
        assert not hub.seen("model.safetensors"), "no weights for images that do not fit"
        values, total = child.run(BUILD, side=8)
        assert values == {"kind": "clip", "source": {"kind": "hub", "repo": "t/clip", "commit": commit}}
        assert total == pytest.approx(load_file(tower / "model.safetensors")["visual_projection.weight"].sum().item())
        assert hub.seen("model.safetensors") and not hub.seen(r"\.bin$")
    finally:
        child.stop()
        hub.stop()


def test_it_is_saved_whole_and_loads_without_the_first_files(tower: Path, tmp_path: Path) -> None:
    found, _ = train(tmp_path / "c", tower)
    folder = tmp_path / "model"
    folder.mkdir()
    save_model(found, source(tower), folder)
    PIXELS.save(folder)
    shutil.rmtree(tower)
    assert str(tmp_path) not in (folder / "config.json").read_text("utf-8")
    answers = Predictor.load(folder, "cpu").score(PARTS["validation"].pixels)  # type: ignore[arg-type]
    with torch.no_grad():
        same = found.eval()(pixel_values=torch.from_numpy(PARTS["validation"].pixels)).logits.numpy()
    assert np.allclose(answers, same, atol=1e-6)


@pytest.mark.faults
def test_a_registered_one_answers_alone_in_a_fresh_process(tower: Path, tmp_path: Path, home: Path) -> None:
    found = model(tower)
    folder = Artifact("train", "clip0", "").path / "data"
    folder.mkdir(parents=True)
    PIXELS.save(folder)
    save_model(found, source(tower), folder)
    _register("clip-probe", folder, "image", "image", PIXELS.labels, [{"image": "aGVsbG8="}])
    shutil.rmtree(tower)
    (tmp_path / "a.png").write_bytes(picture(1, 8))
    program = (
        "import pandas\nframe = pandas.DataFrame({'image': [open(sys.argv[2], 'rb').read()]})\n"
        "print(model.predict(frame).to_json(orient='records'))"
    )
    done = run_fresh(program, "models:/clip-probe/1", str(tmp_path / "a.png"))
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout.splitlines()[-1])
    pixels = torch.from_numpy(PIXELS.pixels((tmp_path / "a.png").read_bytes()))[None]
    with torch.no_grad():
        expected = found.eval()(pixel_values=pixels).logits.softmax(1)[0]
    assert answer["probability of bees"] == pytest.approx(expected[1].item(), abs=1e-5)
