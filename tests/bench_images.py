"""One epoch of the published MNIST net, four ways in one run: the published script's DataLoader with per-image
transforms, a bare Trainer on Temper's feed, Temper's fit, and a bare loop over tensors. One thread each.

    python tests/bench_images.py ../shared/datasets      (MNIST's four files in its folder mnist)

Where that folder is not there, random pixels of the same number and size are taken, for the times alone. Seconds are
those of the processor, which other work on the machine lengthens less than the clock's.

All four start from the same weights. That their mathematics is one and the same is shown first, without dropout and
with one batch that is the whole set, so that neither random numbers nor the order of rows come in.
"""

import gzip
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torchvision import transforms  # noqa: E402
from transformers import PrinterCallback, Trainer, TrainingArguments  # noqa: E402

from configs.models import Mlp  # noqa: E402
from configs.optimizers import Sgd  # noqa: E402
from configs.schema import Train  # noqa: E402
from tasks.kinds.image_classification.feed import Rows, collate  # noqa: E402
from tasks.kinds.image_classification.training import ImageClassification  # noqa: E402
from tasks.learn.fit import TrainingCallbacks, TrainingRun, fit  # noqa: E402
from tasks.vision.encoding import ImageEncoding  # noqa: E402
from tasks.vision.parts import Part  # noqa: E402

ROWS, BATCH, ROUNDS = 60_000, 64, 3
MEAN, STD = 0.1307, 0.3081
ENCODING = ImageEncoding("image", tuple("0123456789"), "L", 28, 28, False, "crop", (MEAN,), (STD,))
SECTION = Train(
    model=Mlp(kind="mlp", dropout=0.2),
    learning_rate=0.01,
    optimizer=Sgd(kind="sgd"),
    batch_size=BATCH,
    logging_steps=100,
    eval_steps=10_000,
)
STEPS = 20
"""How many the four ways take from the same weights to show that they end at the same ones."""


def mnist(folder: Path | None, name: str, count: int) -> Part:
    """A part of MNIST; without a folder random pixels, since what they show does not matter to the time."""
    draw = np.random.default_rng(0)
    if folder is None:
        pixels, labels = draw.integers(0, 256, (count, 1, 28, 28), np.uint8), draw.integers(0, 10, count)
    else:
        images, classes = (
            gzip.decompress((folder / f"{name}-{kind}-ubyte.gz").read_bytes())
            for kind in ("images-idx3", "labels-idx1")
        )
        pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28)[:count].copy()
        labels = np.frombuffer(classes, np.uint8, offset=8)[:count].astype(np.int64)
    return Part([str(row) for row in range(len(labels))], labels, pixels)


class PlainNet(nn.Module):
    """The published net."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(784, 256),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(128, 64),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(64, 10),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return functional.log_softmax(self.layers(images.view(len(images), -1)), 1)


FIRST = [value.detach().clone() for value in PlainNet(0.0).parameters()]
"""The weights that every way starts from."""


def begin(model: nn.Module) -> None:
    with torch.no_grad():
        for own, first in zip(model.parameters(), FIRST, strict=True):
            own.copy_(first)


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    return (pixels.float() / 255 - MEAN) / STD


class PerImage(torch.utils.data.Dataset):
    """As torchvision's MNIST serves its images: one PIL image, one chain of transforms, one item at a time."""

    def __init__(self, rows: Part) -> None:
        self.rows = rows
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.rows.pixels[row, 0])), int(self.rows.class_ids[row])


def published(rows: Part, section: Train) -> nn.Module:
    model = plain_net(section)
    steps = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(section.epochs):
        for images, labels in torch.utils.data.DataLoader(PerImage(rows), BATCH, shuffle=True):
            steps.zero_grad()
            functional.nll_loss(model(images), labels).backward()
            steps.step()
    return model


def plain_net(section: Train) -> PlainNet:
    model = PlainNet(section.model.dropout).train()  # type: ignore[union-attr]
    begin(model)
    return model


def tensors(rows: Part, section: Train) -> nn.Module:
    model = plain_net(section)
    steps = torch.optim.SGD(model.parameters(), lr=0.01)
    pixels, labels = normalised(torch.from_numpy(rows.pixels)), torch.from_numpy(rows.class_ids)
    for _ in range(section.epochs):
        for batch in torch.randperm(len(rows)).split(BATCH):
            steps.zero_grad()
            functional.nll_loss(model(pixels[batch]), labels[batch]).backward()
            steps.step()
    return model


