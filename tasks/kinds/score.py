"""What differs between texts and images in scoring: predictors, contents, baselines."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ..data.predictions import Predictions
from ..learn.metrics import Floats, Ids
from ..text import baselines as text_baselines
from ..text.segments import Encoded
from ..vision import images
from .image_classification import baselines as image_baselines
from .image_classification import predictor as image_predictor
from .masked_lm import predictor as filler
from .regression import predictor as regressor
from .seq2seq import predictor as rewriter
from .seq2seq.encoding import split_pairs
from .spec import Domain, Images, Part, Texts, open_domain
from .text import Rewrites
from .text_classification import predictor as text_predictor


class Predictor(Protocol):
    """A loaded model folder: contents (texts, or bytes of image files) in, probabilities out."""

    def predict(self, contents: Sequence[Any], batch_size: int, progress: Callable[[int, int], None]) -> Predictions:
        """Score rows."""


def load_predictor(domain: Domain, folder: Path) -> Predictor:
    """The predictor of a model folder."""
    kind = image_predictor.Predictor if isinstance(domain, Images) else text_predictor.Predictor
    return kind.load(folder)


def contents_of(domain: Domain, rows: pd.DataFrame, path: Path | None) -> list[Any]:
    """What the predictor takes, per raw row: its text, or the bytes of its image in the images.parquet at `path`."""
    if not isinstance(domain, Images):
        return rows["text"].tolist()
    assert path is not None
    found = dict(images.read_bytes(path, set(rows["image"])))
    return [found[name] for name in rows["image"]]


def as_seen(domain: Domain, content: Any) -> Any:
    """What the model sees of one content, for a person: the text, or pixels [height, width] or [height, width, 3]."""
    if not isinstance(domain, Images):
        return content
    pixels = domain.encoding.pixels(content)
    return pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)


def score_row(folder: Path, row: pd.DataFrame, images: Path | None) -> tuple[Domain, Any, Floats]:
    """The domain of a model folder, the content of a table's only row, and its probabilities [classes]."""
    domain = open_domain(folder)
    content = contents_of(domain, row, images)
    return (
        domain,
        content[0],
        load_predictor(domain, folder).predict(content, 1, lambda done, of: None).probabilities[0],
    )


def answer_text(folder: Path, kind: str, text: str) -> dict[str, Any]:
    """What a model folder of a kind without classes answers to a text: the columns of its answer."""
    serving: Any = {"seq2seq": rewriter, "regression": regressor, "masked": filler}[kind]
    found: dict[str, Any] = serving.Predictor.load(folder).frame([text]).iloc[0].to_dict()
    return found


def odd_inputs(domain: Domain, contents: Sequence[Any], part: Any) -> Ids:
    """Rows that inference would encode otherwise than training did."""
    if isinstance(domain, Rewrites):
        sources, _ = split_pairs(part.encoded, range(len(contents)))
        return _differing(domain.encoding.encode(domain.tokenizer, contents), sources, 0)
    if isinstance(domain, Texts):
        label = 1 if domain.encoding.kind == "generative" else 0
        return _differing(domain.encoding.encode(domain.tokenizer, contents), part.encoded, label)
    assert isinstance(domain, Images)
    differs = [not np.array_equal(domain.encoding.pixels(data), part.pixels[n]) for n, data in enumerate(contents)]
    return np.flatnonzero(differs)


def _differing(now: Encoded, then: Encoded, tail: int) -> Ids:
    """Rows whose tokens are not the same, the last `tail` of each of `then` left out."""
    pairs = zip(pairwise(now.offsets), pairwise(then.offsets), strict=True)
    return np.flatnonzero([not np.array_equal(now.ids[a:b], then.ids[c : d - tail]) for (a, b), (c, d) in pairs])


def baseline(domain: Domain, name: str, train: pd.DataFrame, parts: Mapping[str, Part], test: pd.DataFrame) -> Ids:
    """A baseline's class ids for the test rows, fitted on training rows."""
    if name == "majority":
        return text_baselines.majority(parts["train"].class_ids, len(test))
    if name == "tfidf":
        ids = {label: number for number, label in enumerate(domain.labels)}
        classes = np.asarray(train["label"].map(ids), np.int64)
        return text_baselines.tfidf(train["text"].tolist(), classes, test["text"].tolist())
    pictures: Any = parts
    return image_baselines.centroid(pictures["train"], pictures["test"].pixels, len(domain.labels))
