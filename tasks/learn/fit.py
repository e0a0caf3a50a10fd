"""fit: a model and its data come in; trained weights, the history and the step they are from go out."""

from collections.abc import Callable, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    TrainerCallback,
    TrainerState,
    set_seed,
)
from transformers.utils import logging as hf_logging

from configs.precision import settled
from configs.schema import Train
from configs.threads import kept_threads

from ..store.disk import remove
from .checkpoints import ASIDE, CheckpointFacts, certify, check, check_best, newest_intact, publish
from .length_groups import Lengths
from .norms import require_company
from .phases import Audit, Layout, Plan, changes, fingerprint, float32_output, hold_still, plan_phases
from .trainer import KEPT_LOGS, CertifiedTrainer, Report, Reporter, Targets, Truth
from .trainer_arguments import optimizer_steps, training_arguments
from .weight_files import COUNTS, frozen_digest, load_weights, save_weights


@dataclass(frozen=True)
class Feed:
    """What is trained on: rows by number, the function that makes a batch of them, and what is predicted.

    lengths: of the training rows, in tokens, where a batch is as wide as its longest row.
    """

    train: "Dataset[Any]"
    validation: "Dataset[Any] | None"
    collate: Callable[[Any], dict[str, torch.Tensor]]
    class_ids: tuple[int, ...] = ()
    truth: Truth = "classes"
    lengths: Lengths | None = None


@dataclass(frozen=True)
class TrainingCallbacks:
    """Where a training reports to: curves, progress, and a log of lines."""

    report: Report
    progress: Callable[[int, int, str], None]
    log: Callable[[str], None]

    def shifted(self, offset: int, total: int) -> "TrainingCallbacks":
        """The same for a phase that begins `offset` steps into a training of `total`."""
        return TrainingCallbacks(
            lambda step, values: self.report(offset + step, values),
            lambda step, _, text: self.progress(offset + step, total, text),
            self.log,
        )


@dataclass(frozen=True)
class TrainingRun:
    """root: folder of the checkpoints, of this run and of a killed one; threads: None leaves torch's number."""

    root: Path
    callbacks: TrainingCallbacks
    threads: int | None = None


@dataclass(frozen=True)
class Fitted:
    """history: what was logged, by step; step: where the weights are from; steps: where training ended, both counted
    over all phases; audits: one per phase."""

    history: list[dict[str, float]]
    step: int
    steps: int
    resumed_at: int | None
    audits: tuple[Audit, ...] = ()

    def followed_by(self, phase: "Fitted", audit: Audit) -> "Fitted":
        """With the next phase, whose own steps count from 0."""
        return Fitted(
            [*self.history, *({**row, "step": row["step"] + self.steps} for row in phase.history)],
            phase.step + self.steps,
            phase.steps + self.steps,
            self.resumed_at if phase.resumed_at is None else phase.resumed_at + self.steps,
            (*self.audits, audit),
        )


def fit(section: Train, model: nn.Module, feed: Feed, run: TrainingRun, layout: Layout | None = None) -> Fitted:
    """Train phase by phase, resuming from the newest intact checkpoint of the run; each ends with its best weights.

    Bit-equality of a resumed run holds on the same machine type and libraries; the thread count of the interrupted run
    is taken over. Each phase draws its random numbers from a seed of its own, so that it does not matter in which
    process the one before it ran. Raises FloatingPointError on a loss that is not finite, DataError where a phase
    moves what it holds still.
    """
    section, layout = settled(section), layout or plain_layout(model)
    if section.precision != "float32" and layout.output is not None:
        float32_output(layout.output)
    plans = plan_phases(section, layout)
    rows = len(cast(Sized, feed.train))
    total = sum(optimizer_steps(plan.section, rows) for plan in plans)
    for plan in plans:
        hold_still(model, plan.trained)
        require_company(model, feed.train, feed.collate, plan.section.batch_size)
    done, offset, threads = Fitted([], 0, 0, None), 0, run.threads
    for number, plan in enumerate(plans, 1):
        folder = run.root / f"phase-{number}" if len(plans) > 1 else run.root
        before = fingerprint(model)
        held = hold_still(model, plan.trained)
        ended = _ended(folder, model, run.callbacks) if len(plans) > 1 else None
        if ended is not None:
            load_weights(model, folder / END)
            threads = ended.get("threads", threads)
            now = Fitted(ended["history"], ended["step"], ended["steps"], ended["steps"])
        else:
            phase = TrainingRun(folder, run.callbacks.shifted(offset, total), threads)
            now = _fit_phase(plan, model, feed, phase, offset)
            threads = torch.get_num_threads()  # a resumed phase took those that it began with; so do all behind it
        frozen = {name for name, value in model.named_parameters() if value.dtype not in COUNTS} - plan.trained
        moved, still = changes(before, fingerprint(model), held | frozen)
        audit = Audit(offset + 1, offset + now.steps, offset + now.step, moved, still)
        if len(plans) > 1 and ended is None:
            _end(folder, model, now)
        done = done.followed_by(now, audit)
        offset = done.steps
    return done


