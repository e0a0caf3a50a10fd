"""What differs between texts and images behind one face: parts, models, batches, saving, prediction, baselines."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import pandas as pd

from configs.models import ImageModel, TextModel
from configs.schema import Train

from ..data.predictions import Predictions
from ..text import baselines as text_baselines
from ..text import encoding as text_encoding
from ..text import feed as text_feed
from ..text import models as text_models
from ..text import parts as text_parts
from ..text import predictor as text_predictor
from ..text.tokenizer import TextTokenizer, load_tokenizer
from ..vision import baselines as image_baselines
from ..vision import encoding as image_encoding
from ..vision import feed as image_feed
from ..vision import images
from ..vision import models as image_models
from ..vision import parts as image_parts
from ..vision import predictor as image_predictor
from .fit import Feed
from .metrics import Ids


class Part(Protocol):
    """Encoded rows: their ids and class ids."""

    @property
    def ids(self) -> list[str]:
        """Row ids."""

    @property
    def class_ids(self) -> Ids:
        """Class ids [rows]."""

    def __len__(self) -> int: ...


class Predictor(Protocol):
    """A loaded model folder: contents (texts, or bytes of image files) in, probabilities out."""

    def predict(self, contents: Sequence[Any], batch_size: int, progress: Callable[[int, int], None]) -> Predictions:
        """Score rows."""


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

    @property
    def baselines(self) -> tuple[str, ...]:
        """What such a model is compared with."""

    def read(self, path: Path) -> Part:
        """One encoded part."""

    def model(self, section: Train) -> Any:
        """What training starts from."""

    def feed(self, parts: Mapping[str, Part]) -> Feed:
        """What the Trainer takes."""

    def save(self, model: Any, section: Train, folder: Path) -> None:
        """Write the trained model."""

    def predictor(self, folder: Path) -> Predictor:
        """Load a model folder."""

    def contents(self, rows: pd.DataFrame, images: Path | None) -> list[Any]:
        """What the predictor takes, from raw rows."""

    def odd_inputs(self, contents: Sequence[Any], part: Part) -> Ids:
        """Rows that inference would encode otherwise than training did."""

    def baseline(self, name: str, train: pd.DataFrame, parts: Mapping[str, Part], test: pd.DataFrame) -> Ids | None:
        """A baseline's class ids for the test rows, fitted on training rows; None where it does not fit the content."""


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
    baselines = ("majority", "tfidf")

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

    def predictor(self, folder: Path) -> Predictor:
        return text_predictor.Predictor.load(folder)

    def contents(self, rows: pd.DataFrame, images: Path | None) -> list[Any]:
        return rows["text"].tolist()

    def odd_inputs(self, contents: Sequence[Any], part: Any) -> Ids:
        tail = 1 if self.encoding.kind == "generative" else 0
        lengths = self.encoding.encode(self.tokenizer, contents).lengths
        return np.flatnonzero(lengths != part.encoded.lengths - tail)

    def baseline(self, name: str, train: pd.DataFrame, parts: Mapping[str, Part], test: pd.DataFrame) -> Ids | None:
        if name != "tfidf":
            return None
        ids = {label: number for number, label in enumerate(self.labels)}
        classes = np.asarray(train["label"].map(ids), np.int64)
        return text_baselines.tfidf(train["text"].tolist(), classes, test["text"].tolist())


@dataclass(frozen=True)
class Images:
    """Images as arrays of bytes."""

    encoding: image_encoding.ImageEncoding
    preprocessing = ("encoding.json",)
    content = "image"
    baselines = ("majority", "centroid")

    @property
    def labels(self) -> tuple[str, ...]:
        return self.encoding.labels

    @property
    def kind(self) -> str:
        return self.encoding.kind

    def read(self, path: Path) -> image_parts.Part:
        return image_parts.read_part(path)

    def model(self, section: Train) -> Any:
        return image_models.build_model(section, self.encoding)

    def feed(self, parts: Mapping[str, Any]) -> Feed:
        train, validation = (image_feed.Rows(parts[name]) for name in ("train", "validation"))
        return Feed(train, validation if len(validation) else None, image_feed.collate)

    def save(self, model: Any, section: Train, folder: Path) -> None:
        image_models.save_model(model, cast(ImageModel, section.model), folder)

    def predictor(self, folder: Path) -> Predictor:
        return image_predictor.Predictor.load(folder)

    def contents(self, rows: pd.DataFrame, images: Path | None) -> list[Any]:
        assert images is not None
        return images_of(rows, images)

    def odd_inputs(self, contents: Sequence[Any], part: Any) -> Ids:
        return np.array(
            [n for n, data in enumerate(contents) if not np.array_equal(self.encoding.pixels(data), part.pixels[n])],
            np.int64,
        )

    def baseline(self, name: str, train: pd.DataFrame, parts: Mapping[str, Any], test: pd.DataFrame) -> Ids | None:
        if name != "centroid":
            return None
        return image_baselines.centroid(parts["train"], parts["test"].pixels, len(self.labels))


def images_of(rows: pd.DataFrame, path: Path) -> list[bytes]:
    """The file of each row, in order."""
    found = dict(images.read_bytes(path, set(rows["image"])))
    return [found[name] for name in rows["image"]]
