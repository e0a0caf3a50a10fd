"""A saved model that tags words -> the entities of texts; the same code in evaluate and where it is served."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...data.predictions import from_logits
from ...data.tags.rows import Span, words_of
from ...data.tags.schemes import Entity, entities_of
from ...runtime.net import Arrays, Net, open_net
from ...text.encoding import FILE, read_encoding
from ...text.scoring import Progress, load_head, one_batch, score_batches
from ...text.tokenizer import TextTokenizer, load_tokenizer
from .encoding import TagEncoding, entities_in
from .windows import Windows


@dataclass(frozen=True)
class Found:
    """Of one text: its entities in characters, for each the probability of its least sure tag, and that of the least
    sure tag of all (1 without words)."""

    entities: list[Entity]
    probabilities: list[float]
    probability: float


@dataclass(frozen=True)
class Predictor:
    """Texts, or lists of tokens, in; their entities out, by the characters of the text as it was given."""

    encoding: TagEncoding
    tokenizer: TextTokenizer
    net: Net
    content = "text"

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> "Predictor":
        """Read tokenizer.json, encoding.json, config.json and model.safetensors."""
        encoding = read_encoding(folder / FILE, TagEncoding)
        tokenizer = load_tokenizer(folder, encoding.special)
        return cls(
            encoding, tokenizer, open_net(folder, lambda: load_head(folder, "AutoModelForTokenClassification"), device)
        )

    def inputs(self, texts: Sequence[Any]) -> Arrays:
        """What the net takes of texts, or lists of tokens, in one batch of windows."""
        return one_batch(self._windows(texts).encoded, self.encoding.pad_id)

    def scores(self, texts: Sequence[Any], batch_size: int = 32) -> npt.NDArray[np.float64]:
        """Logits of each word's tags, text after text [words, tags]."""
        return self._logits(self._windows(texts), batch_size, lambda done, of: None)

    def _windows(self, texts: Sequence[Any]) -> Windows:
        given = [self._words(text) for text in texts]
        return self.encoding.windows(self.tokenizer, [text for text, _ in given], [words for _, words in given])

    def frame(self, texts: Sequence[Any], batch_size: int = 32) -> pd.DataFrame:
        """Columns entities (JSON: start, end, label, text and probability of each), and probability: that of the least
        sure tag of all words; an entity's is that of its own least sure one.

        Of a list of tokens the characters are those of the tokens with a space between each two. Raises ValueError for
        what is neither text nor such a list.
        """
        given = [self._words(text) for text in texts]
        given_texts = [text for text, _ in given]
        tagged = self.predict(given_texts, [words for _, words in given], batch_size)
        entities = [write_found(text, row) for text, row in zip(given_texts, tagged, strict=True)]
        columns = {"entities": entities, "probability": [row.probability for row in tagged]}
        return pd.DataFrame(columns).astype({"entities": "str", "probability": "float64"})

    def _words(self, text: Any) -> tuple[str, list[Span]]:
        if isinstance(text, str):
            return text, words_of(text, joined=self.encoding.tokens)
        if not isinstance(text, list | tuple | np.ndarray) or not all(isinstance(word, str) for word in text):
            raise ValueError(f"each row needs a text or a list of words, got {text!r:.80}; drop or fill rows without")
        starts = np.cumsum([0, *(len(word) + 1 for word in text)]).tolist()
        return " ".join(text), [(start, start + len(word)) for start, word in zip(starts, text, strict=False)]

    def predict_rows(
        self, texts: Sequence[str], batch_size: int = 32, progress: Progress = lambda done, of: None
    ) -> list[Found]:
        """The entities of texts whose words are divided as those of the rows that the model was trained on."""
        return self.predict(texts, [self.encoding.words(text) for text in texts], batch_size, progress)

    def predict(
        self,
        texts: Sequence[str],
        words: Sequence[Sequence[Span]],
        batch_size: int = 32,
        progress: Progress = lambda done, of: None,
    ) -> list[Found]:
        """The entities of texts with these words; every word is tagged once, whatever the length of its text."""
        windows = self.encoding.windows(self.tokenizer, texts, words)
        chosen, chances = self._tags(windows, batch_size, progress)
        predictions, start = [], 0
        for spans, count in zip(words, windows.words.tolist(), strict=True):
            tags = [self.encoding.labels[tag] for tag in chosen[start : start + count]]
            sure = chances[start : start + count]
            least = [float(sure[entity.start : entity.stop].min()) for entity in entities_of(tags, "iob2")[0]]
            predictions.append(Found(entities_in(spans, tags), least, float(sure.min(initial=1.0))))
            start += count
        return predictions

    def _tags(
        self, windows: Windows, batch_size: int, progress: Progress
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The likeliest tag of each word, and its probability, both [words]."""
        chances = from_logits(self._logits(windows, batch_size, progress)).probabilities
        return chances.argmax(1), chances.max(1, initial=0.0)

    def _logits(self, windows: Windows, batch_size: int, progress: Progress) -> npt.NDArray[np.float64]:
        """Logits of each word's tags [words, tags], of the piece that carries them in one of the windows."""
        logits = np.empty((len(windows.window), len(self.encoding.labels)))
        begins = np.searchsorted(windows.window, np.arange(len(windows.rows) + 1))
        pad_id = self.encoding.pad_id
        for rows, (scores, *_) in score_batches(self.net, windows.encoded, pad_id, batch_size, progress):
            for at, row in enumerate(rows.tolist()):
                here = slice(begins[row], begins[row + 1])
                logits[here] = scores[at, windows.place[here]]
        return logits

    def tag(self, texts: Sequence[str], batch_size: int = 32) -> list[str]:
        """The entities of rows as JSON, by the name that tasks/tracking/wire_format.py keeps."""
        rows = self.predict_rows(texts, batch_size)
        return [write_entities(text, row.entities) for text, row in zip(texts, rows, strict=True)]


def write_entities(text: str, entities: Iterable[Entity]) -> str:
    """Entities of a text as JSON."""
    return json.dumps([_described(text, entity) for entity in entities], ensure_ascii=False)


def write_found(text: str, predicted: Found) -> str:
    """A text's predicted entities as JSON, each with its probability."""
    both = zip(predicted.entities, predicted.probabilities, strict=True)
    return json.dumps([{**_described(text, entity), "probability": sure} for entity, sure in both], ensure_ascii=False)


def _described(text: str, entity: Entity) -> dict[str, Any]:
    return {"start": entity.start, "end": entity.stop, "label": entity.label, "text": text[entity.start : entity.stop]}


def read_entities(written: str) -> list[Entity]:
    """What `write_entities` wrote."""
    return [Entity(entity["start"], entity["end"], entity["label"]) for entity in json.loads(written)]
