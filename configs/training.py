"""How a model is trained: `train` in a recipe."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .augmentations import Augmentation, ColorJitter
from .fields import STRICT, Positive, Share, refuse_unread
from .image_encodings import ImageEncode
from .kinds import Encode
from .lora import Lora
from .models import Backbone, ImageModel, ModelSource, NewModel
from .optimizers import Adamw, Lbfgs, Optimizer, Rprop
from .phases import Phase, Schedule
from .splitting import Split
from .teacher import Teacher

Loss = Literal["cross_entropy", "nll", "bce", "softmax_bce", "mse", "euclidean", "cosine"]
HF_PRESET: dict[str, Any] = {
    "schedule": "linear",
    "warmup": 0.0,
    "clip": 1.0,
    "group_by_length": False,
    "precision": "float32",
}
"""What transformers' TrainingArguments would use where a recipe is silent."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Train:
    """Start, mathematics and rhythm of the training. Silent fields mean a constant rate and no clipping."""

    model: ModelSource
    """What training starts from."""
    lora: Lora | None = None
    """Train small matrices next to the frozen weights (texts; extra `lora`); none trains the weights themselves."""
    preset: Literal["temper", "hf"] = "temper"
    """`hf` fills silent fields with transformers' own defaults (linear to 0, clip 1.0, random order, float32)."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-5
    """Peak learning rate."""
    schedule: Schedule = "constant"
    """Course of the rate after warm-up; linear and cosine end at 0, step multiplies it by step_factor."""
    step_epochs: Positive = 1
    """Epochs between two steps of the rate (schedule step)."""
    step_factor: Share = 0.1
    """What each step multiplies the rate by (schedule step)."""
    warmup: Share = 0.0
    """Share of the optimiser's steps in which the rate rises from 0."""
    clip: Annotated[float, Field(gt=0)] | None = None
    """Largest gradient norm; none for no clipping."""
    optimizer: Optimizer = Adamw()
    """The optimiser and its own constants."""
    loss: Loss | Annotated[dict[Loss, Annotated[float, Field(gt=0)]], Field(min_length=1)] = "cross_entropy"
    """Against one-hot targets, mean over rows: cross_entropy (nll is the same after log-softmax); bce (a sigmoid per
    class), softmax_bce and mse (of the softmax), each also a mean over classes; euclidean and cosine distance of the
    softmax. Several with weights are added up."""
    label_smoothing: Share = 0.0
    """Share of the target that is spread over all classes; of preferences, how often the pairs are the wrong way
    round."""
    beta: Annotated[float, Field(gt=0)] = 0.1
    """How strongly a model is held to the reference that it starts from (encode.kind preference): rewards are beta
    times what the model adds to the log-probability of a reply."""
    class_weights: Literal["balanced"] | tuple[Annotated[float, Field(ge=0)], ...] | None = None
    """Factor on each row's loss by its class, in label order; `balanced` is rows / (classes x rows of the class).
    With multi_label the factor on each label where a row has it; `balanced` is rows without it per row with it."""
    teacher: Teacher | None = None
    """Registered models whose scores of the training rows are learnt next to the labels (classifier and image)."""
    augment: tuple[Augmentation, ...] = ()
    """Random changes of training images, in this order."""
    epochs: Positive = 1
    """Passes over the training rows (without phases)."""
    phases: tuple[Phase, ...] = ()
    """Stretches one after another, each from the best weights of the one before; none for one of everything."""
    batch_size: Positive = 8
    """Rows in one forward pass."""
    group_by_length: bool = False
    """Texts: batches of rows of similar length, which need little padding, in place of rows in random order."""
    accumulation: Positive = 1
    """Forward passes per optimiser step."""
    eval_batch_size: Positive = 8
    """Rows in one forward pass over validation rows."""
    logging_steps: Positive = 100
    """Optimiser steps between two points of the training curve."""
    eval_steps: Positive = 100
    """Optimiser steps between two validations, each with a checkpoint."""
    metric: Literal["accuracy", "macro_f1", "loss"] = "accuracy"
    """The validation score that chooses the checkpoint to register."""
    patience: Positive | None = None
    """Stop after so many validations without a better score; none for never."""
    gradient_checkpointing: bool = False
    """Trade time for memory."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Arithmetic of the forward pass; weights and output layer are float32 either way. `auto`: bfloat16 where the GPU,
    or without one the processor (AVX512-BF16, AMX), computes in it, else float32."""
    seed: int = 42
    """Seeds new weights, dropout and the order of rows."""

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, values: Any) -> Any:
        given = getattr(values, "kwargs", values)
        if isinstance(given, dict) and given.get("preset") == "hf":
            given = {**HF_PRESET, **given}
        return given

    @model_validator(mode="after")
    def _coherent(self) -> "Train":
        if self.phases and self.epochs != 1:
            raise ValueError("epochs is read only without phases; give each phase its own")
        if self.lora is not None and self.lora.base != "float32" and isinstance(self.model, NewModel):
            raise ValueError(f"lora.base {self.lora.base} is of weights that are loaded; model.kind new has none")
        whole = [
            optimizer.kind
            for optimizer in (self.optimizer, *(phase.optimizer for phase in self.phases))
            if isinstance(optimizer, Lbfgs | Rprop)
        ]
        if whole and (self.accumulation > 1 or self.clip or self.precision not in ("auto", "float32")):
            reason = "evaluates a batch several times" if "lbfgs" in whole else "reads the signs of gradients alone"
            raise ValueError(f"{whole[0]} {reason}: it goes with neither accumulation nor clip nor reduced precision")
        schedules = {self.schedule, *(phase.schedule for phase in self.phases)}
        if "step" not in schedules:
            refuse_unread(self, ("step_epochs", "step_factor"), "without schedule: step")
        return self

    def require_fit(self, encode: Encode, split: Split) -> None:
        """Raise ValueError where the rows, as they are encoded and split, are not what the training reads."""
        patient = self.patience is not None or any(phase.patience is not None for phase in self.phases)
        chooses = split.validation not in (0, "none")
        if patient and not chooses:
            raise ValueError("train.patience needs validation rows, but split leaves none")
        self._require_model(encode)
        self._require_lengths(encode)
        kind = encode.kind
        if not chooses:
            refuse_unread(self, ("metric",), "without validation rows, of which split leaves none", "train.")
        if not chooses and getattr(encode, "thresholds", "half") != "half":
            raise ValueError("encode.thresholds are chosen on validation rows, of which split leaves none; set `half`")
        if kind != "preference":
            refuse_unread(self, ("beta",), f"with encode.kind: {kind}", "train.")
        elif self.label_smoothing >= 0.5:
            raise ValueError("train.label_smoothing is below 0.5 with encode.kind preference, else pairs say nothing")
        if kind not in ("classifier", "image"):
            read = {"preference": "label_smoothing", "multi_label": "class_weights"}.get(kind)
            unread = [name for name in ("loss", "label_smoothing", "class_weights") if name != read]
            refuse_unread(self, unread, f"with encode.kind: {kind}", "train.")
        odd = (not encode.traits.classes and self.metric == "macro_f1") or (
            kind in ("regression", "multi_label") and self.metric == "accuracy"
        )
        if odd and chooses:
            answers = "classes" if kind not in ("regression", "multi_label") else "correct predictions"
            raise ValueError(f"train.metric {self.metric} needs {answers}, which encode.kind {kind} has not; use loss")
        if kind not in ("classifier", "image"):
            refuse_unread(self, ("teacher",), f"with encode.kind: {kind}", "train.")
        if kind != "image":
            refuse_unread(self, ("augment",), f"with encode.kind: {kind}", "train.")
        if getattr(encode, "mode", None) == "L" and any(
            step.saturation or step.hue for step in self.augment if isinstance(step, ColorJitter)
        ):
            raise ValueError("train.augment: color_jitter's saturation and hue need encode.mode RGB")

    def _require_lengths(self, encode: Encode) -> None:
        """The preset says it of every training, so that only what a recipe says by itself is refused."""
        even = "encode.padding: max_length" if getattr(encode, "padding", "") == "max_length" else ""
        even = even or ("encode.packing" if getattr(encode, "packing", False) else "")
        even = even or (f"encode.kind: {encode.kind}" if isinstance(encode, ImageEncode) else "")
        if even and self.preset != "hf":
            refuse_unread(self, ("group_by_length",), f"with {even}", "train.")

    def _require_model(self, encode: Encode) -> None:
        pictures = isinstance(encode, ImageEncode)
        if pictures != isinstance(self.model, ImageModel):
            images, texts = "mlp, cnn, cifar_resnet, torchvision, timm or clip", "new, files, hub or registered"
            raise ValueError(
                f"train.model.kind {self.model.kind} does not go with encode.kind {encode.kind}; "
                f"use {images if pictures else texts}"
            )
        if pictures:
            refuse_unread(self, ("lora", "gradient_checkpointing"), "with encode.kind: image", "train.")
        if isinstance(self.model, Backbone):
            self.model.require_fit(encode)
