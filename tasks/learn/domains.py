"""What differs between texts and images in training, behind one face: parts, models, batches, saving."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from configs.models import ImageModel, TextModel
from configs.schema import Train

from ..text import encoding as text_encoding
from ..text import feed as text_feed
from ..text import models as text_models
from ..text import parts as text_parts
from ..text.tokenizer import TextTokenizer, load_tokenizer
from ..vision import encoding as image_encoding
from ..vision import feed as image_feed
from ..vision import models as image_models
from ..vision import parts as image_parts
from ..vision.sheets import draw_augmented
from .fit import Feed
from .metrics import Ids
from .pictures import drawable


class Part(Protocol):
    """Encoded rows: their ids and class ids."""

    @property
    def ids(self) -> list[str]:
        """Row ids."""

    @property
    def class_ids(self) -> Ids:
        """Class ids [rows]."""

    def __len__(self) -> int: ...


class Domain(Protocol):
    """One kind of content."""

    @property
    def preprocessing(self) -> tuple[str, ...]:
        """Files that travel from an encoded artifact into the model's."""

    @property
    def content(self) -> str:
        """Column of a row table: text or image."""

    @property
    def labels(self) -> tuple[str, ...]:
        """In class-id order."""

    @property
    def kind(self) -> str:
        """As in encode.kind."""

    def read(self, path: Path) -> Part:
        """One encoded part."""

    def model(self, section: Train) -> Any:
        """What training starts from."""

    def feed(self, parts: Mapping[str, Part]) -> Feed:
        """What the Trainer takes."""

    def save(self, model: Any, section: Train, folder: Path) -> None:
        """Write the trained model."""

    def draw_inputs(self, model: Any, train: Part, section: Train, folder: Path) -> None:
        """Draw what training shows the model that its rows do not, if anything."""


def open_domain(folder: Path) -> Domain:
    """The domain of an encoded artifact's or a model's files, as its encoding.json says."""
    path = folder / text_encoding.FILE
    kind = json.loads(path.read_text(encoding="utf-8"))["kind"]
    if kind == "image":
        return Images(image_encoding.load_encoding(path))
    encoding = text_encoding.load_encoding(path)
    return Texts(encoding, load_tokenizer(folder, encoding.special))


@dataclass(frozen=True)
class Texts:
    """Texts as token ids."""

    encoding: text_encoding.Encoding
    tokenizer: TextTokenizer
    preprocessing = ("tokenizer.json", "encoding.json")
    content = "text"

    @property
    def labels(self) -> tuple[str, ...]:
        return self.encoding.labels

    @property
    def kind(self) -> str:
        return self.encoding.kind

    def read(self, path: Path) -> text_parts.Part:
        return text_parts.read_part(path)

    def model(self, section: Train) -> Any:
        source = cast(TextModel, section.model)
        model = text_models.build_model(source, self.encoding, self.tokenizer, section.seed)
        if section.freeze_encoder:
            text_models.freeze_encoder(model)
        return model

    def feed(self, parts: Mapping[str, Any]) -> Feed:
        train, validation = (text_feed.Rows(parts[name]) for name in ("train", "validation"))
        collate = text_feed.collate_rows(self.encoding)
        return Feed(train, validation if len(validation) else None, collate, self.encoding.label_ids)

    def save(self, model: Any, section: Train, folder: Path) -> None:
        model.save_pretrained(folder)

    def draw_inputs(self, model: Any, train: Part, section: Train, folder: Path) -> None:
        pass


@dataclass(frozen=True)
class Images:
    """Images as arrays of bytes."""

    encoding: image_encoding.ImageEncoding
    preprocessing = ("encoding.json",)
    content = "image"

    @property
    def labels(self) -> tuple[str, ...]:
        return self.encoding.labels

    @property
    def kind(self) -> str:
        return self.encoding.kind

    def read(self, path: Path) -> image_parts.Part:
        return image_parts.read_part(path, self.encoding)

    def model(self, section: Train) -> Any:
        return image_models.build_model(section, self.encoding)

    def feed(self, parts: Mapping[str, Any]) -> Feed:
        train, validation = (image_feed.Rows(parts[name]) for name in ("train", "validation"))
        return Feed(train, validation if len(validation) else None, image_feed.collate)

    def save(self, model: Any, section: Train, folder: Path) -> None:
        image_models.save_model(model, cast(ImageModel, section.model), folder)

    def draw_inputs(self, model: Any, train: Any, section: Train, folder: Path) -> None:
        if model.augment is not None:
            names, path = drawable(self.labels), folder / "augmented.png"
            draw_augmented(train, model.augment, model.size, names, path, seed=section.seed)
