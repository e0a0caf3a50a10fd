"""LoRA: small trained matrices next to the frozen weights of a text model (Hu et al., 2021)."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Lora:
    """What is added to the model and how; everything else is frozen but a new head and new tokens' embeddings."""

    rank: Annotated[int, Field(ge=1, le=1024)] = 8
    """Rank of each product B A that is added to a layer's weight."""
    alpha: Annotated[float, Field(gt=0)] = 16.0
    """What is added is multiplied by alpha / rank (with rslora by alpha / the root of rank)."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout before A."""
    targets: Literal["all-linear"] | Annotated[tuple[str, ...], Field(min_length=1)] = "all-linear"
    """Every linear layer below the head, or some by name: q_proj, attn.c_attn, h.0, wildcards such as h.[0-5]."""
    rslora: bool = False
    """Scale by the root of the rank, so that large ranks learn as fast (Kalajdzievski, 2023)."""
    dora: bool = False
    """Train each output's length apart from its direction (DoRA; Liu et al., 2024)."""
    base: Literal["float32", "8bit", "4bit"] = "float32"
    """Precision of the frozen weights; 8bit and 4bit (NF4) need a CUDA GPU and the extra `quantized`."""

    @field_validator("targets", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) and value != "all-linear" else value

    @model_validator(mode="after")
    def _coherent(self) -> "Lora":
        if self.dora and self.base != "float32":
            raise ValueError(f"dora needs base: float32, not {self.base}")
        return self
