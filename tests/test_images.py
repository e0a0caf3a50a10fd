"""Augmentation against torchvision's kernels, its repetition after a kill, stored sizes, and images kept as files."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from test_image_cleaning import bad, good
from torch import Tensor, nn
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from configs import augmentations as steps
from configs.cleaning import Clean
from configs.expectations import Validate
from configs.image_encodings import ImageEncode
from configs.image_sources import ImagesSource
from configs.models import Cnn
from configs.optimizers import Adam
from configs.schema import Train
from configs.splitting import HashSplit
from tasks.clean import clean
from tasks.data.errors import DataError
from tasks.data.ledger import read_ledger
from tasks.data.rows import read_rows
from tasks.data.sources.image_store import ImageStore
from tasks.data.sources.provenance import Intake
from tasks.download import download
from tasks.encode import encode
from tasks.kinds.image_classification import encode as encoding_rows
from tasks.kinds.image_classification.encode import SplitImages, encode_parts
from tasks.kinds.image_classification.predictor import Predictor
from tasks.kinds.image_classification.report import ImageClassifier
from tasks.kinds.image_classification.training import ImageClassification
from tasks.kinds.spec import open_training
from tasks.learn.checkpoints import checkpoints
from tasks.learn.fit import Fitted, TrainingCallbacks, TrainingRun, fit
from tasks.learn.losses import Criterion
from tasks.split import split
from tasks.validate import validate
from tasks.vision import augment as augmenting
from tasks.vision.augment import Augment
from tasks.vision.encoding import ImageEncoding
from tasks.vision.images import decode
from tasks.vision.models import build_model
from tasks.vision.parts import FilePixels, Part
from tasks.vision.warp import inverse_affine, warp

GREY = ImageEncoding("image", ("a", "b", "c"), "L", 12, 12, True, "crop", (0.5,), (0.25,))
ALL = (
    steps.RandomResizedCrop(kind="random_resized_crop"),
    steps.HorizontalFlip(kind="horizontal_flip"),
    steps.VerticalFlip(kind="vertical_flip"),
    steps.Rotation(kind="rotation", degrees=20),
    steps.Affine(kind="affine", degrees=(-5, 10), translate=(0.1, 0.2), scale=(0.8, 1.2), shear=(-3, 3, -2, 2)),
    steps.RandomCrop(kind="random_crop", padding=2, padding_mode="reflect"),
    steps.ColorJitter(kind="color_jitter", brightness=0.3, contrast=(0.5, 1.5), saturation=0.4, hue=0.1),
    steps.RandomErasing(kind="random_erasing"),
    steps.TrivialAugmentWide(kind="trivial_augment_wide"),
    steps.RandAugment(kind="rand_augment"),
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def photos(rows: int, channels: int = 3, size: tuple[int, int] = (20, 24), seed: int = 0) -> Tensor:
    """Images with large shapes, so that a place between pixels has a value between theirs."""
    small = torch.rand((rows, channels, 5, 6), generator=torch.Generator().manual_seed(seed)) * 255
    return nn.functional.interpolate(small, size, mode="bilinear").round().to(torch.uint8)


def augmented(images: Tensor, *chosen: Any, size: tuple[int, int] = (20, 24), seed: int = 1) -> Tensor:
    torch.manual_seed(seed)
    return Augment(chosen, tuple(images.shape[-2:]), size)(images)  # type: ignore[arg-type]


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("fill", [0, 90])
def test_each_image_is_moved_by_its_own_matrix_as_torchvision_would(interpolation: str, fill: int) -> None:
    images, draw = photos(40), np.random.default_rng(0)
    angle, scale, shear = draw.uniform(-180, 180, 40), draw.uniform(0.5, 1.6, 40), draw.uniform(-30, 30, (2, 40))
    shift = draw.integers(-7, 8, (2, 40))
    tensors = [torch.from_numpy(part).double() for part in (angle, shift, scale, shear)]
    matrices = inverse_affine(tensors[0], tuple(tensors[1]), tensors[2], tuple(tensors[3]))  # type: ignore[arg-type]
    found = warp(images, matrices, interpolation, fill).int()
    how = {"interpolation": v2.InterpolationMode(interpolation), "fill": [float(fill)]}
    for row in range(40):
        theirs = functional.affine(
            images[row], float(angle[row]), shift[:, row].tolist(), float(scale[row]), shear[:, row].tolist(), **how
        ).int()
        differs = (found[row] - theirs).abs()
        assert differs.max() <= 1 if interpolation == "bilinear" else (differs > 0).float().mean() < 0.02


def drawn(step: Any, count: int = 3000, **options: Any) -> Tensor:
    """What a step makes of an image whose pixels tell where they were: 0 to 19 down, 0 to 23 to the right."""
    places = torch.stack(torch.meshgrid(torch.arange(20), torch.arange(24), indexing="ij")) + 1
    images = torch.cat((places, torch.zeros(1, 20, 24)), 0).to(torch.uint8).expand(count, 3, 20, 24).contiguous()
    return augmented(images, step, **options)


def test_flips_change_the_stated_share() -> None:
    found = drawn(steps.HorizontalFlip(kind="horizontal_flip", p=0.3))
    flipped = found[:, 1, 0, 0] == 24
    assert 0.26 < flipped.float().mean() < 0.34
    assert torch.equal(found[flipped][0, 1, 0], torch.arange(24, 0, -1).to(torch.uint8))
    assert torch.equal(found[~flipped][0, 1, 0], torch.arange(1, 25).to(torch.uint8))
    assert 0.46 < (drawn(steps.VerticalFlip(kind="vertical_flip"))[:, 0, 0, 0] == 20).float().mean() < 0.54
    assert (drawn(steps.VerticalFlip(kind="vertical_flip", p=1.0))[:, 0, 0, 0] == 20).all()


def test_crops_are_whole_pieces_from_every_place() -> None:
    found = drawn(steps.RandomCrop(kind="random_crop"), size=(16, 24))
    assert found.shape == (3000, 3, 16, 24)
    tops = found[:, 0, 0, 0].int() - 1
    assert torch.bincount(tops, minlength=5).min() > 500 and tops.max() == 4
    assert torch.equal(found[:, 0, 15, 0].int() - 1, tops + 15)
    padded = drawn(steps.RandomCrop(kind="random_crop", padding=2, fill=77))
    assert {(int(row[0, 0, 5]), int(row[1, 5, 0])) for row in padded} == {
        (top, left) for top in (77, 1, 2, 3) for left in (77, 1, 2, 3)
    }


def test_boxes_are_distributed_as_torchvision_draws_them() -> None:
    """Mean area, shape and place of 3,000 boxes of ours and of theirs."""
    step = steps.RandomResizedCrop(kind="random_resized_crop", scale=(0.2, 0.9), ratio=(0.6, 2.0))
    theirs = v2.RandomResizedCrop((20, 24), scale=step.scale, ratio=step.ratio)
    image = torch.zeros((3, 20, 24), dtype=torch.uint8)
    boxes = torch.tensor(
        [list(theirs.make_params([image]).values()) for _ in range(3000)]
    ).float()  # top left high wide
    seen: list[list[int]] = []
    kernel = functional.resized_crop
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            functional,
            "resized_crop",
            lambda image, *box, **how: (seen.append([*box[:4]]), kernel(image, *box, **how))[1],
        )
        drawn(step)
    ours = torch.tensor(seen).float()
    assert (ours.mean(0) - boxes.mean(0)).abs().max() < 0.5 and (ours.std(0) - boxes.std(0)).abs().max() < 0.3
    assert ours[:, 2].max() <= 20 and (ours[:, 0] + ours[:, 2]).max() <= 20 and (ours[:, 1] + ours[:, 3]).max() <= 24


def test_a_box_that_never_fits_is_the_middle() -> None:
    """As torchvision's fallback: wide boxes out of a narrow image."""
    narrow = torch.arange(60, dtype=torch.uint8).view(1, 1, 60, 1).expand(4, 1, 60, 6).contiguous()
    step = steps.RandomResizedCrop(kind="random_resized_crop", scale=(1.0, 1.0), ratio=(2.0, 2.0))
    found = augmented(narrow, step, size=(3, 6))
    assert torch.equal(found, narrow[:, :, 28:31])


