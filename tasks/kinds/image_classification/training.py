"""Training of image classifiers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import nn

from configs.models import ImageModel
from configs.schema import Train

from ...data.fonts import lettering
from ...learn.class_loss import criterion
from ...learn.fit import Feed
from ...learn.phases import Layout
from ...learn.pictures import named
from ...vision.encoding import FILE, ImageEncoding, load_encoding
from ...vision.models import build_model, save_model
from ...vision.parts import Part, read_part
from ...vision.probes import ClipProbe
from .augmentation_plot import draw_augmented
from .feed import Rows, collate


@dataclass(frozen=True)
class ImageClassification:
    """Images as arrays of bytes."""

    encoding: ImageEncoding
    preprocessing = ("encoding.json",)

    @property
    def labels(self) -> tuple[str, ...]:
        """In class-id order."""
        return self.encoding.labels

    @property
    def kind(self) -> str:
        """As in encode.kind."""
        return self.encoding.kind

    def read(self, path: Path) -> Part:
        """One encoded part."""
        return read_part(path, self.encoding)

    def model(self, section: Train, train: Any) -> Any:
        loss = criterion(section, train.class_ids, len(self.labels))
        return build_model(section, self.encoding, loss, train)

    def layout(self, model: Any) -> Layout:
        """Names below the net; the head is the layer that replaced the source's classification layer."""
        names = [name for name, value in model.named_parameters() if value.requires_grad]
        head = model.net.get_submodule(model.head)
        linear = [module for module in head.modules() if isinstance(module, nn.Linear)]
        return Layout(
            {name: name.removeprefix("net.") for name in names},
            tuple(f"net.{name}" for name, _ in model.net.named_children()),
            frozenset(name for name in names if name.startswith(f"net.{model.head}.")),
            model.fresh,
            linear[-1] if linear else None,
            isinstance(model.net, ClipProbe),
            not model.loaded,
        )

    def feed(self, parts: Mapping[str, Any], seed: int = 0) -> Feed:
        """Training and validation rows, and what makes batches of them."""
        train, validation = (Rows(parts[name]) for name in ("train", "validation"))
        return Feed(train, validation if len(validation) else None, collate)

    def save(self, model: Any, section: Train, folder: Path) -> None:
        """Write the net."""
        save_model(model, cast(ImageModel, section.model), folder)

    def finish(self, validation: Any, folder: Path) -> None:
        """Nothing: validation rows decide nothing else of the model."""

    def draw_inputs(self, model: Any, train: Any, section: Train, folder: Path) -> None:
        """How `train.augment` changes some training images."""
        if model.augment is not None:
            with lettering(self.labels):
                names, path = [named(label) for label in self.labels], folder / "augmented.png"
                draw_augmented(train, model, names, path, seed=section.seed)


def open_training(folder: Path) -> ImageClassification:
    """From encoding.json."""
    return ImageClassification(load_encoding(folder / FILE))
