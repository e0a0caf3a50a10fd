"""Training of dialogue models; an encoded row is one sequence of a dialogue."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor
from torch.utils.data import Dataset
from transformers import AutoModelForCausalLM

from ...data.errors import DataError
from ...text import feed
from ...text.chat.encoding import DialogueEncoding
from ...text.chat.feed import Packs, collate_packs
from ...text.chat.packing import packs
from ...text.chat.training import ChatTraining
from ...text.models import Form
from ...text.supervision import SupervisedTokens, require_causal


def require_fit(model: Any, encoding: DialogueEncoding) -> None:
    """Raise DataError for a model that cannot generate, or lets packed sequences see one another."""
    require_causal(model, encoding)
    if encoding.packing and not packs(model):
        raise DataError(
            f"train.model: {type(model).__name__} lets packed sequences see one another; encode.packing: false"
        )


FORM = Form(AutoModelForCausalLM, SupervisedTokens, check=require_fit)


@dataclass(frozen=True)
class Dialogue(ChatTraining):
    """One sequence of a dialogue a row, or several."""

    form: ClassVar[Form] = FORM

    def rows(self, part: Any, *, train: bool) -> Dataset[Any]:
        """One sequence a row, or several where the recipe packs them."""
        return Packs(part, self.encoding.max_length) if self.encoding.packing else feed.Rows(part)

    def collate(self, seed: int) -> Callable[[Any], dict[str, Tensor]]:
        """What makes batches of such rows."""
        return collate_packs(self.encoding) if self.encoding.packing else feed.collate_rows(self.encoding)


def open_training(folder: Path) -> Dialogue:
    """From encoding.json and tokenizer.json."""
    return Dialogue.open(folder)