def test_erased_rectangles_have_the_stated_areas() -> None:
    step = steps.RandomErasing(kind="random_erasing", p=0.8, scale=(0.1, 0.2), ratio=(0.5, 2.0), value=200)
    covered = (drawn(step)[:, 2] == 200).float()
    touched = covered.sum((1, 2)) > 0
    assert 0.77 < touched.float().mean() < 0.83
    areas = covered[touched].mean((1, 2))
    assert areas.min() > 0.08 and areas.max() < 0.23 and 0.14 < areas.mean() < 0.16
    rows, columns = covered.amax(2).sum(1), covered.amax(1).sum(1)
    assert torch.equal(rows * columns, covered.sum((1, 2))), "a rectangle has no holes"
    assert (covered.mean(0) > 0).float().mean() > 0.95


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        ("brightness", functional.adjust_brightness),
        ("contrast", functional.adjust_contrast),
        ("saturation", functional.adjust_saturation),
        ("hue", functional.adjust_hue),
    ],
)
def test_colours_change_as_torchvisions(name: str, kernel: Callable[..., Tensor]) -> None:
    images, number = photos(30), ("brightness", "contrast", "saturation", "hue").index(name)
    factors = torch.linspace(-0.5, 0.5, 30) if name == "hue" else torch.linspace(0, 2, 30)
    found = augmenting.COLOURS[number](images, factors)
    theirs = torch.stack([kernel(image, factor) for image, factor in zip(images, factors.tolist(), strict=True)])
    assert (found.int() - theirs.int()).abs().max() <= 1


