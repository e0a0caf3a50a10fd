"""A model that predicts hidden tokens and its test rows -> perplexity and accuracy next to the tokens' frequency."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from configs.encodings import MaskedEncode
from configs.schema import Evaluate

from ...learn.evaluation_report import SAMPLES, Judged, Progress, Subject, cell, chosen_baselines, sampled, state
from ...learn.labels import IGNORE_INDEX
from ...learn.resampling import Measures, Resampling
from ...text.segments import Encoded
from ..text_report import TextReports
from .encoding import FIXED, pad_masked
from .metrics import score_tokens
from .predictor import MASK, MaskedScores, Predictor
from .training import open_training


def judge(folder: Path, train: pd.DataFrame, test: pd.DataFrame, section: Evaluate, progress: Progress) -> Judged:
    """Hide tokens of the test rows (id, text), the same for every model of this tokenizer, and score."""
    predictor = Predictor.load(folder)
    how = Resampling(section.bootstrap, section.confidence, section.seed)
    ids = test["id"].tolist()
    encoded = predictor.encoding.encode(predictor.tokenizer, test["text"].tolist())
    hidden = predictor.predict_masked(encoded, ids, section.batch_size, progress)
    baselines = {}
    for name in chosen_baselines("masked", MaskedEncode.traits, section):
        known = predictor.encoding.encode(predictor.tokenizer, train["text"].tolist())
        baselines[name] = _scores(by_frequency(predictor, known, encoded, ids), how)
    scores = _scores(hidden, how)
    facts = state(
        Subject("masked", MaskedEncode.traits, len(test)),
        scores,
        section,
        shown=("perplexity", "accuracy"),
        baselines=baselines,
    )
    facts["counts"] = {"tokens": scores["tokens"]}
    table = {"id": ids, "tokens": hidden.tokens, "right": hidden.right, "loss": hidden.losses}
    asked = [with_mask(predictor, row, text) for row, text in zip(ids[:SAMPLES], test["text"][:SAMPLES], strict=True)]
    filled = predictor.frame(asked)
    lines = ["| row | text | filled | p |", "|---|---|---|---:|"]
    predictions = zip(ids, asked, filled["filled"], filled["probability"], strict=False)
    lines += [f"| {row} | {cell(text)} | {cell(full)} | {p:.3f} |" for row, text, full, p in predictions]
    return Judged(facts, pd.DataFrame(table), sampled(ids[:SAMPLES], asked, filled), lines)


def _scores(hidden: MaskedScores, how: Resampling) -> Measures:
    scores = score_tokens(hidden.losses, hidden.right, hidden.tokens, how)
    total = int(hidden.tokens.sum())
    return scores | {"loss": float(hidden.losses.sum() / total) if total else None}


def by_frequency(predictor: Predictor, known: Encoded, encoded: Encoded, ids: list[str]) -> MaskedScores:
    """The baseline: every hidden token by the frequency of tokens in training rows, one added to each; the likeliest
    is the most frequent one."""
    encoding = predictor.encoding
    counts = np.bincount(known.ids, minlength=encoding.vocabulary).astype(float) + 1
    counts[list(encoding.special_ids)] = 0
    with np.errstate(divide="ignore"):
        losses = -np.log(counts / counts.sum())
    hidden = MaskedScores(np.zeros(len(ids)), np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64))
    for row in range(len(ids)):
        labels = pad_masked(encoding, encoded, ids, [row], (FIXED, 0))["labels"][0]
        truth = labels[labels != IGNORE_INDEX]
        hidden.losses[row], hidden.right[row] = losses[truth].sum(), (truth == counts.argmax()).sum()
        hidden.tokens[row] = len(truth)
    return hidden


def with_mask(predictor: Predictor, row: str, text: str) -> str:
    """A text with a mask in place of one of its words, drawn by the row's id among those that the model reads."""
    words = text.split()
    place = int(hashlib.blake2b(row.encode(), digest_size=4).hexdigest(), 16) % max(len(words), 1)
    before = len(predictor.tokenizer.ids([" ".join(words[:place])])[0])
    place = place if before < predictor.encoding.max_length - 2 else 0
    return " ".join([*words[:place], MASK, *words[place + 1 :]])


evaluate = TextReports(open_training, judge).evaluate


def predict_row(folder: Path, row: pd.DataFrame, images: Path) -> Mapping[str, object]:
    """Nothing: the model in `folder` predicts for texts with a mask alone."""
    return {}
