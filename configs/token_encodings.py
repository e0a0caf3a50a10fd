"""How texts whose words have tags become model input: `encode` in a recipe, with kind token_classification."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from .encodings import Padding, Traits
from .fields import STRICT, Share
from .models import TokenizerSource


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TokenClassificationEncode:
    """The tokenizer's own form for one text, word by word; each word has a tag, from which entities follow."""

    kind: Literal["token_classification"]
    """This kind of encoding."""
    traits: ClassVar[Traits] = Traits(
        "token_classification", "text", "tags", ("entity_f1", "entity_precision", "entity_recall"), ("dictionary",)
    )
    tokenizer: TokenizerSource
    """Where the tokenizer comes from."""
    max_length: Annotated[int, Field(ge=8)] = 512
    """Longest row in tokens, special tokens included; a longer text is read in several windows."""
    overlap: Annotated[int, Field(ge=0)] = 32
    """Tokens that a window shares with the one before it, as context; each word is predicted in one of them alone."""
    pieces: Literal["first", "all"] = "first"
    """Which pieces of a word are trained to have its tag; what is predicted is always that of the first."""
    max_dropped: Share = 0.05
    """Largest share of the rows that may be dropped, since their tags cannot be read, before the run stops."""
    padding: Padding = "longest"
    """Pad each batch to its longest row, or every row to max_length."""

    @model_validator(mode="after")
    def _moves_on(self) -> "TokenClassificationEncode":
        if self.overlap > (self.max_length - 2) // 2:
            raise ValueError(f"overlap {self.overlap} is more than half of a window of {self.max_length} tokens")
        return self
