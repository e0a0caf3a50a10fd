"""fit: a model and its data come in; trained weights, the history and the step they are from go out."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model
from torch import nn
from torch.utils.data import Dataset
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from transformers.utils import logging as hf_logging

from configs.schema import Train

from ..data.files import DataError
from .checkpoints import check_best, newest_intact
from .trainer import KEPT_LOGS, CertifiedTrainer, Report, Reporter


@dataclass(frozen=True)
class Feed:
    """What is trained on: rows by number, and the function that makes a batch of them."""

    train: "Dataset[Any]"
    validation: "Dataset[Any] | None"
    collate: Callable[[Any], dict[str, torch.Tensor]]
    class_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Voice:
    """How a training speaks: curves, progress, remarks."""

    report: Report
    progress: Callable[[int, int, str], None]
    say: Callable[[str], None]


@dataclass(frozen=True)
class Fitted:
    """history: what was logged, by step; step: where the weights are from; steps: where training ended."""

    history: list[dict[str, float]]
    step: int
    steps: int
    resumed_at: int | None


def fit(section: Train, model: nn.Module, feed: Feed, root: Path, voice: Voice, threads: int | None) -> Fitted:
    """Train, resuming from the newest intact checkpoint under `root`; the model ends with the best weights.

    Bit-equality of a resumed run holds on the same machine type and libraries; the thread count of the
    interrupted run is taken over. Raises FloatingPointError on a loss that is not finite.
    """
    root.mkdir(parents=True, exist_ok=True)
    found = newest_intact(root, voice.say)
    chosen = found[1]["threads"] if found else threads
    if chosen:
        torch.set_num_threads(chosen)
    set_seed(section.seed)
    arguments = training_arguments(section, root, len(feed.train), feed.validation is not None)  # type: ignore[arg-type]
    hf_logging.disable_progress_bar()
    callbacks = [Reporter(voice.report, voice.progress, section)]
    if section.patience is not None:
        callbacks.append(EarlyStoppingCallback(section.patience))
    trainer = CertifiedTrainer(
        class_ids=feed.class_ids,
        section=section,
        model=model,
        args=arguments,
        train_dataset=feed.train,
        eval_dataset=feed.validation,
        data_collator=feed.collate,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    if found:
        voice.say(f"resumed from the checkpoint at step {found[1]['step']}")
    stopped = found is not None and found[1]["stopped"]
    if found and stopped:  # by patience or at the last step; the Trainer would go on
        trainer.state = TrainerState.load_from_json(str(found[0] / "trainer_state.json"))
    else:
        trainer.train(resume_from_checkpoint=str(found[0]) if found else None)
    step = trainer.state.best_global_step or trainer.state.global_step
    if stopped or step != trainer.state.global_step:
        load_model(model, check_best(root, step) / "model.safetensors", device=str(next(model.parameters()).device))
    return Fitted(
        _history(trainer.state.log_history), step, trainer.state.global_step, found[1]["step"] if found else None
    )


def _history(log: list[dict[str, float]]) -> list[dict[str, float]]:
    rows = [{name: row[name] for name in ("step", *KEPT_LOGS) if name in row} for row in log]
    return [row for row in rows if len(row) > 1]


def training_arguments(section: Train, root: Path, rows: int, validated: bool) -> TrainingArguments:
    """The Trainer's arguments, every one that touches the mathematics stated."""
    gpu = torch.cuda.is_available()
    if section.precision == "float16" and not gpu:
        raise DataError("train.precision float16 needs a GPU; without one use float32 or bfloat16")
    batches = math.ceil(rows / section.batch_size)
    steps = math.ceil(batches / section.accumulation) * section.epochs
    schedule = "constant_with_warmup" if section.schedule == "constant" and section.warmup else section.schedule
    return TrainingArguments(
        output_dir=str(root),
        num_train_epochs=section.epochs,
        per_device_train_batch_size=section.batch_size,
        per_device_eval_batch_size=section.eval_batch_size,
        gradient_accumulation_steps=section.accumulation,
        learning_rate=section.learning_rate,
        lr_scheduler_type=schedule,
        warmup_steps=round(section.warmup * steps),
        max_grad_norm=section.clip or 0.0,
        bf16=section.precision == "bfloat16",
        fp16=section.precision == "float16",
        activation_checkpointing=section.gradient_checkpointing,
        seed=section.seed,
        data_seed=section.seed,
        logging_steps=section.logging_steps,
        logging_nan_inf_filter=False,
        eval_strategy="steps" if validated else "no",
        eval_steps=section.eval_steps,
        save_strategy="steps",
        save_steps=section.eval_steps,
        metric_for_best_model=section.metric if validated else None,
        greater_is_better=section.metric != "loss" if validated else None,
        restore_callback_states_from_checkpoint=True,
        remove_unused_columns=False,
        dataloader_pin_memory=gpu,
        use_cpu=not gpu and not torch.backends.mps.is_available(),
        disable_tqdm=True,
        log_level="error",  # it warns of a best checkpoint that is gone; ours has only been renamed
        report_to="none",
    )