def test_colours_are_changed_image_by_image_in_every_order() -> None:
    grey = torch.full((4000, 1, 4, 4), 100, dtype=torch.uint8)
    bright = augmented(grey, steps.ColorJitter(kind="color_jitter", brightness=0.2), size=(4, 4))
    values = bright[:, 0, 0, 0].float()
    assert values.min() >= 79 and values.max() <= 120 and 98 < values.mean() < 101 and len(values.unique()) > 35
    image = torch.tensor([0, 200], dtype=torch.uint8).view(1, 1, 1, 2).expand(4000, 1, 1, 2).contiguous()
    both = steps.ColorJitter(kind="color_jitter", brightness=(0.5, 0.5), contrast=(0.5, 0.5))
    found, counts = augmented(image, both, size=(1, 2)).view(4000, 2).unique(dim=0, return_counts=True)
    assert found.tolist() == [[25, 75]] or sorted(found.tolist()) == [[25, 75]], "these two commute"
    both = steps.ColorJitter(kind="color_jitter", brightness=(2.0, 2.0), contrast=(0.5, 0.5))
    found, counts = augmented(image, both, size=(1, 2)).view(4000, 2).unique(dim=0, return_counts=True)
    assert sorted(found.tolist()) == [[63, 191], [100, 255]] and counts.min() > 1800


def test_rotation_turns_as_torchvision_and_within_its_angles() -> None:
    images = photos(1).expand(2000, 3, 20, 24).contiguous()
    found = augmented(images, steps.Rotation(kind="rotation", degrees=(30, 30), interpolation="bilinear"))
    theirs = functional.rotate(images[0], 30, interpolation=v2.InterpolationMode.BILINEAR, fill=[0.0])
    assert (found[0].int() - theirs.int()).abs().max() <= 1
    assert torch.equal(augmented(images[:3], steps.Rotation(kind="rotation", degrees=0)), images[:3])


@pytest.mark.parametrize("step", ALL, ids=lambda step: step.kind)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_step_draws_for_each_image_and_repeats_with_the_seed(step: Any, channels: int) -> None:
    images = photos(1, channels).expand(24, channels, 20, 24).contiguous()
    before = images.clone()
    found = augmented(images, step)
    assert found.dtype == torch.uint8 and found.shape == images.shape and torch.equal(images, before)
    assert len({row.numpy().tobytes() for row in found}) > 1, "one draw for the whole batch"
    assert torch.equal(found, augmented(images, step)) and not torch.equal(found, augmented(images, step, seed=2))


def test_half_precision_of_the_net_leaves_images_alone() -> None:
    images, step = photos(8), ALL[4]
    plain = augmented(images, step)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(augmented(images, step), plain)


