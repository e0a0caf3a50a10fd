"""What a recipe may state of pretrained files that others published: their digests and their licence."""

from typing import ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from .fields import STRICT
from .secrets import Sha256


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Pretrained:
    """Files of a model or tokenizer, in a folder, an installed package or a repository of the Hub."""

    main: ClassVar[str] = "model.safetensors"
    gguf: str | None = Field(default=None, pattern=r"^[^/\\]+\.gguf$")
    """A GGUF file there that holds weights, configuration and tokenizer in one (extra `gguf`); dequantised to
    float32."""
    sha256: Sha256 | dict[str, Sha256] | None = None
    """Checksum that the file of weights (of a tokenizer: tokenizer.json) must have, or a checksum by file name;
    another content is refused before it is read."""
    licence: str | None = None
    """The licence as its publisher states it, for the records; it enters no key."""

    @property
    def digests(self) -> dict[str, str]:
        """File name -> the sha256 that it must have."""
        if isinstance(self.sha256, str):
            return {self.gguf or self.main: self.sha256}
        return dict(self.sha256 or {})


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PretrainedTokenizer(Pretrained):
    """The same of a tokenizer."""

    main: ClassVar[str] = "tokenizer.json"
