"""A recipe's training section -> the Trainer's arguments."""

import math
from pathlib import Path

import torch
from transformers import TrainingArguments

from configs.schema import Train

from ..data.errors import DataError


def optimizer_steps(section: Train, rows: int) -> int:
    """Optimiser steps of a section's epochs."""
    return math.ceil(math.ceil(rows / section.batch_size) / section.accumulation) * section.epochs


def training_arguments(section: Train, root: Path, rows: int, validated: bool) -> TrainingArguments:
    """The Trainer's arguments, every one that touches the mathematics stated."""
    gpu = torch.cuda.is_available()
    if section.precision == "float16" and not gpu:
        raise DataError("train.precision float16 needs a GPU; without one use float32 or bfloat16")
    steps = optimizer_steps(section, rows)
    schedule = {"constant": "constant_with_warmup" if section.warmup else "constant", "step": "constant"}
    return TrainingArguments(
        output_dir=str(root),
        num_train_epochs=section.epochs,
        per_device_train_batch_size=section.batch_size,
        per_device_eval_batch_size=section.eval_batch_size,
        gradient_accumulation_steps=section.accumulation,
        learning_rate=section.learning_rate,
        lr_scheduler_type=schedule.get(section.schedule, section.schedule),
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
