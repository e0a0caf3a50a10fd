"""Training on pairs of replies, against what the reference model finds of them."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch.utils.data import Dataset

from configs.schema import Train

from ...text import lora
from ...text.chat.training import ChatTraining
from ...text.models import Form
from .feed import CHOSEN, Pairs, collate_pairs
from .reference import FORM, join

__all__ = ["Preference", "join", "open_training"]

PREFERENCE = "preference.json"
"""File of a model that states what it was held to."""


@dataclass(frozen=True)
class Preference(ChatTraining):
    """Pairs of sequences, whose log-probabilities are compared."""

    form: ClassVar[Form] = FORM

    def set_loss(self, model: Any, section: Train, train: Any) -> None:
        """Set the recipe's loss, and what the model is held to. The Trainer counts labels of a causal model's loss from
        the second column on; here labels are one per pair, and each counts."""
        model.loss_type = None
        model.beta, model.smoothing = section.beta, section.label_smoothing
        model.held_to = hashlib.sha256(train.reference.tobytes()).hexdigest()

    def _probe(self, model: Any) -> dict[str, torch.Tensor]:
        """Two pairs of random tokens."""
        length, tokens = min(16, self.encoding.max_length), self.encoding.new_tokens
        batch = lora.probe_batch(model, length, writer=True, tokens=tokens)
        pairs = {name: values.view(2, 2, -1) for name, values in batch.items()}
        given = {"labels": torch.full((2,), CHOSEN), "reference": torch.zeros(2, 2)}
        return {
            "input_ids": pairs["input_ids"],
            "attention_mask": pairs["attention_mask"],
            "targets": pairs["labels"],
            **{name: values.to(model.device) for name, values in given.items()},
        }

    def rows(self, part: Any, *, train: bool) -> Dataset[Any]:
        """One pair a row."""
        return Pairs(part)

    def collate(self, seed: int) -> Callable[[Any], dict[str, torch.Tensor]]:
        """What makes batches of such rows."""
        return collate_pairs(self.encoding)

    def save(self, model: Any, section: Train, folder: Path) -> None:
        """With beta, and a digest of the reference's log-probabilities, which distinguish models of equal weights."""
        stated = {"beta": model.beta, "label_smoothing": model.smoothing, "reference": model.held_to}
        super().save(model, section, folder)
        (folder / PREFERENCE).write_text(json.dumps(stated, indent=1), encoding="utf-8")


def open_training(folder: Path) -> Preference:
    """From encoding.json and tokenizer.json."""
    return Preference.open(folder)
