"""Training of classifiers that read texts backwards."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import AutoModelForSequenceClassification

from configs.schema import Train

from ...learn.class_loss import criterion
from ...text.encoding import FILE, read_encoding
from ...text.feed import Row, collate_rows
from ...text.models import Form, named_head
from ...text.supervision import SupervisedRows
from ...text.tokenizer import load_tokenizer
from ...text.training import TextTraining
from .encoding import BackwardEncoding


@dataclass(frozen=True)
class Backward(TextTraining):
    """Texts with a class each."""

    encoding: BackwardEncoding
    form: ClassVar[Form] = Form(AutoModelForSequenceClassification, SupervisedRows, head=named_head, whole_rows=True)

    def set_loss(self, model: Any, section: Train, train: Any) -> None:
        """Set the recipe's loss, with class weights."""
        model.criterion = criterion(section, train.class_ids, len(self.labels))

    def collate(self, seed: int) -> Callable[[Any], dict[str, Any]]:
        """Batches with class ids [batch] as labels."""
        tokens = collate_rows(self.encoding)

        def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
            return {**tokens(rows), "labels": torch.tensor([int(part.class_ids[row]) for part, row in rows])}

        return collate


def open_training(folder: Path) -> Backward:
    """From encoding.json and tokenizer.json."""
    encoding = read_encoding(folder / FILE, BackwardEncoding)
    return Backward(encoding, load_tokenizer(folder, encoding.special))
