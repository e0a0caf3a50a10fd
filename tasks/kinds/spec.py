"""What differs between texts and images in training, behind one face: parts, models, batches, saving."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

from torch import nn

from configs.models import ImageModel, TextModel
from configs.schema import Train

from ..data.dialogues.hotels import TABLE
from ..data.errors import DataError
from ..data.fonts import lettering
from ..learn.fit import Feed
from ..learn.losses import Criterion, balanced
from ..learn.metrics import Ids
from ..learn.phases import Layout
from ..text import encoding as text_encoding
from ..text import lora as text_lora
from ..text import merging as text_merging
from ..text import models as text_models
from ..text import parts as text_parts
from ..text.chat.encoding import DialogueEncoding, load_dialogue_encoding
from ..text.tokenizer import TextTokenizer, load_tokenizer
from ..vision import encoding as image_encoding
from ..vision import models as image_models
from ..vision import parts as image_parts
from ..vision.probes import ClipProbe
from . import feed as text_feed
from .image_classification import feed as image_feed
from .image_classification.augmentation_plot import draw_augmented


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

    def model(self, section: Train, train: Part) -> Any:
        """What training starts from; the rows it will see decide balanced class weights."""

    def layout(self, model: Any) -> Layout:
        """The model's parts as its users name them."""

    def feed(self, parts: Mapping[str, Part], seed: int = 0) -> Feed:
        """What the Trainer takes; seed: of what is drawn anew in each epoch."""

    def save(self, model: Any, section: Train, folder: Path) -> None:
        """Write the trained model."""

    def draw_inputs(self, model: Any, train: Part, section: Train, folder: Path) -> None:
        """Draw what training shows the model that its rows do not, if anything."""


def criterion(section: Train, class_ids: Ids, classes: int) -> Criterion:
    """The recipe's loss. Raises DataError where it names another number of classes."""
    given = section.class_weights
    weights = balanced(class_ids, classes) if given == "balanced" else given or ()
    if weights and len(weights) != classes:
        raise DataError(f"train.class_weights has {len(weights)} values, the labels are {classes}")
    losses: dict[Any, float] = section.loss if isinstance(section.loss, dict) else {section.loss: 1.0}
    return Criterion(losses, section.label_smoothing, tuple(weights))


def open_domain(folder: Path) -> Domain:
    """The domain of an encoded artifact's or a model's files, as its encoding.json says."""
    kind = json.loads((folder / text_encoding.FILE).read_text(encoding="utf-8"))["kind"]
    if kind == "image":
        return Images(image_encoding.load_encoding(folder / text_encoding.FILE))
    if kind == "dialogue":
        talk = load_dialogue_encoding(folder / text_encoding.FILE)
        return Dialogues(talk, load_tokenizer(folder, talk.special))
    from .text import open_text_domain

    return open_text_domain(folder, kind)


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

    def model(self, section: Train, train: Any) -> Any:
        source = cast(TextModel, section.model)
        lora = section.lora
        base = lora.base if lora else "float32"
        model = text_models.build_model(source, self.encoding, self.tokenizer, section.seed, base)
        if self.kind == "classifier":
            model.criterion = criterion(section, train.class_ids, len(self.labels))
        if lora is not None:
            heads = text_lora.new_modules(model) if self.kind in text_models.WHOLE_ROWS else ()
            text_lora.add_lora(model, lora, self._probe(model), heads=heads, tokens=self.encoding.new_tokens)
        return model

    def _probe(self, model: Any) -> dict[str, Any]:
        length, tokens = min(16, self.encoding.max_length), self.encoding.new_tokens
        return text_lora.probe_batch(model, length, writer=self.kind not in text_models.WHOLE_ROWS, tokens=tokens)

    def layout(self, model: Any) -> Layout:
        """Names without the base model's prefix; the head is what is not part of the base model."""
        base = f"{model.base_model_prefix}."
        names = [name for name, value in model.named_parameters() if value.requires_grad]
        inner = [f"{base}{name}" for name, _ in model.base_model.named_children()]
        outer = [name for name, _ in model.named_children() if name != model.base_model_prefix]
        last = [module for name, module in model.named_modules() if isinstance(module, nn.Linear) and base not in name]
        output = (last[-1] if last else None) if self.kind in text_models.WHOLE_ROWS else model.get_output_embeddings()
        return Layout(
            {name: name.removeprefix(base) for name in names},
            (*inner, *outer),
            frozenset(name for name in names if not name.startswith(base)),
            getattr(model, "fresh", frozenset()),
            output,
            new=not hasattr(model, "loaded"),
        )

    def feed(self, parts: Mapping[str, Any], seed: int = 0) -> Feed:
        train, validation = (text_feed.Rows(parts[name]) for name in ("train", "validation"))
        collate = text_feed.collate_rows(self.encoding)
        return Feed(train, validation if len(validation) else None, collate, self.encoding.label_ids)

    def save(self, model: Any, section: Train, folder: Path) -> None:
        if section.lora is None:
            model.save_pretrained(folder)
        else:
            text_merging.export_merged(model, folder, self._probe(model), section.lora.base)

    def draw_inputs(self, model: Any, train: Part, section: Train, folder: Path) -> None:
        pass


@dataclass(frozen=True)
class Dialogues(Texts):
    """Dialogues as token ids; an encoded row is one of its sequences."""

    encoding: DialogueEncoding  # type: ignore[assignment]
    content = "messages"

    @property
    def preprocessing(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*Texts.preprocessing, *((TABLE,) if self.encoding.tools else ()))

    def feed(self, parts: Mapping[str, Any], seed: int = 0) -> Feed:
        encoding = self.encoding
        rows: Any = text_feed.Rows
        collate: Any = text_feed.collate_rows(encoding)
        if encoding.packing:
            rows, collate = partial(text_feed.Packs, width=encoding.max_length), text_feed.collate_packs(encoding)
        train, validation = (rows(parts[name]) for name in ("train", "validation"))
        return Feed(train, validation if len(validation) else None, collate, truth="tokens")


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

    def model(self, section: Train, train: Any) -> Any:
        loss = criterion(section, train.class_ids, len(self.labels))
        return image_models.build_model(section, self.encoding, loss, train)

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
        train, validation = (image_feed.Rows(parts[name]) for name in ("train", "validation"))
        return Feed(train, validation if len(validation) else None, image_feed.collate)

    def save(self, model: Any, section: Train, folder: Path) -> None:
        image_models.save_model(model, cast(ImageModel, section.model), folder)

    def draw_inputs(self, model: Any, train: Any, section: Train, folder: Path) -> None:
        if model.augment is not None:
            from ..learn.pictures import named

            with lettering(self.labels):
                names, path = [named(label) for label in self.labels], folder / "augmented.png"
                draw_augmented(train, model.augment, model.size, names, path, seed=section.seed)
