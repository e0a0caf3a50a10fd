"""Training of models that tag words."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import AutoModelForTokenClassification

from ...text.encoding import FILE, read_encoding
from ...text.models import Form, named_head
from ...text.tokenizer import load_tokenizer
from ...text.training import TextTraining
from .encoding import TagEncoding
from .forward import SupervisedTags


@dataclass(frozen=True)
class TokenClassification(TextTraining):
    """Texts whose words have a tag each."""

    encoding: TagEncoding
    form: ClassVar[Form] = Form(AutoModelForTokenClassification, SupervisedTags, head=named_head, whole_rows=True)

    def _probe(self, model: Any) -> dict[str, torch.Tensor]:
        batch = super()._probe(model)
        return {**batch, "labels": torch.zeros_like(batch["input_ids"])}


def open_training(folder: Path) -> TokenClassification:
    """From encoding.json and tokenizer.json."""
    encoding = read_encoding(folder / FILE, TagEncoding)
    return TokenClassification(encoding, load_tokenizer(folder, encoding.special))
