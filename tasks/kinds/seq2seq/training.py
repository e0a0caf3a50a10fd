"""Training of encoder-decoders that write a target for a text."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor
from transformers import AutoModelForSeq2SeqLM

from ...learn.phases import Layout
from ...text.encoding import FILE
from ...text.models import Form
from ...text.tokenizer import load_tokenizer
from ...text.training import TextTraining
from .encoding import Seq2SeqEncoding, load_seq2seq_encoding
from .feed import collate_pairs
from .forward import SupervisedTargets, require_shifted

FORM = Form(
    AutoModelForSeq2SeqLM,
    SupervisedTargets,
    check=lambda model, encoding: require_shifted(model),
    ids=lambda encoding: {"decoder_start_token_id": encoding.pad_id},  # T5's way
)


@dataclass(frozen=True)
class Seq2Seq(TextTraining):
    """Texts and the targets that a decoder writes."""

    encoding: Seq2SeqEncoding
    form: ClassVar[Form] = FORM

    def layout(self, model: Any) -> Layout:
        """As of any text; where encoder and decoder have no model around them (T5), the head is the output layer,
        unless its weights are the embedding's."""
        if model.base_model is not model:
            return super().layout(model)
        output = model.get_output_embeddings()
        names = [name for name, value in model.named_parameters() if value.requires_grad]
        head = next(name for name, module in model.named_modules() if module is output)
        every = [*(name for name, _ in model.named_children() if name != head), head]
        children = tuple(child for child in every if any(name.startswith(f"{child}.") for name in names))
        return Layout(
            {name: name for name in names},
            children,
            frozenset(name for name in names if name.startswith(f"{head}.")),
            getattr(model, "fresh", frozenset()),
            output,
            new=not hasattr(model, "loaded"),
        )

    def collate(self, seed: int) -> Callable[[Any], dict[str, Tensor]]:
        """What makes batches of pairs."""
        return collate_pairs(self.encoding)


def open_training(folder: Path) -> Seq2Seq:
    """From encoding.json and tokenizer.json."""
    encoding = load_seq2seq_encoding(folder / FILE)
    return Seq2Seq(encoding, load_tokenizer(folder, encoding.special))
