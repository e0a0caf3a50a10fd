"""The recipe's types: one frozen dataclass per section, unknown keys rejected, kinds told apart by `kind`."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from .augmentations import Augmentation, ColorJitter
from .cleaning import Clean
from .encodings import CLASSES, READS, Encode, ImageEncode
from .expectations import Validate
from .fields import STRICT, Positive, Share
from .lora import Lora
from .models import CifarResnet, ImageModel, ModelSource, NewModel, Torchvision
from .optimizers import Adamw, Lbfgs, Optimizer
from .phases import Phase, Schedule
from .scores import BASELINES, SCORES, Score
from .sources import Source, holds
from .splitting import HashSplit, Split, require_fit
from .timetable import Timetable

Loss = Literal["cross_entropy", "nll", "bce", "softmax_bce", "mse", "euclidean", "cosine"]
HF_PRESET: dict[str, Any] = {
    "schedule": "linear",
    "warmup": 0.0,
    "clip": 1.0,
}
"""What transformers' TrainingArguments would use where a recipe is silent."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Train:
    """Start, mathematics and rhythm of the training. Silent fields mean a constant rate and no clipping."""

    model: ModelSource
    """What training starts from."""
    lora: Lora | None = None
    """Train small matrices beside the frozen weights (texts; extra `lora`); none trains the weights themselves."""
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
        if self.lora is not None and self.lora.base != "float32" and isinstance(self.model, NewModel):
            raise ValueError(f"lora.base {self.lora.base} is of weights that are loaded; model.kind new has none")
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
    baselines: tuple[Literal["majority", "tfidf", "centroid", "nearest", "mean"], ...] | None = None
    """What the model is compared with: the commonest label or token; TF-IDF with logistic or ridge regression (texts);
    the nearest class mean (images); the answer to the most similar history or text (dialogues, seq2seq); the mean
    (regression). When absent, those that fit."""
    max_new_tokens: Positive = 256
    """Longest turn or target that the model writes, in tokens (dialogues, seq2seq)."""
    written: Positive | None = None
    """Test rows for which the model writes, drawn by the seed; when absent all (dialogues, seq2seq)."""
    worst: Annotated[int, Field(ge=0)] = 10
    """How many of the most confident mistakes are shown."""
    seed: int = 0
    """Seeds the bootstrap."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Register:
    """Where the model goes and what it must reach to become champion."""

    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    """Name in the MLflow registry."""
    metric: Score = "accuracy"
    """The test score on which champion and challenger meet."""
    thresholds: dict[Score, float] = Field(default_factory=dict)
    """Test scores that a champion must reach; of those that are better when lower, must not exceed."""
    rule: Literal["better", "not_worse"] = "better"
    """What a paired test on the same test rows must say of it against the champion."""
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    """How much worse than the champion is still not worse (rule not_worse), in the unit of `metric`."""
    slices: dict[str, Positive] = Field(default_factory=dict)
    """Columns (`label`, `group`, or one that download keeps) in no value of which the model may be worse than the
    champion by more than chance, each with the smallest number of test rows at which a value is judged."""

    @model_validator(mode="after")
    def _coherent(self) -> "Register":
        if (self.rule == "not_worse") != (self.tolerance > 0):
            said = "needs a tolerance above 0" if self.rule == "not_worse" else "reads no tolerance"
            raise ValueError(f"rule {self.rule} {said}; say `rule: not_worse` with a tolerance, or leave both out")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Recipe:
    """One recipe: eight sections in the order of the pipeline, a name, and perhaps a schedule."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    """Names the flow run and the MLflow experiment."""
    download: Source
    validate: Validate = Validate()
    clean: Clean = Clean()
    split: Annotated[Split, Field(discriminator="kind")] = HashSplit()
    encode: Encode
    train: Train
    evaluate: Evaluate = Evaluate()
    register: Register
    schedule: Timetable | None = None
    """When it runs by itself, once `temper up` serves it."""

    @field_validator("split", mode="before")
    @classmethod
    def _split_kind(cls, value: Any) -> Any:
        return {"kind": "hash", **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _coherent(self) -> "Recipe":
        patient = self.train.patience is not None or any(phase.patience is not None for phase in self.train.phases)
        if patient and _no_validation(self.split):
            raise ValueError("train.patience needs validation rows, but split leaves none")
        kind, pictures = self.encode.kind, self.encode.kind == "image"
        content, truth = READS[kind]
        has, aim = holds(self.download)
        if has != content or (truth is not None and aim != truth):
            raise ValueError(f"encode.kind {kind} reads {_said(content, truth)}, but download gives {_said(has, aim)}")
        if pictures != isinstance(self.train.model, ImageModel):
            fitting = "mlp, cnn, torchvision or cifar_resnet" if pictures else "new, files, hub or registered"
            raise ValueError(f"train.model.kind {self.train.model.kind} does not go with encode.kind {kind}; "
                             f"use {fitting}")  # fmt: skip
        if self.train.lora is not None and pictures:
            raise ValueError("train.lora is read only with texts; leave it out with encode.kind: image")
        if isinstance(self.train.model, Torchvision | CifarResnet) and isinstance(self.encode, ImageEncode):
            self.train.model.require_fit(self.encode)
        self.clean.require_fit(content)
        require_fit(self.split, content)
        columns = getattr(self.download, "columns", None)
        sliced = ("label", "group", *(columns.keep if columns is not None else ()))
        if odd := [name for name in self.register.slices if name not in sliced]:
            raise ValueError(f"register.slices has {odd[0]!r}, but the rows keep {', '.join(sliced)}; "
                             "name it in download.columns.keep")  # fmt: skip
        for name in () if kind in ("classifier", "image") else ("loss", "label_smoothing", "class_weights"):
            if getattr(self.train, name) != getattr(Train, name, None):
                raise ValueError(f"train.{name} is not read with encode.kind: {kind}")
        for name in () if kind in ("dialogue", "seq2seq") else ("max_new_tokens", "written"):
            if getattr(self.evaluate, name) != getattr(Evaluate, name, None):
                raise ValueError(f"evaluate.{name} is not read with encode.kind: {kind}")
        for name in (self.register.metric, *self.register.thresholds):
            if name not in SCORES[kind]:
                raise ValueError(f"register has {name}, but models of encode.kind {kind} are judged by "
                                 f"{', '.join(SCORES[kind])}")  # fmt: skip
        if (kind not in CLASSES and self.train.metric == "macro_f1") or (
            kind == "regression" and self.train.metric == "accuracy"
        ):
            raise ValueError(f"train.metric {self.train.metric} needs {'classes' if kind != 'regression' else 'right'} "
                             f"answers, which encode.kind {kind} has not; use loss")  # fmt: skip
        for baseline in self.evaluate.baselines or ():
            if baseline not in BASELINES.get(kind, (baseline,)):
                raise ValueError(f"evaluate.baselines: {baseline} is none for encode.kind {kind}; take of "
                                 f"{', '.join(BASELINES[kind])}")  # fmt: skip
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


def _said(content: str, aim: str | None) -> str:
    named = {"text": "texts", "messages": "dialogues", "image": "images"}[content]
    return named if aim is None or content == "messages" else f"{named} with a {aim} (download.columns)"


def _no_validation(split: Split) -> bool:
    return split.validation in (0, "none")