def test_padding_that_an_image_cannot_mirror_is_refused() -> None:
    wide = steps.RandomCrop(kind="random_crop", padding=12, padding_mode="reflect")
    with pytest.raises(DataError, match=r"train\.augment: random_crop cannot mirror 12 of 12 pixels"):
        build_model(training(augment=(wide,)), GREY, Criterion())


def training(**changes: Any) -> Train:
    usual: dict[str, Any] = {
        "model": Cnn(kind="cnn", channels=(4,), padding="same", dense=()),
        "optimizer": Adam(kind="adam"),
        "learning_rate": 1e-2,
        "epochs": 2,
        "batch_size": 8,
        "eval_steps": 3,
        "logging_steps": 2,
    }
    return Train(**{**usual, **changes})


def test_images_change_in_training_alone_and_the_middle_is_seen_otherwise() -> None:
    step = steps.RandomCrop(kind="random_crop")
    stored = ImageEncoding("image", ("a", "b"), "L", 12, 12, True, "crop", (0.5,), (0.25,), resize=17)
    model, images, seen = build_model(training(augment=(step,)), stored, Criterion()), photos(6, 1, (17, 17)), []
    model.net.register_forward_pre_hook(lambda module, given: seen.append((given[0] * model.std + model.mean).round()))
    model.eval()(pixel_values=images)
    assert torch.equal(seen[0], functional.center_crop(images, [12, 12]).float())
    model.train()(pixel_values=images)
    assert seen[1].shape == (6, 1, 12, 12) and not torch.equal(seen[1], seen[0])
    model.augment = None
    model(pixel_values=images)
    assert torch.equal(seen[2], seen[0]), "the middle, where nothing cuts"
    assert not [name for name in model.state_dict() if "augment" in name]


class Killed(Exception):
    """What ends a training from outside."""


def parts(rows: int = 30) -> dict[str, Part]:
    pixels, classes = photos(rows, 1, (12, 12)).numpy(), np.arange(rows) % 3
    names = [str(row) for row in range(rows)]
    return {"train": Part(names[9:], classes[9:], pixels[9:]), "validation": Part(names[:9], classes[:9], pixels[:9])}


def trained(root: Path, how: Train, kill: int | None = None) -> tuple[dict[str, Tensor], Fitted]:
    model, passes = ImageClassification(GREY).model(how, parts()["train"]), 0

    def count(*_: Any) -> None:
        nonlocal passes
        passes += model.training
        if passes == kill:
            raise Killed

    model.register_forward_pre_hook(count)
    torch.seed()  # what the process drew before is of no account
    fitted = fit(
        how,
        model,
        ImageClassification(GREY).feed(parts()),
        TrainingRun(root, TrainingCallbacks(*[lambda *a: None] * 3), 1),
    )
    return model.state_dict(), fitted


CHANGES = tuple(step for step in ALL if step.kind != "color_jitter")


@pytest.mark.faults
def test_a_killed_training_goes_on_with_the_same_images(tmp_path: Path) -> None:
    how = training(augment=CHANGES)
    calm, fitted = trained(tmp_path / "calm", how)
    again, _ = trained(tmp_path / "again", how)
    assert all(torch.equal(again[name], calm[name]) for name in calm), "two runs with one seed"
    with pytest.raises(Killed):
        trained(tmp_path / "killed", how, kill=5)
    resumed, after = trained(tmp_path / "killed", how)
    assert after.resumed_at == 3 and after.history == fitted.history
    assert all(torch.equal(resumed[name], calm[name]) for name in calm)
    plain, _ = trained(tmp_path / "plain", training())
    assert not all(torch.equal(plain[name], calm[name]) for name in calm), "the steps do something"


@pytest.mark.faults
def test_a_lost_random_state_would_be_seen(tmp_path: Path) -> None:
    """Planted: images changed by numbers that no checkpoint carries."""
    how, draws = training(augment=(steps.RandomCrop(kind="random_crop", padding=2),)), torch.Generator()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augmenting, "_start", lambda room: (torch.rand(room.shape, generator=draws) * (room + 1)).long())
        draws.manual_seed(0)
        calm, _ = trained(tmp_path / "calm", how)
        draws.manual_seed(0)
        with pytest.raises(Killed):
            trained(tmp_path / "killed", how, kill=5)
        resumed, after = trained(tmp_path / "killed", how)
    assert after.resumed_at == 3 and any(not torch.equal(resumed[name], calm[name]) for name in calm)
    assert max(checkpoints(tmp_path / "killed"))[0] == 6


