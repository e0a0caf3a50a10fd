"""The recipe's types: one frozen dataclass per section, unknown keys rejected, kinds told apart by `kind`."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from .augmentations import Augmentation, ColorJitter
from .cleaning import Clean
from .expectations import Validate
from .fields import STRICT, Positive, Share
from .models import CifarResnet, ImageModel, ModelSource, TokenizerSource, Torchvision
from .optimizers import Adamw, Lbfgs, Optimizer
from .phases import Phase, Schedule
from .sources import Source
from .splitting import HashSplit, Split, require_fit

Loss = Literal["cross_entropy", "nll", "bce", "softmax_bce", "mse", "euclidean", "cosine"]
HF_PRESET: dict[str, Any] = {
    "schedule": "linear",
    "warmup": 0.0,
    "clip": 1.0,
}
"""What transformers' TrainingArguments would use where a recipe is silent."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class GenerativeEncode:
    """tokens(text) + [end of text] + [label word's first token]; only the last is supervised."""

    kind: Literal["generative"]
    """This kind of encoding."""
    tokenizer: TokenizerSource
    """Where the tokenizer comes from."""
    max_length: Annotated[int, Field(ge=3)] = 32
    """Longest row in tokens; of a longer one the last tokens are kept."""
    padding: Literal["longest", "max_length"] = "longest"
    """Pad each batch to its longest row, or every row to max_length."""
    pad_token_id: Annotated[int, Field(ge=0)] | None = None
    """Filler id of pads (masked by length, never by id); when absent the tokenizer's pad, else its end of text."""
    label_words: dict[str, str] | None = None
    """Label to the word the model writes; when absent the label itself."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ClassifierEncode:
    """The tokenizer's own form for one text ([CLS] text [SEP]); the label is a class id."""

    kind: Literal["classifier"]
    """This kind of encoding."""
    tokenizer: TokenizerSource
    """Where the tokenizer comes from."""
    max_length: Annotated[int, Field(ge=3)] = 512
    """Longest row in tokens, special tokens included; of a longer text the first tokens are kept."""
    padding: Literal["longest", "max_length"] = "longest"
    """Pad each batch to its longest row, or every row to max_length."""


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
    """`array`: decoded once into bytes; `files`: as they are, decoded anew for each batch, where decoded images would
    fill the disk; `auto`: an array of up to 8 GiB, else files."""
    normalise: Literal["train", "imagenet", "none"] | Pixels = "train"
    """Constants: of the training images, ImageNet's, none (pixels 0 to 1), or given ones."""

    @model_validator(mode="after")
    def _fitting(self) -> "ImageEncode":
        channels = {"L": 1, "RGB": 3}[self.mode]
        if self.normalise == "imagenet" and channels != 3:
            raise ValueError("normalise: imagenet needs mode RGB")
        given = self.normalise
        if isinstance(given, Pixels) and {len(given.mean), len(given.std)} != {channels}:
            raise ValueError(f"normalise: mode {self.mode} needs {channels} value(s) in mean and in std")
        if self.resize is not None and (self.size is None or self.resize < self.size):
            raise ValueError(f"resize {self.resize} needs a size that is not larger, got {self.size or 'none'}")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Train:
    """Start, mathematics and rhythm of the training. Silent fields mean a constant rate and no clipping."""

    model: ModelSource
    """What training starts from."""
    preset: Literal["temper", "hf"] = "temper"
    """`hf` fills silent fields with transformers' own defaults (linear to 0, clip 1.0)."""
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
    """Share of the target that is spread over all classes."""
    class_weights: Literal["balanced"] | tuple[Annotated[float, Field(ge=0)], ...] | None = None
    """Factor on each row's loss by its class, in label order; `balanced` is rows / (classes x rows of the class)."""
    augment: tuple[Augmentation, ...] = ()
    """Random changes of training images, in this order."""
    epochs: Positive = 1
    """Passes over the training rows (without phases)."""
    phases: tuple[Phase, ...] = ()
    """Stretches one after another, each from the best weights of the one before; none for one of everything."""
    batch_size: Positive = 8
    """Rows in one forward pass."""
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
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Arithmetic of the forward pass; weights and output layer are float32 either way."""
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
        lbfgs = any(isinstance(one, Lbfgs) for one in (self.optimizer, *(phase.optimizer for phase in self.phases)))
        if lbfgs and (self.accumulation > 1 or self.clip or self.precision != "float32"):
            raise ValueError(
                "lbfgs evaluates a batch several times, so it goes with neither accumulation nor clip nor reduced "
                "precision"
            )
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Evaluate:
    """How the test rows are scored, once per model."""

    batch_size: Positive = 32
    """Rows in one forward pass."""
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    """Resamples behind each interval."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Coverage of the intervals."""
    baselines: tuple[Literal["majority", "tfidf", "centroid"], ...] | None = None
    """What the model is compared with: the commonest label; TF-IDF with logistic regression (texts); the nearest
    class mean (images). When absent, those that fit."""
    worst: Annotated[int, Field(ge=0)] = 10
    """How many of the most confident mistakes are shown."""
    seed: int = 0
    """Seeds the bootstrap."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Register:
    """Where the model goes and what it must reach to become champion."""

    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    """Name in the MLflow registry."""
    metric: Literal["accuracy", "macro_f1"] = "accuracy"
    """The test metric on which champion and challenger meet."""
    thresholds: dict[Literal["accuracy", "macro_f1"], Share] = Field(default_factory=dict)
    """Test metrics that a champion must reach."""
    tolerance: Share = 0.0
    """How much worse than the champion's stored score is still not worse."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Recipe:
    """One recipe: eight sections in the order of the pipeline, and a name."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    """Names the flow run and the MLflow experiment."""
    download: Source
    validate: Validate = Validate()
    clean: Clean = Clean()
    split: Annotated[Split, Field(discriminator="kind")] = HashSplit()
    encode: Annotated[GenerativeEncode | ClassifierEncode | ImageEncode, Field(discriminator="kind")]
    train: Train
    evaluate: Evaluate = Evaluate()
    register: Register

    @field_validator("split", mode="before")
    @classmethod
    def _split_kind(cls, value: Any) -> Any:
        return {"kind": "hash", **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _coherent(self) -> "Recipe":
        patient = self.train.patience is not None or any(phase.patience is not None for phase in self.train.phases)
        if patient and _no_validation(self.split):
            raise ValueError("train.patience needs validation rows, but split leaves none")
        pictures = self.encode.kind == "image"
        if pictures != isinstance(self.train.model, ImageModel):
            fitting = "mlp, cnn, torchvision or cifar_resnet" if pictures else "new, files or hub"
            raise ValueError(f"train.model.kind {self.train.model.kind} does not go with encode.kind "
                             f"{self.encode.kind}; use {fitting}")  # fmt: skip
        if isinstance(self.train.model, Torchvision | CifarResnet):
            self.train.model.require_fit(self.encode)
        self.clean.require_fit(pictures=pictures)
        require_fit(self.split, pictures=pictures)
        for name in ("loss", "label_smoothing", "class_weights") if self.encode.kind == "generative" else ():
            if getattr(self.train, name) != getattr(Train, name, None):
                raise ValueError(f"train.{name} is not read with encode.kind: generative")
        if self.train.augment and not pictures:
            raise ValueError("train.augment is read only with encode.kind: image")
        if getattr(self.encode, "mode", None) == "L" and any(
            step.saturation or step.hue for step in self.train.augment if isinstance(step, ColorJitter)
        ):
            raise ValueError("train.augment: color_jitter's saturation and hue need encode.mode RGB")
        words, labels = getattr(self.encode, "label_words", None), self.validate.labels
        if words is not None and labels is not None and set(words) != set(labels):
            raise ValueError(f"encode.label_words names {sorted(words)}, validate.labels {sorted(labels)}")
        return self


def _no_validation(split: Split) -> bool:
    return split.validation in (0, "none")
