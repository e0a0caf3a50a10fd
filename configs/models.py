"""Tokenizers and models that a recipe starts from, pinned before they enter a key."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT, Positive, Repo, Share, refuse_unread
from .weights import require_fit, require_known


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TrainedTokenizer:
    """A byte-level BPE learnt from the training rows."""

    kind: Literal["train"]
    """This kind of tokenizer."""
    vocab_size: Annotated[int, Field(ge=300, le=200_000)] = 4096
    """Entries of the vocabulary, special tokens included."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LocalTokenizer:
    """Tokenizer files in a folder: tokenizer.json, or vocab.json + merges.txt (GPT-2), or vocab.txt (BERT)."""

    kind: Literal["files"]
    """This kind of tokenizer."""
    path: str
    """The folder; a relative path starts at TEMPER_DATA."""
    lowercase: bool = True
    """Whether a vocab.txt is of an uncased model."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HubTokenizer:
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
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
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
class LocalModel:
    """Weights (safetensors) and config.json in a folder."""

    kind: Literal["files"]
    """This kind of model."""
    path: str
    """The folder; a relative path starts at TEMPER_DATA."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HubModel:
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
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
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
class Torchvision:
    """Any classification model of torchvision, with new, published or your own weights, and a new last layer."""

    kind: Literal["torchvision"]
    """This kind of model."""
    name: str
    """Its name in torchvision: resnet18, resnet50, alexnet, efficientnet_b0, vit_b_16, mobilenet_v3_small, …"""
    weights: str = "none"
    """Published weights by the name in their enum (DEFAULT, IMAGENET1K_V1, …), or none."""
    file: str | None = None
    """Weights of yours in place of `weights` (safetensors, or a PyTorch file without code); a relative path starts at
    TEMPER_DATA."""
    partial: bool = False
    """Whether tensors other than the last layer's may be absent from `file`, of another shape, or left over in it."""
    head: Literal["linear", "concat_pool"] = "linear"
    """The new last layer: a linear one, or average and maximum pooling side by side, batch norm, dropout 0.5, 512
    units, ReLU, batch norm, linear."""

    @model_validator(mode="after")
    def _known(self) -> "Torchvision":
        require_known(self.name, self.weights)
        if self.weights != "none" and self.file is not None:
            raise ValueError("weights and file exclude each other")
        _require_file(self)
        return self

    def require_fit(self, encode: Any) -> None:
        """Raise ValueError where a recipe's images are not what the model, or its published weights, take."""
        _require_colour(encode)
        if self.weights != "none":
            require_fit(self.name, self.weights, encode)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CifarResnet:
    """The residual net for small images of He et al. (2016), section 4.2, with parameter-free shortcuts."""

    kind: Literal["cifar_resnet"]
    """This kind of model."""
    depth: Literal[20, 32, 44, 56, 110] = 20
    """Layers: 6 n + 2 with n blocks per stage."""
    file: str | None = None
    """Weights to start from; a relative path starts at TEMPER_DATA."""
    partial: bool = False
    """Whether tensors other than the last layer's may be absent from `file`, of another shape, or left over in it."""

    @model_validator(mode="after")
    def _coherent(self) -> "CifarResnet":
        _require_file(self)
        return self

    def require_fit(self, encode: Any) -> None:
        """Raise ValueError where a recipe's images are not what the model takes."""
        _require_colour(encode)


def _require_file(model: "Torchvision | CifarResnet") -> None:
    if model.partial and model.file is None:
        raise ValueError("partial is read only with `file`")


def _require_colour(encode: Any) -> None:
    if encode.mode != "RGB":
        raise ValueError(f"encode.mode {encode.mode} gives one channel and this model takes three: set encode.mode: "
                         "RGB (grey images get three equal channels)")  # fmt: skip


TextModel = NewModel | LocalModel | HubModel | RegisteredModel
ImageModel = Mlp | Cnn | Torchvision | CifarResnet
ModelSource = Annotated[TextModel | ImageModel, Field(discriminator="kind")]
