"""Images and a matrix for each -> images moved by them, in one go."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def inverse_affine(angle: Tensor, shift: tuple[Tensor, Tensor], scale: Tensor, shear: tuple[Tensor, Tensor]) -> Tensor:
    """Matrices [rows, 2, 3] from places in the result to places in the source, in pixels from the centre.

    Angles in degrees, shifts in pixels, each [rows]; of translation · rotation · scale · shear in y · shear in x.
    """
    turn, (in_x, in_y) = angle.deg2rad(), (shear[0].deg2rad(), shear[1].deg2rad())
    a, c = (turn - in_y).cos() / in_y.cos(), (turn - in_y).sin() / in_y.cos()
    b, d = -(a * in_x.tan() + turn.sin()), turn.cos() - c * in_x.tan()
    linear = torch.stack((torch.stack((d, -b), 1), torch.stack((-c, a), 1)), 1) / scale.view(-1, 1, 1)
    return torch.cat((linear, -linear @ torch.stack(shift, 1).unsqueeze(2)), 2)


def warp(images: Tensor, matrices: Tensor, interpolation: str, fill: int) -> Tensor:
    """Move each image by its own matrix, in one go, as torchvision's affine kernel does with one for all."""
    high, wide = images.shape[-2:]
    down, right = torch.meshgrid(
        torch.arange(high) - (high - 1) / 2, torch.arange(wide) - (wide - 1) / 2, indexing="ij"
    )
    places = torch.stack((right, down, torch.ones_like(down)), 2).view(1, -1, 3).double()
    warped = places @ matrices.transpose(1, 2) / torch.tensor((wide / 2, high / 2), dtype=torch.float64)
    grid = warped.view(-1, high, wide, 2).float().to(images.device)
    pixels = torch.cat((images.float(), images.new_ones((len(images), 1, high, wide)).float()), 1)
    moved = grid_sample(pixels, grid, interpolation, "zeros", align_corners=False)
    moved, inside = moved[:, :-1], moved[:, -1:]
    filled = torch.where(inside < 0.5, fill, moved) if interpolation == "nearest" else (moved - fill) * inside + fill
    return filled.round().to(torch.uint8)
