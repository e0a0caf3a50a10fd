"""CLIP's image tower behind a linear layer on its embeddings; no weights yet.

Travels with registered models, so it knows nothing of recipes.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from .backbones import Shape

FIELDS = (
    "hidden_size",
    "intermediate_size",
    "projection_dim",
    "num_hidden_layers",
    "num_attention_heads",
    "image_size",
    "patch_size",
    "hidden_act",
    "layer_norm_eps",
    "attention_dropout",
)
"""What makes a tower, as transformers' configuration names it."""


class ClipProbe(nn.Module):
    """The tower's parts under the names that CLIP's files give them, and `head`, which is new."""

    classifier_path = "head"

    def __init__(self, vision: Mapping[str, Any], classes: int) -> None:
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

        super().__init__()
        tower = CLIPVisionModelWithProjection(CLIPVisionConfig(**vision))
        self.vision_model, self.visual_projection = tower.vision_model, tower.visual_projection
        self.head = nn.Linear(vision["projection_dim"], classes)
        self.structure = {"kind": "clip", "vision": dict(vision)}

    def embed(self, images: Tensor) -> Tensor:
        """images: normalised [rows, 3, height, width]; embeddings of length 1: [rows, projection_dim]."""
        pooled = self.vision_model(pixel_values=images).pooler_output
        return functional.normalize(self.visual_projection(pooled), dim=-1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [rows, classes]."""
        logits: Tensor = self.head(self.embed(images))
        return logits


def build_clip(source: Mapping[str, Any], shape: Shape, classes: int) -> ClipProbe:
    """A probe with new weights. Raises ValueError where the tower is for other images."""
    side = source["vision"]["image_size"]
    if shape != (3, side, side):
        raise ValueError(
            f"this CLIP takes colour images of {side} x {side} pixels, got {shape[2]} x {shape[1]} in "
            f"{shape[0]} channel(s): set encode.mode: RGB and encode.size: {side}"
        )
    return ClipProbe(source["vision"], classes)
