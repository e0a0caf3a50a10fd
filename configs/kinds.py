"""The kinds of task that a recipe can train, listed once; what each is stands in its section and below tasks/kinds."""

from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field

from .encodings import (
    ClassifierEncode,
    DialogueEncode,
    LabelWordEncode,
    MaskedEncode,
    RegressionEncode,
    Seq2SeqEncode,
    Traits,
)
from .image_encodings import ImageEncode
from .label_encodings import MultiLabelEncode
from .preference_encodings import PreferenceEncode
from .token_encodings import TokenClassificationEncode

RENAMED = {"generative": "label_word"}
"""Earlier names of kinds, in recipes, manifests and registered models -> their names."""


def present_kind(kind: str) -> str:
    """The name that a kind has now."""
    return RENAMED.get(kind, kind)


def _with_present_kind(section: Any) -> Any:
    """A section of a recipe that names its kind as it is called now."""
    kind = section.get("kind") if isinstance(section, dict) else None
    return {**section, "kind": present_kind(kind)} if isinstance(kind, str) else section


Encode = Annotated[
    LabelWordEncode
    | ClassifierEncode
    | DialogueEncode
    | Seq2SeqEncode
    | RegressionEncode
    | MaskedEncode
    | TokenClassificationEncode
    | PreferenceEncode
    | MultiLabelEncode
    | ImageEncode,
    Field(discriminator="kind"),
    BeforeValidator(_with_present_kind),
]


def traits_of(kind: str) -> Traits:
    """What is known of a kind by its name in `encode.kind`. Raises KeyError for one that there is not."""
    traits: Traits = _BY_NAME[present_kind(kind)].traits
    return traits


def kinds() -> tuple[str, ...]:
    """Names of all kinds, as `encode.kind` has them."""
    return tuple(_BY_NAME)


_BY_NAME = {
    name: section
    for section in get_args(get_args(Encode)[0])
    for name in get_args(section.__dataclass_fields__["kind"].type)
}
