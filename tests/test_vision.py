"""Images: decoding of odd files, encoded parts, nets, and the whole way from digits to an image model that serves."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from configs.image_encodings import ImageEncode
from configs.load import RecipeError, load_recipe
from configs.models import Cnn, Mlp
from configs.optimizers import Adam
from configs.schema import Train
from tasks.data.cleaning.image_checks import _look as look
from tasks.data.errors import DataError
from tasks.data.sources.image_sets import png
from tasks.data.sources.image_store import ImageStore
from tasks.data.sources.provenance import Intake
from tasks.kinds.image_classification.baselines import centroid
from tasks.kinds.image_classification.encode import SplitImages, encode_parts
from tasks.kinds.image_classification.predictor import Predictor
from tasks.kinds.image_classification.report import ImageClassifier
from tasks.kinds.image_classification.training import ImageClassification
from tasks.learn.fit import TrainingCallbacks, TrainingRun, fit
from tasks.learn.losses import Criterion
from tasks.vision.encoding import ImageEncoding, load_encoding
from tasks.vision.images import Unreadable, decode
from tasks.vision.models import build_model, save_model
from tasks.vision.nets import load_model
from tasks.vision.parts import Part, read_part

ROOT = Path(__file__).resolve().parent.parent
GREY = ImageEncoding("image", ("a", "b", "c"), "L", 8, 8, False, "crop", (0.5,), (0.25,))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(mode: str = "RGB", size: tuple[int, int] = (12, 8)) -> Image.Image:
    wide, high = size
    values = np.linspace(0, 255, wide * high).reshape(high, wide).astype(np.uint8)
    return Image.fromarray(np.stack([values, values[::-1], values[:, ::-1]], 2)).convert(mode)


def test_odd_but_readable_files_are_decoded_as_a_person_sees_them() -> None:
    plain = decode(saved(gradient()), "RGB", None, "crop")
    assert plain.shape == (3, 8, 12) and plain.dtype == np.uint8
    turned = gradient().transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 270 degrees
    assert np.array_equal(decode(saved(turned, exif=exif.tobytes()), "RGB", None, "crop"), plain)
    sixteen = Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1024)
    assert decode(saved(sixteen), "L", None, "crop").max() == 252, "scaled, not cut at 255"
    assert decode(saved(gradient("CMYK"), "JPEG"), "RGB", None, "crop").shape == (3, 8, 12)
    animated = saved(gradient("P"), "GIF", save_all=True, append_images=[Image.new("P", (12, 8))] * 3)
    assert np.abs(decode(animated, "RGB", None, "crop").astype(int) - plain).mean() < 20, "the first frame"
    glass = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert (decode(saved(glass), "L", None, "crop") == 255).all(), "what is transparent is on white"


@pytest.mark.parametrize(
    "data",
    [b"", b"text", saved(gradient())[:60], saved(gradient(), "JPEG")[:200], saved(gradient())[:-40]],
)
def test_broken_files_are_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(data, "RGB", None, "crop")


MEASURED = {
    "float.tif": saved(Image.fromarray(np.full((8, 8), 0.7, np.float32)), "TIFF"),
    "whole.tif": saved(Image.fromarray(np.full((8, 8), 200, np.int32)), "TIFF"),
    "float.pfm": b"Pf\n2 2\n-1.0\n" + np.ones(4, np.float32).tobytes(),
}


@pytest.mark.parametrize("name", MEASURED)
def test_numbers_without_a_known_white_are_dropped_and_not_turned_black(name: str) -> None:
    with pytest.raises(Unreadable, match="pixels without a known white"):
        decode(MEASURED[name], "L", None, "crop")
    assert look(MEASURED[name], whole=True, hashed=False).cause == "pixels without a known white (32 bits)"


def test_sixteen_bits_are_scaled_from_each_format_that_has_them() -> None:
    deep = Image.fromarray(np.full((8, 8), 51200, np.uint16))
    for kind in ("PNG", "TIFF", "PPM", "JPEG2000"):
        assert (decode(saved(deep, kind), "L", None, "crop") == 200).all(), kind
        assert look(saved(deep, kind), whole=True, hashed=False).cause is None, kind


def test_sizes() -> None:
    wide = Image.new("L", (40, 20), 0)
    wide.paste(255, (10, 0, 30, 20))
    assert (decode(saved(wide), "L", 10, "crop") > 200).all(), "the middle square"
    squashed = decode(saved(wide), "L", 10, "squash")
    assert squashed.shape == (1, 10, 10) and squashed[0, 5, 0] == 0 and squashed[0, 5, 5] == 255


def planted(tmp_path: Path, count: int = 60, broken: tuple[int, ...] = ()) -> tuple[dict[str, pd.DataFrame], Path]:
    """Rows of three parts whose images are bright in one third, by class; some files are cut."""
    intake = Intake(tmp_path / "scratch")
    draw, rows = np.random.default_rng(0), []
    with ImageStore(intake) as store:
        for number in range(count):
            kind = number % 3
            pixels = draw.integers(0, 90, (8, 8), np.uint8)
            pixels[:, kind * 3 : kind * 3 + 2] += 150
            data = png(pixels)
            rows.append((f"r{number}", store.add(data[:40] if number in broken else data), "abc"[kind]))
        images = store.write()
    table = pd.DataFrame(rows, columns=["id", "image", "label"], dtype="str")
    cuts = {"train": table[: count // 2], "validation": table[count // 2 : -15], "test": table[-15:]}
    return {name: part.reset_index(drop=True) for name, part in cuts.items()}, images


def encoded(tmp_path: Path, **changes: object) -> tuple[ImageEncoding, dict[str, Part]]:
    tables, images = planted(tmp_path)
    section = ImageEncode(kind="image", mode="L", **changes)  # type: ignore[arg-type]
    (tmp_path / "out").mkdir()
    encoding, ids, _ = encode_parts(
        section, tables, SplitImages(images, ["a", "b", "c"]), tmp_path / "out", lambda *a: None
    )
    parts = {name: read_part(tmp_path / "out" / f"{name}.parquet", encoding) for name in tables}
    assert {name: part.ids for name, part in parts.items()} == ids
    return encoding, parts


def test_parts_hold_the_pixels_and_constants_are_of_the_training_images_alone(tmp_path: Path) -> None:
    encoding, parts = encoded(tmp_path)
    train = np.asarray(parts["train"].pixels) / 255
    assert encoding.mean == pytest.approx((train.mean(),), abs=1e-6)
    assert encoding.std == pytest.approx((train.std(),), abs=1e-6)
    assert parts["test"].class_ids.tolist() == [n % 3 for n in range(45, 60)]
    assert isinstance(parts["train"].pixels, np.memmap)
    encoding.save(tmp_path)
    assert load_encoding(tmp_path / "encoding.json") == encoding


def test_unreadable_rows_leave_with_a_reason_and_an_empty_part_is_a_part(tmp_path: Path) -> None:
    tables, images = planted(tmp_path, broken=(3, 50))
    tables["validation"] = tables["validation"][:0]
    section = ImageEncode(kind="image", mode="L", normalise="none")
    encoding, ids, gone = encode_parts(section, tables, SplitImages(images, ["a", "b", "c"]), tmp_path, lambda *a: None)
    assert gone.to_numpy().tolist() == [["r3", "unreadable: not an image"], ["r50", "unreadable: not an image"]]
    assert len(ids["train"]) == 29 and len(ids["test"]) == 14
    assert read_part(tmp_path / "train.parquet", encoding).pixels.shape == (29, 1, 8, 8)
    assert read_part(tmp_path / "validation.parquet", encoding).pixels.shape == (0, 1, 8, 8)


def test_images_of_several_sizes_need_one(tmp_path: Path) -> None:
    intake = Intake(tmp_path)
    with ImageStore(intake) as store:
        names = [store.add(png(np.zeros((8, 8 + n), np.uint8))) for n in range(2)]
        images = store.write()
    table = pd.DataFrame({"id": ["x", "y"], "image": names, "label": ["a", "b"]})
    tables = {"train": table, "validation": table[:0], "test": table[:0]}
    with pytest.raises(DataError, match=r"row . is .* pixels, others .*; set encode\.size"):
        encode_parts(
            ImageEncode(kind="image", mode="L"), tables, SplitImages(images, ["a", "b"]), tmp_path, lambda *a: None
        )


def training(**changes: object) -> Train:
    return Train(**{"model": Mlp(kind="mlp", hidden=(16,)), **changes})  # type: ignore[arg-type]


def test_the_published_net_is_built_layer_by_layer() -> None:
    digits = ImageEncoding("image", tuple("0123456789"), "L", 28, 28, False, "crop", (0.1307,), (0.3081,))
    net = build_model(training(model=Mlp(kind="mlp", dropout=0.2)), digits, Criterion()).net
    assert [type(layer).__name__ for layer in net] == ["Flatten", *["Linear", "ReLU", "Dropout"] * 3, "Linear"]  # type: ignore[attr-defined]
    assert [tuple(p.shape) for p in net.parameters()][::2] == [(256, 784), (128, 256), (64, 128), (10, 64)]
    hand = ImageEncoding("image", tuple("0123456789abcde"), "L", 64, 64, False, "crop", (0.0,), (1.0,))
    cnn = build_model(training(model=Cnn(kind="cnn", initial="keras")), hand, Criterion()).net
    linears = [m for m in cnn.modules() if isinstance(m, nn.Linear)]
    assert [m.in_features for m in linears] == [4608, 1024, 256]
    assert all(not m.bias.detach().any() for m in linears)
    assert float(linears[0].weight.detach().abs().max()) <= (6 / (4608 + 1024)) ** 0.5
    with pytest.raises(DataError, match="3 convolutions leave nothing of 8 x 8 pixels"):
        build_model(training(model=Cnn(kind="cnn")), GREY, Criterion())


def test_losses_are_the_published_ones() -> None:
    pixels = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
    labels = torch.tensor([0, 1, 2, 0, 1])
    for loss, smoothing in (("cross_entropy", 0.0), ("cross_entropy", 0.1), ("softmax_bce", 0.0)):
        model = build_model(training(), GREY, Criterion({loss: 1.0}, smoothing))
        found = model(pixel_values=pixels, labels=labels)
        logits = model.net((pixels / 255 - 0.5) / 0.25)
        assert torch.allclose(found.logits, logits, atol=1e-5)
        plain = (
            nn.BCELoss()(logits.softmax(1), nn.functional.one_hot(labels, 3).float())
            if loss == "softmax_bce"
            else nn.CrossEntropyLoss(label_smoothing=smoothing)(logits, labels)
        )
        assert torch.allclose(found.loss, plain, atol=1e-6)
        assert torch.allclose(
            model(pixel_values=pixels, labels=labels, num_items_in_batch=10).loss, plain / 2, atol=1e-6
        )
    nll = nn.NLLLoss()(logits.log_softmax(1), labels)
    assert torch.allclose(nll, nn.CrossEntropyLoss()(logits, labels), atol=1e-6), "log-softmax + NLL is cross-entropy"


@pytest.mark.parametrize(
    "model",
    [Mlp(kind="mlp", hidden=(16,)), Cnn(kind="cnn", channels=(4, 8), padding="same", batch_norm=True, dense=(8,))],
)
def test_it_learns_is_saved_whole_and_answers_alike(tmp_path: Path, model: Mlp | Cnn) -> None:
    encoding, parts = encoded(tmp_path)
    images = ImageClassification(encoding)
    how = training(model=model, optimizer=Adam(kind="adam"), learning_rate=1e-2, epochs=8, eval_steps=10)
    net = images.model(how, parts["train"])
    quiet = TrainingCallbacks(lambda *a: None, lambda *a: None, lambda *a: None)
    fit(how, net, images.feed(parts), TrainingRun(tmp_path / "checkpoints", quiet, 1))
    folder = tmp_path / "model"
    folder.mkdir()
    images.save(net, how, folder)
    encoding.save(folder)
    predictor = Predictor.load(folder, "cpu")
    tables, path = planted(tmp_path)
    contents = ImageClassifier(images).contents(tables["test"], path)
    assert not len(ImageClassifier(images).odd_inputs(contents, parts["test"]))
    answers = predictor.predict(contents, 4).probabilities
    assert (answers.argmax(1) == parts["test"].class_ids).mean() > 0.9
    net.eval()
    with torch.inference_mode():
        same = net(pixel_values=torch.from_numpy(np.array(parts["test"].pixels))).logits.softmax(1).numpy()
    assert np.allclose(answers, same, atol=1e-6)
    other = parts["test"].pixels.copy()
    other[2] += 1
    changed = Part(parts["test"].ids, parts["test"].class_ids, other)
    assert ImageClassifier(images).odd_inputs(contents, changed).tolist() == [2]


def test_what_is_no_image_is_named_by_its_row(tmp_path: Path) -> None:
    how = training()
    save_model(build_model(how, GREY, Criterion()), how.model, tmp_path)  # type: ignore[arg-type]
    GREY.save(tmp_path)
    predictor = Predictor.load(tmp_path, "cpu")
    good = png(np.zeros((8, 8), np.uint8))
    for bad, message in (
        (b"text", "row 1: not a readable image"),
        (3.5, "row 1: an image is given as bytes"),
        ("no such file", "row 1: .* neither a file nor base64"),
        (png(np.zeros((9, 8), np.uint8)), "row 1: the image is 8 x 9 pixels"),
    ):
        with pytest.raises(ValueError, match=message):
            predictor.predict([good, bad])
    (tmp_path / "x.png").write_bytes(good)
    frame = predictor.frame([good, str(tmp_path / "x.png")])
    assert frame.iloc[0].equals(frame.iloc[1])
    assert load_model(tmp_path, GREY).net[1].in_features == 64  # type: ignore[index]


def test_the_nearest_class_mean() -> None:
    pixels = np.zeros((6, 1, 2, 2), np.uint8)
    pixels[3:] = 200
    train = Part(list("abcdef"), np.array([0, 0, 0, 2, 2, 2]), pixels)
    tests = np.stack([np.full((1, 2, 2), value, np.uint8) for value in (10, 90, 110, 250)])
    assert centroid(train, tests, 3).tolist() == [0, 0, 2, 2], "a class without images is never nearest"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("train.model={kind: new, family: gpt2}", "train.model.kind new does not go with encode.kind image"),
        ("encode.normalise={mean: [0.1, 0.2], std: [1, 1]}", "mode L needs 1 value"),
        ("encode.normalise=imagenet", "imagenet needs mode RGB"),
        ("encode.resize=10", "resize 10 needs a size that is not larger, got none"),
        ("encode={kind: image, size: 12, resize: 10}", "resize 10 needs a size that is not larger, got 12"),
        ("train.augment=[{kind: color_jitter, hue: 0.1}]", "saturation and hue need encode.mode RGB"),
        ("train.augment=[{kind: affine, degrees: [5, 2]}]", r"should be \[smallest, largest\]"),
        ("train.augment=[{kind: rotation, degrees: -5}]", "-5.0 should be from 0 to inf"),
        ("train.augment=[{kind: random_erasing, scale: [0, 2]}]", r"\(0.0, 2.0\) should be from 0 to 1"),
        ("train.augment=[{kind: rand_augment, magnitude: 31}]", "should be below num_magnitude_bins"),
        ("train.augment=[{kind: flip}]", "train.augment"),
    ],
)
def test_text_options_on_images_are_refused(change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(ROOT / "configs" / "digits_demo.yaml", [change])


def test_image_options_on_texts_are_refused() -> None:
    for change in (
        "train.loss=softmax_bce",
        "train.label_smoothing=0.1",
        "train.class_weights=balanced",
        "train.augment=[{kind: horizontal_flip}]",
    ):
        with pytest.raises(RecipeError, match=r"not read with encode\.kind: label_word"):
            load_recipe(ROOT / "configs" / "reviews_demo.yaml", [change])


@pytest.mark.faults
def test_digits_go_all_the_way_to_a_report(tmp_path: Path) -> None:
    from flows.stage_graph import perform_until

    recipe = load_recipe(ROOT / "configs" / "digits_demo.yaml", ["train.epochs=1", "train.eval_steps=40"])
    outcomes = perform_until(recipe, "evaluate")
    report = json.loads(outcomes["evaluate"].result.file("report.json").read_text(encoding="utf-8"))
    assert report["scores"]["accuracy"] > 0.6 and report["content"] == "image"
    assert set(report["baselines"]) == {"majority", "centroid"}
    assert all(outcome.status == "cached" for outcome in perform_until(recipe, "evaluate").values())


def test_an_image_is_traced_and_has_no_mask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from typer import Exit

    from flows.cli import mask, trace

    recipe = ROOT / "configs" / "digits_demo.yaml"
    trace.command(recipe, "3", [], True)
    way = json.loads(capsys.readouterr().out)
    assert way["encode"]["pixels"] == "8 x 8, mode L" and way["raw"]["label"] == "2"
    with pytest.raises(Exit):
        mask.command(recipe, [], 2)
    assert "have no mask" in " ".join(capsys.readouterr().err.split())
