"""Tokenizers and models that a recipe starts from, pinned before they enter a key."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .backbones import CifarResnet, Timm, Torchvision, require_colour
from .fields import STRICT, Positive, Repo, Share, refuse_unread
from .names import ModelName
from .pretrained import Pretrained, PretrainedTokenizer


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TrainedTokenizer:
    """A byte-level BPE learnt from the training rows."""

    kind: Literal["train"]
    """This kind of tokenizer."""
    vocab_size: Annotated[int, Field(ge=300, le=200_000)] = 4096
    """Entries of the vocabulary, special tokens included."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LocalTokenizer(PretrainedTokenizer):
    """Tokenizer files in a folder: tokenizer.json, or vocab.json + merges.txt (GPT-2), or vocab.txt (BERT)."""

    kind: Literal["files"]
    """This kind of tokenizer."""
    path: str
    """The folder; a relative path starts at TEMPER_DATA, `package:NAME/path` in an installed package."""
    lowercase: bool = True
    """Whether a vocab.txt is of an uncased model."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HubTokenizer(PretrainedTokenizer):
    """The tokenizer of a model on the Hub."""

    kind: Literal["hub"]
    """This kind of tokenizer."""
    repo: Repo
    """Model, as owner/name."""
    revision: str = "main"
    """Branch, tag or commit; the commit it stands for is what counts."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RegisteredTokenizer:
    """The tokenizer of a model in the MLflow registry."""

    kind: Literal["registered"]
    """This kind of tokenizer."""
    name: ModelName
    """The model's name in the registry."""
    version: str = "champion"
    """Its version's number, or an alias; the files it stands for are what counts."""


TokenizerSource = Annotated[
    TrainedTokenizer | LocalTokenizer | HubTokenizer | RegisteredTokenizer, Field(discriminator="kind")
]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class NewModel:
    """A model of a transformers family with new weights."""

    kind: Literal["new"]
    """This kind of model."""
    family: str
    """Model type as transformers names it: gpt2, bert, distilbert, …"""
    config: dict[str, int | float | bool | str] = Field(default_factory=dict)
    """Fields of that family's configuration, such as n_layer or hidden_size."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LocalModel(Pretrained):
    """Weights (safetensors) and config.json in a folder."""

    kind: Literal["files"]
    """This kind of model."""
    path: str
    """The folder; a relative path starts at TEMPER_DATA, `package:NAME/path` in an installed package."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HubModel(Pretrained):
    """A pretrained model of the Hub, at a commit."""

    kind: Literal["hub"]
    """This kind of model."""
    repo: Repo
    """Model, as owner/name."""
    revision: str = "main"
    """Branch, tag or commit; the commit it stands for is what counts."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RegisteredModel:
    """A model in the MLflow registry, trained on from there."""

    kind: Literal["registered"]
    """This kind of model."""
    name: ModelName
    """Its name in the registry."""
    version: str = "champion"
    """Its version's number, or an alias; the files it stands for are what counts."""


Initial = Literal["torch", "keras"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Mlp:
    """A fully connected net on the pixels, with new weights."""

    kind: Literal["mlp"]
    """This kind of model."""
    hidden: Annotated[tuple[Positive, ...], Field(min_length=1)] = (256, 128, 64)
    """Units of the hidden layers."""
    activation: Literal["relu", "leaky_relu"] = "relu"
    """What follows each hidden layer."""
    slope: Annotated[float, Field(ge=0)] = 0.01
    """Slope of leaky_relu below zero."""
    dropout: Share = 0.0
    """Dropout after each hidden layer."""
    layer_norm: bool = False
    """Layer normalisation before the last layer."""
    initial: Initial = "torch"
    """PyTorch's own initial weights, or Keras's (Glorot uniform, biases 0)."""

    @model_validator(mode="after")
    def _sloping(self) -> "Mlp":
        if self.activation != "leaky_relu":
            refuse_unread(self, ("slope",), "without activation: leaky_relu")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Cnn:
    """Convolutions of 3 x 3, each followed by ReLU and max-pooling of 2, then dense layers; with new weights."""

    kind: Literal["cnn"]
    """This kind of model."""
    channels: Annotated[tuple[Positive, ...], Field(min_length=1)] = (32, 64, 128)
    """Channels of the convolutions."""
    padding: Literal["valid", "same"] = "valid"
    """`same` keeps the size in each convolution."""
    batch_norm: bool = False
    """Batch normalisation before each ReLU of the convolutions."""
    dense: tuple[Positive, ...] = (1024, 256)
    """Units of the dense layers before the last."""
    dropout: Share = 0.2
    """Dropout after the first dense layer (after the convolutions where there is none)."""
    initial: Initial = "torch"
    """PyTorch's own initial weights, or Keras's (Glorot uniform, biases 0)."""
    framework: Initial = "torch"
    """Whose layers: PyTorch's, or Keras's on PyTorch (extra `keras`). The trainer is the same."""

    @model_validator(mode="after")
    def _kerasque(self) -> "Cnn":
        if self.framework == "keras" and (self.initial != "keras" or self.batch_norm):
            raise ValueError("framework keras goes with initial: keras and without batch_norm")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Clip:
    """CLIP's image tower behind a new linear layer on its normalised embeddings. Without phases that layer alone is
    trained."""

    kind: Literal["clip"]
    """This kind of model."""
    source: Annotated[LocalModel | HubModel, Field(discriminator="kind")]
    """Weights (safetensors) with config.json: of a whole CLIP, or of its image tower."""

    def require_fit(self, encode: Any) -> None:
        """Raise ValueError where a recipe's images are not what the model takes."""
        require_colour(encode)
        if isinstance(encode.normalise, str) and encode.normalise != "clip":
            raise ValueError(
                f"encode.normalise {encode.normalise} is not what CLIP was trained with: set "
                "encode.normalise: clip (or the constants of its preprocessor_config.json)"
            )


TextModel = NewModel | LocalModel | HubModel | RegisteredModel
Backbone = Torchvision | CifarResnet | Timm | Clip
ImageModel = Mlp | Cnn | Backbone
ModelSource = Annotated[TextModel | ImageModel, Field(discriminator="kind")]
