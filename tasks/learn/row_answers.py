"""One row as a model sees it that predicts no single class: what is true, what it predicts, and how sure it is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Bar:
    """A part of an answer, such as a label, an entity or a reply. probability: None of what the model did not weigh,
    such as an entity that it missed."""

    name: str
    probability: float | None
    true: bool
    predicted: bool


@dataclass(frozen=True)
class RowAnswer:
    """The row's text, and the parts of what is true and of what is predicted, in the order in which they are shown.
    left: how many other parts there are, all neither true nor predicted."""

    seen: str
    bars: Sequence[Bar]
    left: int = 0

    @property
    def true(self) -> list[str]:
        """What is true, in words."""
        return [bar.name for bar in self.bars if bar.true]

    @property
    def predicted(self) -> list[str]:
        """What the model predicts, in words."""
        return [bar.name for bar in self.bars if bar.predicted]

    @property
    def right(self) -> bool:
        """Whether that is the same."""
        return all(bar.true == bar.predicted for bar in self.bars)

    def document(self) -> dict[str, object]:
        """The part of a JSON document; a list of parts, since a text may name one entity twice."""
        return {"true": self.true, "predicted": self.predicted, "parts": [asdict(bar) for bar in self.bars]}
