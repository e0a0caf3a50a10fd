"""Training of text classifiers, by a head or by label words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from configs.schema import Train

from ...learn.class_loss import criterion
from ...learn.fit import Feed
from ...learn.trainer import Truth
from ...text.encoding import FILE, Encoding
from ...text.models import Form, named_head
from ...text.supervision import SupervisedRows, SupervisedTokens, require_causal
from ...text.token_types import require_token_types
from ...text.tokenizer import load_tokenizer
from ...text.training import TextTraining
from .encoding import load_encoding
from .feed import collate_rows

FORMS = {
    "classifier": Form(
        AutoModelForSequenceClassification, SupervisedRows, head=named_head, check=require_token_types, whole_rows=True
    ),
    "label_word": Form(AutoModelForCausalLM, SupervisedTokens, check=require_causal),
}
"""By a head, and by label words."""


@dataclass(frozen=True)
class TextClassification(TextTraining):
    """Texts with a class each."""

    encoding: Encoding
    truth: ClassVar[Truth] = "classes"

    @property
    def form(self) -> Form:
        """How models are used, by the encoding's kind."""
        return FORMS[self.encoding.kind]

    def set_loss(self, model: Any, section: Train, train: Any) -> None:
        """Set the recipe's loss, with class weights; label words have cross entropy alone."""
        if self.encoding.kind == "classifier":
            model.criterion = criterion(section, train.class_ids, len(self.labels))

    def collate(self, seed: int) -> Callable[[Any], dict[str, Tensor]]:
        """What makes batches of rows."""
        return collate_rows(self.encoding)

    def feed(self, parts: Mapping[str, Any], seed: int = 0) -> Feed:
        """Training and validation rows; label words are scored among each other."""
        return replace(super().feed(parts, seed), class_ids=self.encoding.label_ids)


def open_training(folder: Path) -> TextClassification:
    """From encoding.json and tokenizer.json."""
    encoding = load_encoding(folder / FILE)
    return TextClassification(encoding, load_tokenizer(folder, encoding.special))
