"""How images become model input: `encode` in a recipe with `kind: image`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .encodings import ACCURACY, Traits
from .fields import STRICT, Positive, Share, refuse_unread


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Pixels:
    """Constants that pixels of 0 to 1 are normalised with, per channel."""

    mean: tuple[float, ...]
    """Subtracted."""
    std: tuple[Annotated[float, Field(gt=0)], ...]
    """Divided by."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ImageEncode:
    """Images decoded once, or kept as files; the label is a class id."""

    kind: Literal["image"]
    """This kind of encoding."""
    traits: ClassVar[Traits] = Traits(
        "image_classification", "image", "label", ACCURACY, ("majority", "centroid"), classes=True
    )
    mode: Literal["L", "RGB"] = "RGB"
    """Grey (one channel) or colour (three)."""
    size: Positive | None = None
    """Side of the square that the model sees, in pixels; when absent, images stay as they are and must be equal."""
    fit: Literal["crop", "squash"] = "crop"
    """`crop` scales the shorter side and cuts the middle; `squash` scales both sides."""
    resize: Positive | None = None
    """Side of the square that is stored, in pixels; the model sees its middle, or what train.augment cuts out of it.
    When absent, `size`."""
    keep: Literal["auto", "array", "files"] = "auto"
    """`array`: decoded once into bytes; `files`: as they are, decoded again for each batch, where decoded images would
    fill the disk; `auto`: an array of up to 8 GiB, else files."""
    normalise: Literal["train", "imagenet", "clip", "none"] | Pixels = "train"
    """Constants: of the training images, ImageNet's, CLIP's, none (pixels 0 to 1), or given ones."""
    max_dropped: Share = 0.5
    """Largest share of the rows that may be dropped here (what cannot be decoded) before the run stops."""

    @model_validator(mode="after")
    def _fitting(self) -> "ImageEncode":
        channels = {"L": 1, "RGB": 3}[self.mode]
        if self.normalise in ("imagenet", "clip") and channels != 3:
            raise ValueError(f"normalise: {self.normalise} needs mode RGB")
        given = self.normalise
        if isinstance(given, Pixels) and {len(given.mean), len(given.std)} != {channels}:
            raise ValueError(f"normalise: mode {self.mode} needs {channels} value(s) in mean and in std")
        if self.size is None:
            refuse_unread(self, ("fit",), "without size")
        if self.resize is not None and (self.size is None or self.resize < self.size):
            raise ValueError(f"resize {self.resize} needs a size that is not larger, got {self.size or 'none'}")
        return self
