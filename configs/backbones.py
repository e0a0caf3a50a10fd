"""Nets for images that others published: `train.model` of kind torchvision, cifar_resnet and timm."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from . import timm_weights, weights
from .fields import STRICT, refuse_unread
from .secrets import Sha256


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Weighted:
    """Weights of an image net that a recipe names, and what it states of them."""

    file: str | None = None
    """Weights of yours in place of published ones (safetensors, or a PyTorch file without code); a relative path starts
    at TEMPER_DATA, `package:NAME/path` in an installed package."""
    partial: bool = False
    """Whether tensors other than the last layer's may be absent from `file`, of another shape, or left over in it."""
    sha256: Sha256 | None = None
    """Checksum that the file of weights must have; another content is refused before it is read."""
    licence: str | None = None
    """The licence as the weights' publisher states it, for the records; it enters no key."""
    rename: tuple[tuple[str, str], ...] = ()
    """Where the tensors in `file` have other names than the model's: regular expressions with their replacements, each
    applied to every name, in this order."""
    match: Literal["name", "order"] = "name"
    """`order` takes the tensors in `file` in their order, whatever their names: accepted where number, kinds (weight,
    bias, running statistics, counters) and shapes all agree, the last layer's included."""
    expect: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    """What the net must name before its last layer is replaced: a label of the training rows, an image or a folder of
    images (a relative path starts at TEMPER_DATA) -> the class index of the weights."""
    expect_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The share of the images of each expectation for which that class must come first."""

    def _require_stated(self) -> None:
        """Raise ValueError where a field says something of weights that are not there."""
        if self.partial and self.file is None:
            raise ValueError("partial is read only with `file`")
        if self.file is None:
            refuse_unread(self, ("match", "rename"), "without `file`")
        if self.file is None and getattr(self, "weights", "none") == "none":
            refuse_unread(self, ("sha256", "licence"), "without weights")
            if self.expect:
                raise ValueError("expect is not read without weights; leave it out")
        if not self.expect:
            refuse_unread(self, ("expect_rate",), "without `expect`")
        if self.match == "order" and (self.rename or self.partial):
            raise ValueError("match: order goes by no names and takes every tensor: leave rename and partial out")
        if self.match == "order" and str(self.file).endswith(".safetensors"):
            raise ValueError("match: order needs a PyTorch file: safetensors keeps no order of tensors; take rename")
        if self.expect and getattr(self, "head", "linear") != "linear":
            raise ValueError("expect needs the weights' own last layer: take head: linear")
        for pattern, _ in self.rename:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"rename: {pattern!r} is no regular expression ({error})") from None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Torchvision(Weighted):
    """Any classification model of torchvision, with new, published or your own weights, and a new last layer."""

    kind: Literal["torchvision"]
    """This kind of model."""
    name: str
    """Its name in torchvision: resnet18, resnet50, alexnet, efficientnet_b0, vit_b_16, mobilenet_v3_small, …"""
    weights: str = "none"
    """Published weights by the name in their enum (DEFAULT, IMAGENET1K_V1, …), or none."""
    head: Literal["linear", "concat_pool"] = "linear"
    """The new last layer: a linear one, or average and maximum pooling side by side, batch norm, dropout 0.5, 512
    units, ReLU, batch norm, linear."""

    @model_validator(mode="after")
    def _known(self) -> "Torchvision":
        weights.require_known(self.name, self.weights)
        if self.weights != "none" and self.file is not None:
            raise ValueError("weights and file exclude each other")
        self._require_stated()
        return self

    def require_fit(self, encode: Any) -> None:
        """Raise ValueError where a recipe's images are not what the model, or its published weights, take."""
        require_colour(encode)
        if self.weights != "none":
            weights.require_fit(weights.published(self.name, self.weights), self.name, encode)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CifarResnet(Weighted):
    """The residual net for small images of He et al. (2016), section 4.2, with parameter-free shortcuts."""

    kind: Literal["cifar_resnet"]
    """This kind of model."""
    depth: Literal[20, 32, 44, 56, 110] = 20
    """Layers: 6 n + 2 with n blocks per stage."""

    @model_validator(mode="after")
    def _coherent(self) -> "CifarResnet":
        self._require_stated()
        return self

    def require_fit(self, encode: Any) -> None:
        """Raise ValueError where a recipe's images are not what the model takes."""
        require_colour(encode)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Timm(Weighted):
    """Any classification model of timm (extra `timm`), with new, published or your own weights, and a new last
    layer."""

    kind: Literal["timm"]
    """This kind of model."""
    name: str
    """Its name in timm: resnet18, convnext_tiny, vit_small_patch16_224, …"""
    weights: str = "none"
    """Published weights by their tag (a1_in1k, …), `published` for those timm takes first, or none."""
    revision: str = "main"
    """Branch, tag or commit of the published weights' repository on the Hub; the commit it stands for is what
    counts."""
    head: Literal["linear"] = "linear"
    """The new last layer."""

    @model_validator(mode="after")
    def _known(self) -> "Timm":
        timm_weights.require_known(self.name, self.weights)
        if self.weights != "none" and self.file is not None:
            raise ValueError("weights and file exclude each other")
        if self.weights == "none":
            refuse_unread(self, ("revision",), "with weights: none")
        self._require_stated()
        return self

    @property
    def repo(self) -> str:
        """The repository of the published weights."""
        return timm_weights.published(self.name, self.weights).file

    def require_fit(self, encode: Any) -> None:
        """Raise ValueError where a recipe's images are not what the model, or its published weights, take."""
        require_colour(encode)
        if self.weights != "none":
            weights.require_fit(timm_weights.published(self.name, self.weights), self.name, encode)


def require_colour(encode: Any) -> None:
    """Raise ValueError where a recipe's images have one channel."""
    if encode.mode != "RGB":
        raise ValueError(
            f"encode.mode {encode.mode} gives one channel and this model takes three: set encode.mode: "
            "RGB (grey images get three equal channels)"
        )
