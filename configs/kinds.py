"""The kinds of task that a recipe can train, listed once; what each is stands in its section and below tasks/kinds."""

from typing import Annotated, get_args

from pydantic import Field

from .encodings import (
    ClassifierEncode,
    DialogueEncode,
    GenerativeEncode,
    MaskedEncode,
    RegressionEncode,
    Seq2SeqEncode,
    Traits,
)
from .image_encodings import ImageEncode
from .token_encodings import TokenClassificationEncode

Encode = Annotated[
    GenerativeEncode
    | ClassifierEncode
    | DialogueEncode
    | Seq2SeqEncode
    | RegressionEncode
    | MaskedEncode
    | TokenClassificationEncode
    | ImageEncode,
    Field(discriminator="kind"),
]


def traits_of(kind: str) -> Traits:
    """What is known of a kind by its name in `encode.kind`. Raises KeyError for one that there is not."""
    traits: Traits = _BY_NAME[kind].traits
    return traits


def kinds() -> tuple[str, ...]:
    """Names of all kinds, as `encode.kind` has them."""
    return tuple(_BY_NAME)


_BY_NAME = {
    name: section
    for section in get_args(get_args(Encode)[0])
    for name in get_args(section.__dataclass_fields__["kind"].type)
}
