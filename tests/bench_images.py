"""One epoch of the published MNIST net, four ways in one run: the published script's DataLoader with per-image
transforms, a bare Trainer on Temper's feed, Temper's fit, and a bare loop over tensors. One thread each.

    python tests/bench_images.py
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
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
from tasks.learn.domains import Images  # noqa: E402
from tasks.learn.fit import Voice, fit  # noqa: E402
from tasks.vision.encoding import ImageEncoding  # noqa: E402
from tasks.vision.feed import Rows, collate  # noqa: E402
from tasks.vision.parts import Part  # noqa: E402

ROWS, BATCH, ROUNDS = 60_000, 64, 3
MEAN, STD = 0.1307, 0.3081
ENCODING = ImageEncoding("image", tuple("0123456789"), "L", 28, 28, False, "crop", (MEAN,), (STD,))
SECTION = Train(
    model=Mlp(kind="mlp", dropout=0.2), learning_rate=0.01, optimizer=Sgd(kind="sgd"), batch_size=BATCH,
    logging_steps=100, eval_steps=10_000,
)  # fmt: skip


def part() -> Part:
    """Images of MNIST's shape: what they show does not matter to the time."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (ROWS, 1, 28, 28), np.uint8)
    return Part([str(row) for row in range(ROWS)], draw.integers(0, 10, ROWS), pixels)


class PlainNet(nn.Module):
    """The published net."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return functional.log_softmax(self.layers(images.view(len(images), -1)), 1)


class PerImage(torch.utils.data.Dataset):
    """As torchvision's MNIST serves its images: one PIL image, one chain of transforms, one item at a time."""

    def __init__(self, rows: Part) -> None:
        self.rows = rows
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.rows.pixels[row, 0])), int(self.rows.class_ids[row])


def published(rows: Part) -> None:
    model = PlainNet().train()
    steps = torch.optim.SGD(model.parameters(), lr=0.01)
    for images, labels in torch.utils.data.DataLoader(PerImage(rows), BATCH, shuffle=True):
        steps.zero_grad()
        functional.nll_loss(model(images), labels).backward()
        steps.step()


def tensors(rows: Part) -> None:
    model = PlainNet().train()
    steps = torch.optim.SGD(model.parameters(), lr=0.01)
    pixels = (torch.from_numpy(rows.pixels).float() / 255 - MEAN) / STD
    labels = torch.from_numpy(rows.class_ids)
    for batch in torch.randperm(len(rows)).split(BATCH):
        steps.zero_grad()
        functional.nll_loss(model(pixels[batch]), labels[batch]).backward()
        steps.step()


def bare_trainer(rows: Part) -> None:
    model = Images(ENCODING).model(SECTION, rows)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, num_train_epochs=1, per_device_train_batch_size=BATCH, learning_rate=0.01, optim="sgd",
            lr_scheduler_type="constant", max_grad_norm=0.0, logging_steps=100, save_strategy="no", report_to="none",
            disable_tqdm=True, use_cpu=True, remove_unused_columns=False, dataloader_pin_memory=False,
        )  # fmt: skip
        trainer = Trainer(model, arguments, train_dataset=Rows(rows), data_collator=collate)
        trainer.remove_callback(PrinterCallback)
        trainer.train()


def temper(rows: Part) -> None:
    images = Images(ENCODING)
    none = Part([], rows.class_ids[:0], rows.pixels[:0])
    with tempfile.TemporaryDirectory() as folder:
        voice = Voice(lambda *a: None, lambda *a: None, lambda *a: None)
        fit(
            SECTION,
            images.model(SECTION, rows),
            images.feed({"train": rows, "validation": none}),
            Path(folder),
            voice,
            1,
        )


def main() -> None:
    torch.set_num_threads(1)
    rows = part()
    ways: dict[str, Callable[[Part], None]] = {
        "published script": published,
        "bare Trainer, same feed": bare_trainer,
        "Temper": temper,
        "bare tensors": tensors,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.perf_counter()
            way(rows)
            seconds[name].append(time.perf_counter() - began)
    print(f"one epoch of {ROWS:,} images, batches of {BATCH}, one thread, median of {ROUNDS} alternating rounds")
    for name, measured in seconds.items():
        ratios = [slow / own for slow, own in zip(seconds["published script"], measured, strict=True)]
        print(
            f"{name:<24} {statistics.median(measured):6.2f} s  {statistics.median(ratios):5.2f} x the published script"
        )
    against = [bare / own for bare, own in zip(seconds["bare Trainer, same feed"], seconds["Temper"], strict=True)]
    print(
        f"Temper against the bare Trainer {statistics.median(against):.2f} (goal 0.9); goal 3.3 x the published script"
    )


if __name__ == "__main__":
    main()
