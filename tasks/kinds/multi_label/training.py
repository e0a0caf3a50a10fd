"""Training of models that predict any number of labels for a text."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from configs.schema import Train

from ...data.errors import DataError
from ...learn.trainer import Truth
from ...runtime.net import open_net
from ...text.encoding import FILE, read_encoding
from ...text.models import Form, Head, named_head
from ...text.scoring import load_head
from ...text.tokenizer import load_tokenizer
from ...text.training import TextTraining
from . import thresholds
from .encoding import LabelSetEncoding
from .feed import collate_labels, label_sets
from .forward import SigmoidLoss, SupervisedLabels
from .predictor import Predictor


def label_head(encoding: LabelSetEncoding) -> Head:
    """The configuration of a head with the encoding's labels, any number of which a text may have."""
    return {**named_head(encoding), "problem_type": "multi_label_classification"}


@dataclass(frozen=True)
class MultiLabel(TextTraining):
    """Texts with any number of labels each."""

    encoding: LabelSetEncoding
    truth: ClassVar[Truth] = "numbers"
    form: ClassVar[Form] = Form(AutoModelForSequenceClassification, SupervisedLabels, head=label_head, whole_rows=True)

    def set_loss(self, model: Any, section: Train, train: Any) -> None:
        """Set the recipe's factors on labels that a row has, and let a new head begin at the labels' shares."""
        targets = self.encoding.targets(label_sets(train))
        factors = positive_weights(section, targets)
        model.criterion = SigmoidLoss(factors)
        begin_at_shares(model, targets, factors)

    def collate(self, seed: int) -> Callable[[Any], dict[str, torch.Tensor]]:
        """What makes batches of rows."""
        return collate_labels(self.encoding)

    def finish(self, validation: Any, folder: Path) -> None:
        """Write thresholds.json: per label the probability from which on the model as it is saved predicts it."""
        net = open_net(folder, lambda: load_head(folder))
        predictor = Predictor(self.encoding, self.tokenizer, net, np.full(len(self.labels), thresholds.HALF))
        truth = self.encoding.targets(label_sets(validation)) == 1
        chosen = thresholds.choose_thresholds(
            truth, predictor.probabilities(validation.encoded), self.encoding.thresholds
        )
        text = json.dumps(dict(zip(self.labels, chosen.tolist(), strict=True)), ensure_ascii=False, indent=1)
        (folder / thresholds.FILE).write_text(text, encoding="utf-8")


def begin_at_shares(model: Any, targets: npt.NDArray[np.float32], factors: tuple[float, ...]) -> None:
    """Set the bias of a new head to the log-odds of each label among the training rows (Lin et al. 2017, "Focal loss"),
    as its factor shifts them. Else all rare labels pull the whole encoder the same way in the first steps."""
    name, head = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear)][-1]
    if head.bias is None or (hasattr(model, "loaded") and f"{name}.bias" not in model.fresh):
        return
    with_it = targets.sum(0) + 0.5
    odds = np.array(factors or 1.0) * with_it / (len(targets) + 1 - with_it)
    with torch.no_grad():
        head.bias.copy_(torch.from_numpy(np.log(odds)))


def positive_weights(section: Train, targets: npt.NDArray[np.float32]) -> tuple[float, ...]:
    """The recipe's factor on each label where a row has it; none for all 1. `balanced`: training rows without it per
    row with it, 1 for a label that none has. Raises DataError for another number of factors."""
    given = section.class_weights
    if given is None:
        return ()
    if given == "balanced":
        counts = targets.sum(0)
        return tuple(np.where(counts > 0, (len(targets) - counts) / np.maximum(counts, 1), 1.0).tolist())
    if len(given) != targets.shape[1]:
        raise DataError(f"train.class_weights has {len(given)} values, the labels are {targets.shape[1]}")
    return given


def open_training(folder: Path) -> MultiLabel:
    """From encoding.json and tokenizer.json."""
    encoding = read_encoding(folder / FILE, LabelSetEncoding)
    return MultiLabel(encoding, load_tokenizer(folder, encoding.special))