def bare_trainer(rows: Part, section: Train) -> nn.Module:
    model = ImageClassification(ENCODING).model(section, rows)
    begin(model)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=section.epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=0.01,
            optim="sgd",
            lr_scheduler_type="constant",
            max_grad_norm=0.0,
            logging_steps=100,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
        )
        trainer = Trainer(model, arguments, train_dataset=Rows(rows), data_collator=collate)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return model


def temper(rows: Part, section: Train) -> nn.Module:
    images = ImageClassification(ENCODING)
    model = images.model(section, rows)
    begin(model)
    none = Part([], rows.class_ids[:0], rows.pixels[:0])
    with tempfile.TemporaryDirectory() as folder:
        callbacks = TrainingCallbacks(lambda *a: None, lambda *a: None, lambda *a: None)
        fit(section, model, images.feed({"train": rows, "validation": none}), TrainingRun(Path(folder), callbacks, 1))
    return model


WAYS: dict[str, Callable[[Part, Train], nn.Module]] = {
    "published script": published,
    "bare Trainer, same feed": bare_trainer,
    "Temper": temper,
    "bare tensors": tensors,
}


def apart(rows: Part) -> float:
    """Largest difference between any weight of the published script and of another way, after the same steps."""
    one = Part(rows.ids[:BATCH], rows.class_ids[:BATCH], rows.pixels[:BATCH])
    section = replace(SECTION, model=Mlp(kind="mlp"), epochs=STEPS)
    ends = [[value.detach() for value in way(one, section).parameters()] for way in WAYS.values()]
    moved = max(float((own - first).abs().max()) for own, first in zip(ends[0], FIRST, strict=True))
    if moved < 1e-3:
        raise SystemExit(f"{STEPS} steps moved no weight by more than {moved:.0e}: nothing is compared")
    return max(float((own - plain).abs().max()) for end in ends[1:] for own, plain in zip(end, ends[0], strict=True))


@torch.no_grad()
def right(model: nn.Module, rows: Part) -> float:
    """Share of right answers, with dropout off."""
    pixels = torch.from_numpy(rows.pixels)
    found = model.eval()(normalised(pixels)) if isinstance(model, PlainNet) else model.eval()(pixels).logits
    return float((found.argmax(1).numpy() == rows.class_ids).mean())


def main() -> None:
    torch.set_num_threads(1)
    given = (Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "datasets") / "mnist"
    folder = given if given.is_dir() or len(sys.argv) > 1 else None
    rows, held_out = mnist(folder, "train", ROWS), mnist(folder, "t10k", 10_000)
    difference = apart(rows)
    print(f"largest difference of a weight between the four ways, after {STEPS} equal steps: {difference:.1e}")
    if difference > 1e-5:
        raise SystemExit("the four ways do not compute the same; their times say nothing")
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    clock: dict[str, list[float]] = {name: [] for name in WAYS}
    scores: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, way in WAYS.items():
            began, busy = time.perf_counter(), time.process_time()
            model = way(rows, SECTION)
            seconds[name].append(time.process_time() - busy)
            clock[name].append(time.perf_counter() - began)
            scores[name].append(right(model, held_out))
    kind = "MNIST's" if folder else "random"
    print(f"one epoch of {ROWS:,} {kind} images, batches of {BATCH}, one thread, median of {ROUNDS} alternating rounds")
    for name, measured in seconds.items():
        ratios = [slow / own for slow, own in zip(seconds["published script"], measured, strict=True)]
        learnt = f"  test accuracy {statistics.median(scores[name]):.4f}" if folder else ""
        print(
            f"{name:<24} {statistics.median(measured):6.2f} s  {statistics.median(ratios):5.2f} x  "
            f"(by the clock {statistics.median(clock[name]):6.2f} s){learnt}"
        )
    against = [bare / own for bare, own in zip(seconds["bare Trainer, same feed"], seconds["Temper"], strict=True)]
    print(
        f"Temper against the bare Trainer {statistics.median(against):.2f} (goal 0.9); goal 3.3 x the published script"
    )


if __name__ == "__main__":
    main()
