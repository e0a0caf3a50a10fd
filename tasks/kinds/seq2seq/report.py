"""A sequence-to-sequence model and its test rows -> scores of what it writes, its loss, and the nearest training
text's target next to it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from configs.encodings import Seq2SeqEncode
from configs.schema import Evaluate

from ...learn.evaluation_report import SAMPLES, Judged, Progress, Subject, cell, chosen_baselines, sampled, state
from ...learn.resampling import Resampling
from ...text.baselines import nearest
from ...text.evaluation_stage import first_answer
from ...text.parts import Part
from ...text.segments import Encoded
from ...text.text_scores import TextMeasures, score_texts
from ..text_report import TextReports
from .encoding import split_pairs
from .predictor import Predictor
from .training import open_training

LOOKED_AT = 8
"""Rows drawn at random for inspection."""


def judge(folder: Path, train: pd.DataFrame, test: pd.DataFrame, section: Evaluate, progress: Progress) -> Judged:
    """Let the model generate for the test rows (id, text, target), all or as many as the recipe says, and score."""
    predictor = Predictor.load(folder)
    how = Resampling(section.bootstrap, section.confidence, section.seed)
    drawn = np.random.default_rng(section.seed).permutation(len(test))
    rows = test.iloc[np.sort(drawn[: section.written or len(test)])].reset_index(drop=True)
    texts, targets = rows["text"].tolist(), rows["target"].tolist()
    generated = predictor.write(texts, section.batch_size, section.max_new_tokens, progress)
    written = [text.text for text in generated]
    scores = _scores(targets, written, how)
    scores["loss"] = predictor.loss(test["text"].tolist(), test["target"].tolist(), section.batch_size)
    baselines = {}
    for name in chosen_baselines("seq2seq", Seq2SeqEncode.traits, section):
        known = train["target"].tolist()
        copied = [known[at] for at in nearest(train["text"].tolist(), texts)]
        baselines[name] = _scores(targets, copied, how)
    facts = state(
        Subject("seq2seq", Seq2SeqEncode.traits, len(rows)),
        scores,
        section,
        shown=("exact", "bleu", "rouge_l"),
        baselines=baselines,
    )
    facts["counts"] = {"ended": sum(text.ended for text in generated), "empty": scores["empty"]}
    answers = pd.DataFrame(
        {"id": rows["id"], "true": targets, "written": written, "ended": [text.ended for text in generated]}
    )
    some = rows.head(SAMPLES)
    samples = sampled(some["id"].tolist(), texts[:SAMPLES], predictor.frame(texts[:SAMPLES]))
    looked = np.sort(np.random.default_rng(section.seed).permutation(len(rows))[:LOOKED_AT])
    lines = ["| row | text | true | written |", "|---|---|---|---|"]
    lines += [f"| {rows['id'][at]} | {cell(texts[at])} | {cell(targets[at])} | {cell(written[at])} |" for at in looked]
    return Judged(facts, answers, samples, lines)


def _scores(targets: list[str], written: list[str], how: Resampling) -> TextMeasures:
    """Scores of texts under the names that recipes use."""
    scores = score_texts(targets, written, how)
    return scores | {"exact": scores["exact_match"], "exact_interval": scores["exact_match_interval"]}


def _sources(part: Part) -> Encoded:
    return split_pairs(part.encoded, range(len(part)))[0]


evaluate = TextReports(open_training, judge, sources=_sources).evaluate


def predict_row(folder: Path, row: pd.DataFrame, images: Path) -> Mapping[str, object]:
    """What the model in `folder` writes for the text of a table's only row."""
    return first_answer(Predictor.load, folder, row)
