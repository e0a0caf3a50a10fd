"""Training of masked language models."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor
from torch.utils.data import Dataset
from transformers import AutoModelForMaskedLM

from ...text.encoding import FILE, read_encoding
from ...text.models import Form
from ...text.tokenizer import load_tokenizer
from ...text.training import TextTraining
from .encoding import MaskedEncoding
from .feed import ChangingRows, FixedRows, collate_masked
from .forward import SupervisedMasks, require_bidirectional

FORM = Form(AutoModelForMaskedLM, SupervisedMasks, prove=require_bidirectional)


@dataclass(frozen=True)
class MaskedLm(TextTraining):
    """Texts of which each epoch hides other tokens."""

    encoding: MaskedEncoding
    form: ClassVar[Form] = FORM

    def rows(self, part: Any, *, train: bool) -> Dataset[Any]:
        """Training rows are hidden again in each epoch, validation rows once and for all."""
        return ChangingRows(part) if train else FixedRows(part)

    def collate(self, seed: int) -> Callable[[Any], dict[str, Tensor]]:
        """What makes batches of rows; seed: of what is hidden."""
        return collate_masked(self.encoding, seed)


def open_training(folder: Path) -> MaskedLm:
    """From encoding.json and tokenizer.json."""
    encoding = read_encoding(folder / FILE, MaskedEncoding)
    return MaskedLm(encoding, load_tokenizer(folder, encoding.special))
