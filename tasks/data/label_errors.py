"""Step label_errors: texts and their labels in, those whose label is probably wrong out.

Confident learning (Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", 2021)
through cleanlab, over out-of-sample probabilities of a logistic regression on TF-IDF of words and characters.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs import cleaning as steps

from .drops import Drops, reason_where
from .files import DataError
from .optional import package

CHARACTERS = 5_000
"""Characters of a text that are read."""
FEATURES = 2**18
WORD = r"(?u)\w+"


def label_errors(rows: pd.DataFrame, step: steps.LabelErrors) -> Drops:
    """Rows whose label is probably wrong, the worst first. Raises DataError where a label has too few rows."""
    filters, rank = (package(f"cleanlab.{name}", step.kind) for name in ("filter", "rank"))
    known = rows[(rows["text"].fillna("").str.strip() != "") & rows["label"].notna()]
    codes, names = pd.factorize(known["label"], sort=True)
    _require_rows(known["label"].value_counts(), step)
    chances = _out_of_sample(known["text"], codes, step)
    wrong = filters.find_label_issues(codes, chances, filter_by="prune_by_noise_rate", n_jobs=1)
    listed = known.loc[wrong, ["id", "text", "label"]].assign(
        suggested=np.asarray(names)[chances[wrong].argmax(1)],
        score=rank.get_label_quality_scores(codes[wrong], chances[wrong]),
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


def _out_of_sample(texts: pd.Series, codes: npt.NDArray[np.intp], step: steps.LabelErrors) -> npt.NDArray[np.float64]:
    """Probability of each label per text, by a model that has not seen the text; rows x labels.

    The weights of words are taken from all texts, which tells nothing of the labels.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from threadpoolctl import threadpool_limits

    folds = StratifiedKFold(step.folds, shuffle=True, random_state=step.seed)
    model = LogisticRegression(C=2.0, max_iter=1000)
    with threadpool_limits(1):  # sums of another order would be other bits
        chances = cross_val_predict(model, _features(texts), codes, cv=folds, method="predict_proba")
    return np.asarray(chances, np.float64)


def _features(texts: pd.Series) -> Any:
    """TF-IDF of words and their pairs beside that of characters, each of length one; what one text alone has is left
    out, since it tells nothing of another. A sparse matrix."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    short = texts.str.slice(0, CHARACTERS)
    kinds: tuple[dict[str, Any], ...] = (
        {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": WORD},
        {"analyzer": "char_wb", "ngram_range": (2, 4)},
    )
    parts = []
    for kind in kinds:
        hashing = HashingVectorizer(n_features=FEATURES, norm=None, alternate_sign=False, dtype=np.float32, **kind)
        counts = hashing.transform(short)
        shared = np.bincount(counts.indices, minlength=FEATURES) > 1
        parts.append(TfidfTransformer(sublinear_tf=True).fit_transform(counts[:, shared]))
    return hstack(parts).tocsr()
