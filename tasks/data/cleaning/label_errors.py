"""Step label_errors: texts and their labels in, those whose label is probably wrong out.

Confident learning (Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", 2021)
through cleanlab, over out-of-sample probabilities of a logistic regression on TF-IDF of words and characters.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs import cleaning as steps

from ..drops import Drops, reason_where
from ..errors import DataError
from ..optional import package
from ..pairs import joined
from ..rows import classes
from .minhash import Ints, blocks_of
from .ngrams import count_pieces, count_words

CHARACTERS = 5_000
"""Characters of a text that are read."""
LEARNT = 2**23
"""Characters from which a fold's model is learnt at most: bounds memory and time, as does SCORED."""
SCORED = 2**22
"""Characters of the texts that are scored at once."""
KEPT = 100
"""So many rows of each label are learnt from in any case."""
FEATURES = 2**18

COUNTS = (count_words, count_pieces)

Chances = npt.NDArray[np.float64]
Count = Callable[[pd.Series, int], Any]


def label_errors(rows: pd.DataFrame, step: steps.LabelErrors) -> Drops:
    """Rows whose label is probably wrong, the worst first. Raises DataError where a label has too few rows."""
    filters, rank = (package(f"cleanlab.{name}", step.kind) for name in ("filter", "rank"))
    labelled = rows.assign(label=classes(rows))
    texts = joined(rows).fillna("")
    known = labelled[(texts.str.strip() != "") & labelled["label"].notna()]
    codes, names = pd.factorize(known["label"], sort=True)
    _require_rows(known["label"].value_counts(), step)
    chances = _out_of_sample(texts[known.index], codes, step)
    wrong = filters.find_label_issues(codes, chances, filter_by="prune_by_noise_rate", n_jobs=1)
    listed = known.loc[wrong, ["id", "text", "label"]].assign(
        suggested=np.asarray(names)[chances[wrong].argmax(1)],
        score=rank.get_label_quality_scores(codes[wrong], chances[wrong]) if wrong.any() else np.empty(0),
    )
    sure = (listed["score"] < step.below) & (step.action == "drop")
    reasons = reason_where(sure.reindex(rows.index, fill_value=False), "probable label error")
    agreed = (chances.argmax(1) == codes).mean()
    note = f"a word model that had not seen the rows agrees with {agreed:.0%} of all labels"
    return Drops(reasons, listed=listed.sort_values("score", kind="stable", ignore_index=True), note=note)


def _require_rows(counts: pd.Series, step: steps.LabelErrors) -> None:
    rare = counts[counts < step.folds]
    if len(counts) < 2 or len(rare):
        few = ", ".join(f"{label} has {count}" for label, count in rare.items()) or "there is only one label"
        raise DataError(
            f"label_errors needs two labels of at least {step.folds} rows (`folds`), but {few}; "
            "add rows, lower `folds`, drop the label or take the step out"
        )


def _out_of_sample(texts: pd.Series, codes: npt.NDArray[np.intp], step: steps.LabelErrors) -> Chances:
    """Probability of each label per text, by a model that has not seen the text; rows x labels.

    The weights of words are taken from all texts, which reveals nothing of the labels.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from threadpoolctl import threadpool_limits

    short = texts.str.slice(0, CHARACTERS)
    folds = StratifiedKFold(step.folds, shuffle=True, random_state=step.seed)
    chances = np.zeros((len(codes), int(codes.max()) + 1))
    weights = [_weights(short, count) for count in COUNTS]
    with threadpool_limits(1):  # sums of another order would be other bits
        for learnt, held in folds.split(codes, codes):
            some = learnt[_sample(short.iloc[learnt].str.len().to_numpy(np.int64), codes[learnt], step.seed)]
            model = LogisticRegression(C=2.0, max_iter=1000).fit(_features(short.iloc[some], weights), codes[some])
            for here in _blocks(short.iloc[held]):
                chances[held[here]] = model.predict_proba(_features(short.iloc[held[here]], weights))
    return chances


def _sample(lengths: Ints, codes: npt.NDArray[np.intp], seed: int) -> Ints:
    """Positions of texts of LEARNT characters together: of each label its share by chance, KEPT of it at least."""
    order = np.random.default_rng(seed).permutation(len(codes))
    label = pd.Series(codes[order])
    rank = label.groupby(label).cumcount()
    turn = (rank / label.groupby(label).transform("size")).where(rank >= KEPT, -1)
    taken = order[np.argsort(turn, kind="stable")]
    before = np.cumsum(lengths[taken]) - lengths[taken]
    return np.sort(taken[(before < LEARNT) | (np.sort(turn) < 0)])


def _blocks(texts: pd.Series) -> Iterator[slice]:
    """Slices of texts of about SCORED characters together."""
    lengths = np.asarray(texts.str.len(), np.int64)
    return blocks_of(lengths, SCORED)


def _weights(texts: pd.Series, count: Count) -> npt.NDArray[np.float32]:
    """The inverse document frequency of each feature; 0 of what one text alone has, which says nothing of another."""
    having = np.zeros(FEATURES)
    for here in _blocks(texts):
        having += np.bincount(count(texts.iloc[here], FEATURES).indices, minlength=FEATURES)
    weights = np.log((1 + len(texts)) / (1 + having)) + 1
    return np.where(having > 1, weights, 0).astype(np.float32)


def _features(texts: pd.Series, weights: list[npt.NDArray[np.float32]]) -> Any:
    """TF-IDF of words and their pairs next to that of pieces of words, each of length one. A sparse matrix."""
    from scipy.sparse import hstack
    from sklearn.preprocessing import normalize

    parts = []
    for count, weight in zip(COUNTS, weights, strict=True):
        counts = count(texts, FEATURES)
        counts.data = (np.log(counts.data) + 1) * weight[counts.indices]
        counts.eliminate_zeros()
        parts.append(normalize(counts, copy=False))
    return hstack(parts, format="csr")
