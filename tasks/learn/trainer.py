"""transformers' Trainer with what it lacks: certified checkpoints, validation by class, live reports."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import accelerate.optimizer
import numpy as np
import torch
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback

from configs.schema import Train

from ..store.disk import remove
from ..store.failure import because_of, full_disk_named
from ..store.sizes import in_bytes
from . import checkpoints, weight_files
from .labels import IGNORE_INDEX
from .length_groups import LengthGroups, Lengths
from .metrics import Ids, accuracy, confusion, macro_f1
from .optimizers import Lbfgs, make_optimizer, step_factor
from .phases import Plan

Report = Callable[[int, Mapping[str, float]], None]
Truth = Literal["classes", "tokens", "numbers"]
"""What labels are: a class id per row (or per row's one supervised token), tokens of a vocabulary, or numbers."""
KEPT_LOGS = ("loss", "grad_norm", "learning_rate", "eval_loss", "eval_accuracy", "eval_macro_f1")
"""What goes into the curves; speeds and clock times do not, so that histories of equal runs are equal."""


class Targets(NamedTuple):
    """Ids of classes in a vocabulary, where labels are such; and what labels are."""

    class_ids: tuple[int, ...]
    truth: Truth


SMALL_FILES = 32 * 2**10
"""Bytes of a checkpoint's other files: states of random numbers and of the Trainer, its arguments."""


class CertifiedTrainer(Trainer):
    """Writes checkpoints aside and certifies them; validates with the scores of the classes alone.

    frozen: digest of the weights that checkpoints do not hold. lengths: of the rows, in tokens; where they are given,
    batches are of rows of similar length.
    """

    def __init__(
        self,
        *,
        plan: Plan,
        targets: Targets,
        frozen: str = "",
        lengths: Lengths | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        # asked twice a step, each time a search of the whole path: 6 % of an epoch of MNIST
        if not hasattr(accelerate.optimizer.is_lomo_available, "cache_info"):
            accelerate.optimizer.is_lomo_available = functools.cache(accelerate.optimizer.is_lomo_available)
        self.section, self.rates, self.frozen = plan.section, plan.rates, frozen
        class_ids, self.truth = targets
        self.class_ids = torch.tensor(class_ids) if class_ids else None
        self.shifts = getattr(self.model, "shifts_labels", True)
        self.lengths = lengths
        if hasattr(self.train_dataset, "begin_epoch"):
            self.add_callback(Epochs(self.train_dataset))

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """By length where the recipe groups rows so, the step's rows together; else in random order."""
        if self.lengths is None or not self.section.group_by_length:
            return super()._get_train_sampler(train_dataset)
        step = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        groups = LengthGroups(self.lengths, step, self.section.seed)
        self.add_callback(Epochs(groups))
        return groups

    def _get_eval_sampler(self, eval_dataset: Any) -> Any:
        """By length where the rows have one, the longest first, so that what does not fit into memory shows at once."""
        lengths = getattr(eval_dataset, "lengths", None)
        if lengths is None or self.args.world_size > 1:
            return super()._get_eval_sampler(eval_dataset)
        return np.argsort(-lengths, kind="stable").tolist()

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """The recipe's optimiser."""
        if getattr(self, "optimizer", None) is None:
            optimized = self.model if model is None else model
            self.optimizer: torch.optim.Optimizer = make_optimizer(
                optimized, self.section, self.rates, self.get_decay_parameter_names(optimized)
            )
            self.lbfgs = self.optimizer if isinstance(self.optimizer, Lbfgs) else None
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        """The recipe's schedule; `step` counts in epochs."""
        if self.section.schedule != "step":
            return super().create_scheduler(num_training_steps, optimizer)
        if self.lr_scheduler is None:
            epoch = num_training_steps / self.section.epochs
            factor = step_factor(self.section, epoch, self.args.get_warmup_steps(num_training_steps))
            self.lr_scheduler: Any = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, factor)
        return self.lr_scheduler

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """One forward and backward pass; L-BFGS gets the means to repeat it, with the same random numbers."""
        if self.lbfgs is None:
            return cast(Tensor, super().training_step(model, inputs, num_items_in_batch))
        start = torch.get_rng_state()
        lbfgs = self.lbfgs

        def again() -> Tensor:
            torch.set_rng_state(start)
            lbfgs.zero_grad()
            with self.compute_loss_context_manager():
                loss = self.compute_loss(model, self._prepare_inputs(inputs), num_items_in_batch=num_items_in_batch)
            loss.backward()
            return cast(Tensor, loss)

        lbfgs.closure = again
        return cast(Tensor, super().training_step(model, inputs, num_items_in_batch))

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        if weight_files.changing(self.model) is None:
            super()._save(output_dir, state_dict)
            return
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        weight_files.save_weights(self.model, folder)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if weight_files.changing(self.model) is None:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            weight_files.load_weights(self.model, Path(resume_from_checkpoint))

    def _get_output_dir(self, trial: Any) -> str:
        return str(Path(self.args.output_dir) / checkpoints.ASIDE)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        root = Path(self.args.output_dir)
        aside, name = root / checkpoints.ASIDE, f"checkpoint-{self.state.global_step}"
        remove(aside)
        about = {
            "step": self.state.global_step,
            "best": self.state.best_global_step,
            "stopped": self.control.should_training_stop,
            "frozen": self.frozen,
            "threads": torch.get_num_threads(),
        }
        size = self._checkpoint_size()
        try:
            with full_disk_named(f"about {in_bytes(size)} needed for {name}", size):
                super()._save_checkpoint(model, trial)
                checkpoints.certify(aside / name, about)
        except Exception as error:
            with because_of(error, f"{aside} could not be removed"):
                remove(aside)
            raise
        checkpoints.publish(aside / name, root / name)
        checkpoints.rotate(root, self.state.best_global_step)

    def _checkpoint_size(self) -> int:
        """Bytes of a checkpoint: of the weights that it keeps, of the optimiser's state, and a few more."""
        own = weight_files.changing(self.model)
        kept = [value for name, value in self.model.state_dict().items() if own is None or name in own]
        states = self.optimizer.state.values() if self.optimizer is not None else ()
        kept += [value for state in states for value in state.values() if isinstance(value, Tensor)]
        sizes: dict[int, int] = {value.data_ptr(): value.nbytes for value in kept}  # tied weights are written once
        return SMALL_FILES + sum(sizes.values())

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Loss per target over validation rows, with dropout off; of classes accuracy and macro-F1 too, of tokens the
        share of those that are the likeliest one."""
        model, total, truth, predicted = self.model.eval(), 0.0, [], []
        for batch in self.get_eval_dataloader(eval_dataset):
            with torch.inference_mode(), self.compute_loss_context_manager():
                output = model(**self._prepare_inputs(batch), num_items_in_batch=1)
            total += float(output.loss)
            scores = output.logits if self.class_ids is None else output.logits[:, self.class_ids]
            truth.append(self._targets(batch["labels"]).numpy())
            predicted.append(scores.argmax(1).cpu().numpy())
        metrics = self._metrics(total, np.concatenate(truth), np.concatenate(predicted), scores.shape[1])
        named = {f"{metric_key_prefix}_{name}": float(value) for name, value in metrics.items()}
        self.log(dict(named))
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, named)
        return named

    def _metrics(self, total: float, truth: Ids, predicted: Ids, classes: int) -> dict[str, float]:
        if self.truth == "classes":
            sums = confusion(truth, predicted, classes).sums()
            return {"loss": total / len(truth), "accuracy": accuracy(*sums), "macro_f1": macro_f1(*sums)}
        hits = {"accuracy": float((truth == predicted).mean())} if self.truth == "tokens" else {}
        return {"loss": total / len(truth), **hits}

    def _targets(self, labels: Tensor) -> Tensor:
        """Class ids of the supervised targets in a batch, in the order of the logits."""
        labels = labels.cpu()
        if labels.dim() == 1:
            return labels
        shifted = labels[:, 1:] if self.shifts else labels
        tokens = shifted[shifted != IGNORE_INDEX]
        return tokens if self.class_ids is None else (tokens[:, None] == self.class_ids).int().argmax(1)


class Epochs(TrainerCallback):
    """Informs rows that change with the epoch, or their order, which one begins, counted from 0.

    Accelerate's loader would do so by `set_epoch`, but not for what is left of a resumed epoch, and not where several
    processes share the rows.
    """

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Before the first batch is made; a resumed training stands within its epoch."""
        self.rows.begin_epoch(int(state.epoch or 0))


class Reporter(TrainerCallback):
    """Passes what the Trainer logs to a report, and how far it is to a progress display."""

    def __init__(self, report: Report, progress: Callable[[int, int, str], None], section: Train) -> None:
        self.report, self.progress, self.section = report, progress, section
        self.text = "training"

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Progress. What was lost since the last log is not in a checkpoint, so that each one is logged before."""
        control.should_log |= control.should_save
        self.progress(state.global_step, state.max_steps, self.text)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Curves. Raises FloatingPointError where a loss is not finite: training on would be in vain."""
        values = {name: float(logs[name]) for name in KEPT_LOGS if name in logs}
        if values:
            self.text = ", ".join(
                f"{name} {value:.4g}" for name, value in values.items() if "loss" in name or "acc" in name
            )
            self.report(state.global_step, values)
        if not all(np.isfinite(list(values.values()))):
            raise FloatingPointError(
                f"step {state.global_step}: {values} is not finite; lower train.learning_rate or "
                f"{'train.clip' if args.max_grad_norm else 'set train.clip'}"
            )
