"""What dialogue and preference share in training: dialogues as token ids, and the files of what answers their tools."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..encoding import FILE
from ..tokenizer import load_tokenizer
from ..training import TextTraining
from .encoding import DialogueEncoding, load_dialogue_encoding
from .tool_answers import answer_files


@dataclass(frozen=True)
class ChatTraining(TextTraining):
    """Dialogues as token ids; answers: files of what answers the tools."""

    encoding: DialogueEncoding
    answers: tuple[str, ...] = ()

    @property
    def preprocessing(self) -> tuple[str, ...]:  # type: ignore[override]
        """With what answers the tools."""
        return (*TextTraining.preprocessing, *self.answers)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """From encoding.json and tokenizer.json."""
        encoding = load_dialogue_encoding(folder / FILE)
        return cls(encoding, load_tokenizer(folder, encoding.special), answer_files(folder))
