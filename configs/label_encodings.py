"""How texts with any number of labels become model input: `encode` in a recipe, with kind multi_label."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from .encodings import Padding, Traits
from .fields import STRICT
from .models import TokenizerSource

Thresholds = Literal["one", "per_label", "half"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class MultiLabelEncode:
    """The tokenizer's own form for one text; the model gives each label a probability of its own."""

    kind: Literal["multi_label"]
    """This kind of encoding."""
    traits: ClassVar[Traits] = Traits(
        "multi_label", "text", "labels", ("micro_f1", "macro_f1", "average_precision", "subset_accuracy"),
        ("majority", "tfidf"),
    )  # fmt: skip
    tokenizer: TokenizerSource
    """Where the tokenizer comes from."""
    max_length: Annotated[int, Field(ge=3)] = 512
    """Longest row in tokens, special tokens included; of a longer text the first tokens are kept."""
    padding: Padding = "longest"
    """Pad each batch to its longest row, or every row to max_length."""
    thresholds: Thresholds = "one"
    """From which probability on a label is predicted, chosen on the validation rows: `one` for all labels, with the
    best micro-F1 there; `per_label` with the best F1 of that label; `half` is 0.5 and needs no validation rows."""
