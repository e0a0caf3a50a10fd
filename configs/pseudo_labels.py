"""What an artifact of pseudo-labels is made from; no section of a recipe, which names the artifact by its digest."""

from dataclasses import dataclass

from .cleaning import Clean
from .models import RegisteredModel
from .sources import FileSource


@dataclass(frozen=True)
class PseudoLabels:
    """What an artifact of pseudo-labels is made from.

    source: the unlabelled texts; its column of labels, where it has one, is the truth and only measures precision.
    teachers: by number of version. kind: of the task that the first of them learnt. confidence: the least probability
    of a label that is taken; by_label: of labels that have another. agree: whether all teachers must name the label;
    balance: whether of each label as many rows are taken. clean, similarity: the recipe's, so that the texts are those
    that it would train on, and what nearly copies a held-out row is what it calls so.
    """

    source: FileSource
    teachers: tuple[RegisteredModel, ...]
    kind: str
    confidence: float
    by_label: dict[str, float]
    agree: bool
    balance: bool
    clean: Clean
    similarity: float

    def least(self, label: str) -> float:
        """The least probability of this label."""
        return self.by_label.get(label, self.confidence)