def jpeg(seed: int, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photos(1, 3, size, seed)[0].permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def kept(tmp_path: Path, files: list[bytes], **how: Any) -> tuple[ImageEncoding, dict[str, Part], pd.DataFrame]:
    """Encode files, of classes a and b by turns: the last three are of the test part, those before of validation."""
    tmp_path.mkdir(exist_ok=True)
    with ImageStore(Intake(tmp_path / "scratch")) as store:
        names = [store.add(data) for data in files]
        images = store.write()
    table = pd.DataFrame({"id": [f"r{n}" for n in range(len(files))], "image": names}, dtype="str")
    table["label"] = ["ab"[n % 2] for n in range(len(files))]
    cuts = {"train": table[:-6], "validation": table[-6:-3], "test": table[-3:]}
    section = ImageEncode(kind="image", **how)
    encoding, _, gone = encode_parts(section, cuts, SplitImages(images, ["a", "b"]), tmp_path, lambda *a: None)
    encoding.save(tmp_path)
    return encoding, {name: open_training(tmp_path).read(tmp_path / f"{name}.parquet") for name in cuts}, gone  # type: ignore[misc]


PHOTOS = [jpeg(seed, (20 + seed % 3 * 5, 24 + seed % 5)) for seed in range(24)]


def test_files_and_an_array_give_the_same_pixels(tmp_path: Path) -> None:
    files = [*PHOTOS[:4], PHOTOS[5][:80], *PHOTOS[4:], PHOTOS[0]]  # one is cut, one is there twice
    how = {"size": 16, "resize": 18}
    encoding, arrays, gone = kept(tmp_path / "a", files, keep="array", **how)
    same, mapped, lost = kept(tmp_path / "f", files, keep="files", **how)
    assert same == encoding and gone.equals(lost) and gone.to_numpy().tolist() == [["r4", "unreadable: truncated"]]
    for name, part in arrays.items():
        pixels, other = part.pixels, mapped[name].pixels
        assert isinstance(pixels, np.memmap) and isinstance(other, FilePixels)
        assert mapped[name].ids == part.ids and np.array_equal(mapped[name].class_ids, part.class_ids)
        assert other.shape == pixels.shape and pixels.shape[1:] == (3, 18, 18) and len(other) == len(pixels)
        assert np.array_equal(other[:], pixels) and np.array_equal(other[[2, 0]], pixels[[2, 0]])
        assert np.array_equal(other[1], pixels[1]) and np.array_equal(other[1:3], pixels[1:3])
        assert other[[]].shape == (0, 3, 18, 18)
    assert (tmp_path / "f" / "train.bin").stat().st_size < (tmp_path / "a" / "train.npy").stat().st_size
    assert not (tmp_path / "a" / "train.all").exists()


def test_auto_keeps_files_above_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bytes_of_all = len(PHOTOS) * 3 * 16 * 16
    for limit, end in ((bytes_of_all, ".npy"), (bytes_of_all - 1, ".bin")):
        monkeypatch.setattr(encoding_rows, "ARRAY_BYTES", limit)
        kept(tmp_path / end, PHOTOS, size=16)
        assert {path.suffix for path in (tmp_path / end).glob("train.*")} == {end, ".parquet"}


@pytest.mark.parametrize("keep", ["array", "files"])
def test_training_and_inference_see_the_same(tmp_path: Path, keep: str) -> None:
    """From stored squares to the registered model: what validation scored is what prediction scores."""
    encoding, found, _ = kept(tmp_path, PHOTOS, keep=keep, size=16, resize=20, normalise="imagenet")
    domain, how = ImageClassification(encoding), training(augment=ALL[:4], epochs=1)
    model = domain.model(how, found["train"])
    fit(
        how,
        model,
        domain.feed(found),
        TrainingRun(tmp_path / "checkpoints", TrainingCallbacks(*[lambda *a: None] * 3), 1),
    )
    (tmp_path / "model").mkdir()
    domain.save(model, how, tmp_path / "model")
    encoding.save(tmp_path / "model")
    assert not len(ImageClassifier(domain).odd_inputs(PHOTOS[-3:], found["test"]))
    assert ImageClassifier(domain).odd_inputs([PHOTOS[0], *PHOTOS[-2:]], found["test"]).tolist() == [0]
    answers = Predictor.load(tmp_path / "model", "cpu").predict(PHOTOS[-3:]).probabilities
    by_hand = torch.stack(
        [v2.functional.center_crop(torch.from_numpy(decode(data, "RGB", 20, "crop")), [16, 16]) for data in PHOTOS[-3:]]
    )
    normal = functional.normalize(by_hand / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.inference_mode():
        assert np.allclose(answers, model.eval().net(normal).softmax(1).numpy(), atol=1e-5)


def test_constants_are_of_each_training_row_alone(tmp_path: Path) -> None:
    black, white = (np.full((8, 8, 3), value, np.uint8) for value in (0, 255))
    files = []
    for pixels in [black] * 3 + [white] + [white] * 6:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        files.append(buffer.getvalue())
    encoding, _, _ = kept(tmp_path, files, keep="files")
    assert encoding.mean == (0.25,) * 3 and encoding.std == pytest.approx((math.sqrt(0.1875),) * 3, abs=1e-6)


@pytest.mark.faults
def test_a_sheet_shows_originals_and_versions(tmp_path: Path) -> None:
    encoding, found, _ = kept(tmp_path, PHOTOS, size=16, resize=20)
    domain, how = ImageClassification(encoding), training(augment=ALL)
    state = torch.get_rng_state()
    model = domain.model(how, found["train"])
    torch.set_rng_state(state)
    domain.draw_inputs(model, found["train"], how, tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    first = (tmp_path / "augmented.png").read_bytes()
    with Image.open(io.BytesIO(first)) as sheet:
        assert sheet.width > 500 and sheet.height > 800 and len(sheet.convert("RGB").getcolors(10**6)) > 100
    domain.draw_inputs(model, found["train"], how, tmp_path)
    assert (tmp_path / "augmented.png").read_bytes() == first, "seeded"
    domain.draw_inputs(domain.model(training(), found["train"]), found["train"], how, tmp_path / "none")


@pytest.mark.faults
def test_twenty_bad_files_end_in_the_ledger_wherever_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through download, validate, clean, split and encode; without cleaning, encode drops them itself."""
    broken, whole = bad(), good()
    assert len(broken) == 20
    monkeypatch.setenv("TEMPER_DATA", str(tmp_path))
    for number, (name, data) in enumerate((whole | {name: data for name, (data, _) in broken.items()}).items()):
        path = tmp_path / "photos" / ("ants" if number % 2 else "bees") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    raw = download.run_or_load(ImagesSource(kind="images", path="photos"), {}).result
    checked = validate.run_or_load(Validate(min_rows=1), {"raw": raw}).result
    for chosen, stage in ((Clean(max_dropped=1), "clean"), (Clean(steps=(), max_dropped=1), "encode")):
        rows = clean.run_or_load(chosen, {"checked": checked}).result
        splits = split.run_or_load(
            HashSplit(near_copies="keep", train=0.6, validation=0.2, test=0.2), {"rows": rows}
        ).result
        if stage == "encode":
            with pytest.raises(DataError, match=r"more than `encode\.max_dropped` 0\.5"):
                encode.run_or_load(ImageEncode(kind="image", size=16), {"splits": splits})
        done = encode.run_or_load(ImageEncode(kind="image", size=16, max_dropped=1), {"splits": splits}).result
        ledger = read_ledger(done.file("ledger.parquet"))
        names = read_rows(raw.file("rows.parquet")).set_index("id")["file"].map(lambda file: Path(file).name)
        gone = ledger[ledger["state"] == "dropped"].set_index("id")
        found = dict(zip(names[gone.index], gone["reason"], strict=True))
        expected = {name: f"unreadable: {cause}" for name, (_, cause) in broken.items()}
        if stage == "encode":
            del expected["second frame.gif"]  # whose first frame, all that is looked at, is whole
        assert found == expected and set(gone["stage"]) == {stage}
        assert len(ledger) == len(broken) + len(whole) == (ledger["state"] != "dropped").sum() + len(found)
