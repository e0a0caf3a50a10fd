"""`train.augment` -> a module that changes training images at random, each with random numbers of its own.

Kernels and distributions are torchvision v2's, whose own transforms draw once per batch. All is drawn from torch's CPU
generator, whose state checkpoints carry, so that a resumed training goes on with the same images.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from configs import augmentations as steps

from .warp import inverse_affine, warp

TRIES = 10
"""Random rectangles of which the first that fits is taken, as in torchvision."""
Size = tuple[int, int]


class Augment(nn.Module):
    """Steps in their order; what crops leaves images of `size` (height, width). Raises ValueError for a step that no
    image of the `stored` size bears."""

    def __init__(self, chosen: Sequence[Any], stored: Size, size: Size) -> None:
        super().__init__()
        self.steps, self.size = tuple(chosen), size
        for step in self.steps:
            mirrors = isinstance(step, steps.RandomCrop) and step.padding_mode in ("reflect", "symmetric")
            if mirrors and step.padding >= min(stored):
                raise ValueError(f"random_crop cannot mirror {step.padding} of {min(stored)} pixels; lower padding")

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """images: uint8 [rows, channels, height, width], on any device; the same kind goes out."""
        with torch.autocast(images.device.type, enabled=False):  # places between pixels need float32
            for step in self.steps:
                images = STEPS[step.kind](step, images, self.size)
        return images


def _uniform(span: tuple[float, float], *shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.float64).uniform_(*span)


def _some(p: float, images: Tensor) -> Tensor:
    """Which images are changed [rows, 1, 1, 1]."""
    return (torch.rand(len(images)) < p).to(images.device).view(-1, 1, 1, 1)


def _start(room: Tensor) -> Tensor:
    """Random whole numbers from 0 to `room`, each of its own."""
    return (torch.rand(room.shape, dtype=torch.float64) * (room + 1)).long()


def _span(amount: float | tuple[float, float], centre: float, least: float) -> tuple[float, float]:
    """[smallest, largest] of a number n that stands for [centre - n, centre + n]."""
    return amount if isinstance(amount, tuple) else (max(centre - amount, least), centre + amount)


def _angles(degrees: float | tuple[float, float], rows: int) -> Tensor:
    return _uniform(_span(degrees, 0.0, -math.inf), rows)


def _horizontal_flip(step: steps.HorizontalFlip, images: Tensor, size: Size) -> Tensor:
    return torch.where(_some(step.p, images), images.flip(-1), images)


def _vertical_flip(step: steps.VerticalFlip, images: Tensor, size: Size) -> Tensor:
    return torch.where(_some(step.p, images), images.flip(-2), images)


def _rotation(step: steps.Rotation, images: Tensor, size: Size) -> Tensor:
    nothing = torch.zeros(len(images), dtype=torch.float64)
    matrices = inverse_affine(-_angles(step.degrees, len(images)), (nothing, nothing), nothing + 1, (nothing, nothing))
    return warp(images, matrices, step.interpolation, step.fill)


def _affine(step: steps.Affine, images: Tensor, size: Size) -> Tensor:
    (high, wide), rows = images.shape[-2:], len(images)
    angle = _angles(step.degrees, rows)
    far = step.translate or (0.0, 0.0)
    shift = tuple(
        _uniform((-share * side, share * side), rows).round() for share, side in zip(far, (wide, high), strict=True)
    )
    scale = _uniform(step.scale or (1.0, 1.0), rows)
    shear = step.shear if step.shear is not None else 0.0
    along_x, along_y = (shear[:2], shear[2:]) if isinstance(shear, tuple) and len(shear) == 4 else (shear, 0.0)
    sheared = (_angles(along_x, rows), _angles(along_y, rows))
    return warp(images, inverse_affine(angle, shift, scale, sheared), step.interpolation, step.fill)  # type: ignore[arg-type]


def _rectangles(area: int, scale: tuple[float, float], ratio: tuple[float, float], rows: int) -> tuple[Tensor, Tensor]:
    """Sides [TRIES, rows] of rectangles with a random share of an area and a random first side over the second."""
    areas = area * _uniform(scale, TRIES, rows)
    ratios = _uniform((math.log(ratio[0]), math.log(ratio[1])), TRIES, rows).exp()
    return (areas * ratios).sqrt().round().long(), (areas / ratios).sqrt().round().long()


def _first(fits: Tensor, *sides: Tensor) -> list[Tensor]:
    """Of each column of `sides` [TRIES, rows] the value in the first line that fits."""
    chosen = fits.int().argmax(0, keepdim=True)
    return [side.gather(0, chosen)[0] for side in sides]


def _random_resized_crop(step: steps.RandomResizedCrop, images: Tensor, size: Size) -> Tensor:
    high, wide = images.shape[-2:]
    widths, heights = _rectangles(high * wide, step.scale, step.ratio, len(images))
    fits = (widths > 0) & (widths <= wide) & (heights > 0) & (heights <= high)
    width, height = _first(fits, widths, heights)
    whole = (min(wide, round(high * step.ratio[1])), min(high, round(wide / step.ratio[0])))
    width, height = torch.where(fits.any(0), width, whole[0]), torch.where(fits.any(0), height, whole[1])
    top, left = _start(high - height), _start(wide - width)
    boxes = torch.stack((top, left, height, width), 1)
    boxes[~fits.any(0), 0], boxes[~fits.any(0), 1] = (high - whole[1]) // 2, (wide - whole[0]) // 2
    how: dict[str, Any] = {"interpolation": v2.InterpolationMode(step.interpolation), "antialias": step.antialias}
    cut = [
        functional.resized_crop(image, *box, list(size), **how)
        for image, box in zip(images, boxes.tolist(), strict=True)
    ]
    return torch.stack(cut)


def _random_crop(step: steps.RandomCrop, images: Tensor, size: Size) -> Tensor:
    if step.padding:
        images = functional.pad(images, [step.padding], fill=step.fill, padding_mode=step.padding_mode)
    windows = images.unfold(2, size[0], 1).unfold(3, size[1], 1)
    rows = torch.arange(len(images))
    top, left = (_start(torch.full_like(rows, windows.shape[side] - 1)) for side in (2, 3))
    return windows[rows, :, top, left]


def _color_jitter(step: steps.ColorJitter, images: Tensor, size: Size) -> Tensor:
    rows, images = len(images), images.clone()
    order = torch.rand(rows, 4).argsort(1)
    factors = [
        _uniform(_span(amount, centre, least), rows).float().to(images.device)
        for amount, centre, least in (
            (step.brightness, 1, 0),
            (step.contrast, 1, 0),
            (step.saturation, 1, 0),
            (step.hue, 0, -0.5),
        )
    ]
    used = [step.brightness != 0, step.contrast != 0, step.saturation != 0, step.hue != 0]
    for place in range(4):
        for number in (number for number in range(4) if used[number]):
            chosen = (order[:, place] == number).nonzero().squeeze(1).to(images.device)
            images[chosen] = COLOURS[number](images[chosen], factors[number][chosen])
    return images


def _blend(images: Tensor, other: Tensor | float, factor: Tensor) -> Tensor:
    """images · factor + other · (1 - factor), cut to bytes; `factor` [rows]."""
    factor = factor.view(-1, 1, 1, 1)
    return (images * factor + other * (1 - factor)).clamp(0, 255).to(torch.uint8)


def _grey(images: Tensor) -> Tensor:
    if images.shape[1] == 1:
        return images.float()
    weights = torch.tensor((0.2989, 0.587, 0.114), device=images.device).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True).floor()


def _contrast(images: Tensor, factor: Tensor) -> Tensor:
    return _blend(images, _grey(images).mean((1, 2, 3), keepdim=True), factor)


def _hue(images: Tensor, factor: Tensor) -> Tensor:
    turned = [functional.adjust_hue(image, turn) for image, turn in zip(images, factor.tolist(), strict=True)]
    return torch.stack(turned) if turned else images


COLOURS: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
    lambda images, factor: _blend(images, 0.0, factor),
    _contrast,
    lambda images, factor: _blend(images, _grey(images), factor),
    _hue,
)
"""Brightness, contrast, saturation and hue of images by factors [rows]."""


def _random_erasing(step: steps.RandomErasing, images: Tensor, size: Size) -> Tensor:
    high, wide = images.shape[-2:]
    heights, widths = _rectangles(high * wide, step.scale, step.ratio, len(images))
    fits = (heights < high) & (widths < wide)
    height, width = _first(fits, heights, widths)
    top, left = (_start(room.clamp(min=0)) for room in (high - height, wide - width))
    down, right = torch.arange(high).view(1, -1, 1), torch.arange(wide).view(1, 1, -1)
    top, left, height, width = (side.view(-1, 1, 1) for side in (top, left, height, width))
    inside = (down >= top) & (down < top + height) & (right >= left) & (right < left + width)
    inside &= fits.any(0).view(-1, 1, 1)
    covered = inside.unsqueeze(1).to(images.device) & _some(step.p, images)
    return images.masked_fill(covered, step.value)


def _trivial_augment_wide(step: steps.TrivialAugmentWide, images: Tensor, size: Size) -> Tensor:
    change = v2.TrivialAugmentWide(step.num_magnitude_bins, v2.InterpolationMode(step.interpolation), step.fill)
    return torch.stack([change(image) for image in images])


def _rand_augment(step: steps.RandAugment, images: Tensor, size: Size) -> Tensor:
    change = v2.RandAugment(
        step.num_ops, step.magnitude, step.num_magnitude_bins, v2.InterpolationMode(step.interpolation), step.fill
    )
    return torch.stack([change(image) for image in images])


STEPS: dict[str, Callable[[Any, Tensor, Size], Tensor]] = {
    "horizontal_flip": _horizontal_flip,
    "vertical_flip": _vertical_flip,
    "rotation": _rotation,
    "affine": _affine,
    "random_resized_crop": _random_resized_crop,
    "random_crop": _random_crop,
    "color_jitter": _color_jitter,
    "random_erasing": _random_erasing,
    "trivial_augment_wide": _trivial_augment_wide,
    "rand_augment": _rand_augment,
}
