"""How a text becomes segments: its words in reverse order, in the tokenizer's own form."""

from dataclasses import dataclass

from ...text.encoding import Encoding
from ...text.segments import Segment


@dataclass(frozen=True)
class BackwardEncoding(Encoding):
    """Class token, the words from the last to the first, separator."""

    def render(self, text: str, label: str | None) -> list[Segment]:
        """The segments of one row."""
        return super().render(" ".join(reversed(text.split())), label)
