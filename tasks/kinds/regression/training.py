"""Training of models that predict a number of a text."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor
from transformers import AutoModelForSequenceClassification

from ...learn.trainer import Truth
from ...text.encoding import FILE, read_encoding
from ...text.models import Form
from ...text.token_types import require_token_types
from ...text.tokenizer import load_tokenizer
from ...text.training import TextTraining
from .encoding import RegressionEncoding
from .feed import collate_numbers
from .forward import SupervisedNumbers

FORM = Form(
    AutoModelForSequenceClassification,
    SupervisedNumbers,
    whole_rows=True,
    check=require_token_types,
    head=lambda encoding: {"num_labels": 1, "problem_type": "regression"},
)


@dataclass(frozen=True)
class Regression(TextTraining):
    """Texts with a number each."""

    encoding: RegressionEncoding
    truth: ClassVar[Truth] = "numbers"
    form: ClassVar[Form] = FORM

    def collate(self, seed: int) -> Callable[[Any], dict[str, Tensor]]:
        """What makes batches of rows."""
        return collate_numbers(self.encoding)


def open_training(folder: Path) -> Regression:
    """From encoding.json and tokenizer.json."""
    encoding = read_encoding(folder / FILE, RegressionEncoding)
    return Regression(encoding, load_tokenizer(folder, encoding.special))
