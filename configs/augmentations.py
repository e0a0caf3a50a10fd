"""Random changes of training images: `train.augment`, with torchvision v2's names, fields, meanings and defaults."""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT, Positive, Share

Numbers = float | tuple[float, ...]


def _from(low: float, high: float = math.inf) -> AfterValidator:
    """Checks spans [smallest, largest], one or two in a row, and numbers that stand for one, against bounds."""

    def check(value: Numbers) -> Numbers:
        numbers = value if isinstance(value, tuple) else (value,)
        if any(first > second for first, second in zip(numbers[::2], numbers[1::2], strict=False)):
            raise ValueError(f"{list(numbers)} should be [smallest, largest]")
        least = low if isinstance(value, tuple) else max(low, 0.0)
        if min(numbers) < least or max(numbers) > high:
            raise ValueError(f"{value} should be from {least:g} to {high:g}")
        return value

    return AfterValidator(check)


TINY = 1e-6
"""Stands for the smallest number above 0 where 0 itself has no meaning."""
Level = Annotated[int, Field(ge=0, le=255)]
Count = Annotated[int, Field(ge=0)]
Degrees = Annotated[float | tuple[float, float], _from(-math.inf)]
Shear = Annotated[float | tuple[float, float] | tuple[float, float, float, float], _from(-math.inf)]
Amount = Annotated[float | tuple[float, float], _from(0)]
Turn = Annotated[float | tuple[float, float], _from(-0.5, 0.5)]
Factors = Annotated[tuple[float, float], _from(TINY)]
Areas = Annotated[tuple[float, float], _from(0, 1)]
Interpolation = Literal["nearest", "bilinear"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HorizontalFlip:
    """Swap left and right."""

    kind: Literal["horizontal_flip"]
    """This kind of step."""
    p: Share = 0.5
    """Share of the images that are changed."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class VerticalFlip:
    """Swap top and bottom."""

    kind: Literal["vertical_flip"]
    """This kind of step."""
    p: Share = 0.5
    """Share of the images that are changed."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Rotation:
    """Turn about the centre."""

    kind: Literal["rotation"]
    """This kind of step."""
    degrees: Degrees
    """Angle in degrees: [smallest, largest], or a number n for [-n, n]."""
    interpolation: Interpolation = "nearest"
    """How pixels between pixels are found."""
    fill: Level = 0
    """Pixel value of what comes in from outside."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Affine:
    """Turn, shift, scale and shear about the centre, in one step."""

    kind: Literal["affine"]
    """This kind of step."""
    degrees: Degrees
    """Angle in degrees: [smallest, largest], or a number n for [-n, n]; 0 for none."""
    translate: tuple[Share, Share] | None = None
    """Largest shift, as shares of the width and of the height."""
    scale: Factors | None = None
    """Smallest and largest factor."""
    shear: Shear | None = None
    """Shear in degrees along x: [smallest, largest], or a number n for [-n, n]; with four numbers along y too."""
    interpolation: Interpolation = "nearest"
    """How pixels between pixels are found."""
    fill: Level = 0
    """Pixel value of what comes in from outside."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RandomResizedCrop:
    """Cut a rectangle of random area, shape and place, and scale it to what the model sees."""

    kind: Literal["random_resized_crop"]
    """This kind of step."""
    scale: Annotated[tuple[float, float], _from(TINY, 1)] = (0.08, 1.0)
    """Smallest and largest share of the area."""
    ratio: Factors = (3 / 4, 4 / 3)
    """Smallest and largest width divided by height."""
    interpolation: Interpolation = "bilinear"
    """How pixels between pixels are found."""
    antialias: bool = True
    """Blur before making smaller (bilinear)."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RandomCrop:
    """Cut what the model sees at a random place, after padding on all sides."""

    kind: Literal["random_crop"]
    """This kind of step."""
    padding: Count = 0
    """Pixels that are added on each side first."""
    padding_mode: Literal["constant", "edge", "reflect", "symmetric"] = "constant"
    """What is added: `fill`, the outermost pixels, or the image mirrored (without or with the outermost pixels)."""
    fill: Level = 0
    """Pixel value of constant padding."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ColorJitter:
    """Change brightness, contrast, saturation and hue, in random order."""

    kind: Literal["color_jitter"]
    """This kind of step."""
    brightness: Amount = 0.0
    """Factor: [smallest, largest], or a number n for [max(0, 1 - n), 1 + n]."""
    contrast: Amount = 0.0
    """Factor, as brightness."""
    saturation: Amount = 0.0
    """Factor, as brightness; needs mode RGB."""
    hue: Turn = 0.0
    """Turn of the colour circle: [smallest, largest], or a number n for [-n, n]; 0.5 is half of it. Needs mode RGB."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RandomErasing:
    """Cover a rectangle with one value."""

    kind: Literal["random_erasing"]
    """This kind of step."""
    p: Share = 0.5
    """Share of the images that are changed."""
    scale: Areas = (0.02, 0.33)
    """Smallest and largest share of the area."""
    ratio: Factors = (0.3, 3.3)
    """Smallest and largest height divided by width."""
    value: Level = 0
    """Pixel value (0 to 255) of the rectangle."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TrivialAugmentWide:
    """One change of 14, of random strength (Müller and Hutter 2021, arXiv 2103.10158). Image by image, so slower."""

    kind: Literal["trivial_augment_wide"]
    """This kind of step."""
    num_magnitude_bins: Annotated[int, Field(ge=2)] = 31
    """How many strengths there are."""
    interpolation: Interpolation = "nearest"
    """How pixels between pixels are found."""
    fill: Level = 0
    """Pixel value of what comes in from outside."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RandAugment:
    """Some changes of 14, of one strength (Cubuk et al. 2019, arXiv 1909.13719). Image by image, so slower."""

    kind: Literal["rand_augment"]
    """This kind of step."""
    num_ops: Positive = 2
    """How many changes, one after the other."""
    magnitude: Count = 9
    """Their strength, below num_magnitude_bins."""
    num_magnitude_bins: Annotated[int, Field(ge=2)] = 31
    """How many strengths there are."""
    interpolation: Interpolation = "nearest"
    """How pixels between pixels are found."""
    fill: Level = 0
    """Pixel value of what comes in from outside."""

    @model_validator(mode="after")
    def _reachable(self) -> "RandAugment":
        if self.magnitude >= self.num_magnitude_bins:
            raise ValueError(f"magnitude {self.magnitude} should be below num_magnitude_bins {self.num_magnitude_bins}")
        return self


Augmentation = Annotated[
    HorizontalFlip
    | VerticalFlip
    | Rotation
    | Affine
    | RandomResizedCrop
    | RandomCrop
    | ColorJitter
    | RandomErasing
    | TrivialAugmentWide
    | RandAugment,
    Field(discriminator="kind"),
]