END = "end"
"""Folder of the weights with which a phase ended."""


def _ended(folder: Path, model: nn.Module, callbacks: TrainingCallbacks) -> CheckpointFacts | None:
    """The certificate of a phase that has ended, if its weights are intact."""
    if not (folder / END).exists():
        return None
    try:
        return check(folder / END, frozen_digest(model))
    except ValueError as damage:
        callbacks.log(f"the weights of {folder.name} are damaged ({damage}); going back to its checkpoints")
        return None


def _end(folder: Path, model: nn.Module, fitted: Fitted) -> None:
    aside = folder / ASIDE
    remove(aside)
    aside.mkdir()
    save_weights(model, aside)
    about = {"history": fitted.history, "step": fitted.step, "steps": fitted.steps}
    certify(aside, {**about, "threads": torch.get_num_threads(), "frozen": frozen_digest(model)})
    publish(aside, folder / END)


def plain_layout(model: nn.Module) -> Layout:
    """The layout of a model of which nothing is known but its own names."""
    return Layout(
        {name: name for name, value in model.named_parameters() if value.requires_grad},
        tuple(name for name, _ in model.named_children()),
    )


def _fit_phase(plan: Plan, model: nn.Module, feed: Feed, run: TrainingRun, offset: int) -> Fitted:
    section, root, callbacks = plan.section, run.root, run.callbacks
    rows = len(cast(Sized, feed.train))
    if not root.is_dir():
        remove(root)
    root.mkdir(parents=True, exist_ok=True)
    frozen = frozen_digest(model)
    checkpoint = newest_intact(root, frozen, callbacks.log)
    chosen = checkpoint[1]["threads"] if checkpoint else run.threads
    if chosen:
        torch.set_num_threads(chosen)
    set_seed(section.seed)
    arguments = training_arguments(section, root, rows, feed.validation is not None)
    hf_logging.disable_progress_bar()
    trainer = CertifiedTrainer(
        targets=Targets(feed.class_ids, feed.truth),
        plan=plan,
        frozen=frozen,
        lengths=feed.lengths,
        model=model,
        args=arguments,
        train_dataset=feed.train,
        eval_dataset=feed.validation,
        data_collator=feed.collate,
        callbacks=_callbacks(section, callbacks),
    )
    trainer.remove_callback(PrinterCallback)
    if checkpoint:
        callbacks.log(
            f"resumed from the checkpoint at step {checkpoint[1]['step'] + offset}{kept_threads(chosen, run.threads)}"
        )
    stopped = checkpoint is not None and checkpoint[1]["stopped"]
    if checkpoint and stopped:  # by patience or at the last step; the Trainer would go on
        trainer.state = TrainerState.load_from_json(str(checkpoint[0] / "trainer_state.json"))
    else:
        trainer.train(resume_from_checkpoint=str(checkpoint[0]) if checkpoint else None)
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)  # what follows computes in float32 again
    # else the next phase would compute in float32 too, since a model is not wrapped twice
    model._is_accelerate_prepared = False  # type: ignore[assignment]
    step = trainer.state.best_global_step or trainer.state.global_step
    if stopped or step != trainer.state.global_step:
        load_weights(model, check_best(root, step, frozen))
    return Fitted(
        _history(trainer.state.log_history),
        step,
        trainer.state.global_step,
        checkpoint[1]["step"] if checkpoint else None,
    )


def _callbacks(section: Train, callbacks: TrainingCallbacks) -> list[TrainerCallback]:
    reporter = Reporter(callbacks.report, callbacks.progress, section)
    return [reporter] if section.patience is None else [reporter, EarlyStoppingCallback(section.patience)]


def _history(log: list[dict[str, float]]) -> list[dict[str, float]]:
    rows = [{name: row[name] for name in ("step", *KEPT_LOGS) if name in row} for row in log]
    return [row for row in rows if len(row) > 1]
