"""Expected and written texts -> exact match, BLEU and ROUGE-L, with intervals."""

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..data.optional import scorer
from ..learn.metrics import Floats
from ..learn.resampling import Metric, Resampling, estimate, ratio
from .baselines import UNSPACED, WORD

BleuTokens = Literal["13a", "zh", "char"]
TextMeasures = dict[str, float | tuple[float, float] | str | None]
"""As Measures (learn/resampling.py), with the name of BLEU's tokenizer."""
ORDER = 4
"""BLEU counts runs of one to four tokens."""
HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
WITHOUT_SPACES = re.compile(f"[{UNSPACED}]")
LETTER = re.compile(r"[^\W\d_]")


def score_texts(
    expected: Sequence[str], written: Sequence[str], how: Resampling, groups: Sequence[str] | None = None
) -> TextMeasures:
    """Scores of written texts against the expected ones; groups: the units that intervals are over, else each text.

    exact_match: share of texts that are equal but for white space at the ends. bleu: corpus BLEU, 0 to 100, by the
    tokens that `bleu_tokenizer` names. rouge_l: mean ROUGE-L, 0 to 1. Each with `_interval`; None where there is no
    text. texts, empty: how many there are, and how many were written empty. Raises DataError without the extra `chat`,
    ValueError for lists of different lengths.
    """
    equal = np.array([a.strip() == b.strip() for a, b in zip(expected, written, strict=True)], float)
    ones = np.ones(len(expected))
    tokens = bleu_tokens(expected)
    return {
        "texts": len(expected),
        "empty": sum(not text.strip() for text in written),
        **estimate([equal, ones], ratio, how, groups).facts("exact_match"),
        **estimate(list(bleu_statistics(expected, written, tokens).T), bleu, how, groups).facts("bleu"),
        "bleu_tokenizer": tokens,
        **estimate([rouge_l(expected, written), ones], ratio, how, groups).facts("rouge_l"),
    }


def text_statistics(score: str, expected: Sequence[str], written: Sequence[str]) -> tuple[list[Any], Metric] | None:
    """What `bleu` or `rouge_l` is a function of: columns of a value per text, and the metric of their sums."""
    if score == "bleu":
        return list(bleu_statistics(expected, written, bleu_tokens(expected)).T), bleu
    return ([rouge_l(expected, written), np.ones(len(expected))], ratio) if score == "rouge_l" else None


def bleu_tokens(texts: Sequence[str]) -> BleuTokens:
    """sacrebleu's tokeniser for these texts, by the script of more than half of their letters.

    zh for Chinese, char for the others that are written without spaces (kana, Thai …), else 13a.
    """
    text = "".join(texts)
    letters, unspaced, han = (len(pattern.findall(text)) for pattern in (LETTER, WITHOUT_SPACES, HAN))
    if 2 * unspaced <= letters:
        return "13a"
    return "zh" if 3 * han > 2 * unspaced else "char"  # Japanese is about half of Chinese characters


def bleu_statistics(expected: Sequence[str], written: Sequence[str], tokens: BleuTokens) -> Floats:
    """What corpus BLEU is a function of, per text [texts, 10], counted by sacrebleu (Post 2018).

    Columns: tokens written, tokens expected, matching runs of one to four tokens, written runs of one to four.
    """
    scorer_of = scorer("sacrebleu.metrics").BLEU(tokenize=tokens, effective_order=True)  # of the order of one text
    statistics = (scorer_of.sentence_score(b, [a]) for a, b in zip(expected, written, strict=True))
    rows = [[row.sys_len, row.ref_len, *row.counts, *row.totals] for row in statistics]
    return np.array(rows, float).reshape(-1, 2 + 2 * ORDER)


def bleu(sums: Floats) -> Floats:
    """Corpus BLEU (Papineni et al. 2002), 0 to 100, of sums [..., 10] of `bleu_statistics`; NaN where nothing is
    expected.

    As sacrebleu has it by default: the k-th order without a match counts as 1 / 2**k matches (Chen and Cherry 2014).
    """
    length, reference = sums[..., 0], sums[..., 1]
    matches, totals = sums[..., 2 : 2 + ORDER], sums[..., 2 + ORDER :]
    missing = matches == 0
    smoothed = np.where(missing, 0.5 ** np.cumsum(missing, axis=-1), matches)
    with np.errstate(divide="ignore"):
        precision = np.log(smoothed / np.maximum(totals, 1)).mean(-1)
    brevity = np.minimum(0, 1 - reference / np.maximum(length, 1))
    scored = np.where(missing.all(-1) | (totals == 0).any(-1), 0.0, 100 * np.exp(precision + brevity))
    return np.where(reference == 0, np.nan, scored)


class Words:
    """A tokeniser for rouge-score: lower-case words, in scripts without spaces letters; no punctuation.

    Its own one knows the letters a to z alone, and gives every Chinese text the score 0.
    """

    def tokenize(self, text: str) -> list[str]:
        """Tokens of a text."""
        return re.findall(WORD, text.lower())


def rouge_l(expected: Sequence[str], written: Sequence[str]) -> Floats:
    """ROUGE-L of each text [texts]: F1 of the longest common subsequence of tokens (Lin 2004), by rouge-score."""
    judge = scorer("rouge_score.rouge_scorer").RougeScorer(["rougeL"], tokenizer=Words())
    scores = [judge.score(a, b)["rougeL"].fmeasure for a, b in zip(expected, written, strict=True)]
    return np.array(scores, float)
