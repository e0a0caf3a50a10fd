"""A linear probe: logistic regression on frozen features, fitted on training rows and scored on validation rows."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tasks.learn.metrics import Floats, Ids

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Values of C, the inverse of the L2 penalty, that are tried on the training rows."""
FOLDS = 3


@dataclass(frozen=True)
class Probe:
    """The C that was chosen, and the probabilities of the validation rows [rows, classes]."""

    strength: float
    probabilities: Floats


def linear_probe(train: Floats, class_ids: Ids, validation: Floats, classes: int) -> Probe:
    """Fit on features [rows, width] with class ids [rows]; features are standardised by the training rows.

    C is chosen by the log loss over stratified folds of the training rows alone (Alain and Bengio, Understanding
    intermediate layers using linear classifier probes, 2016, for the probe). A class of one row leaves no folds: the
    middle value is taken. Raises ValueError for fewer than two classes.
    """
    present, members = np.unique(class_ids, return_counts=True)
    if len(present) < 2:
        raise ValueError(f"a linear probe needs training rows of two classes, got {len(present)}")
    folds = min(FOLDS, int(members.min()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a probe that is nearly there scores the same
        if folds > 1:
            chosen = GridSearchCV(
                _probe(1.0),
                {"logisticregression__C": STRENGTHS},
                scoring="neg_log_loss",
                cv=StratifiedKFold(folds, shuffle=True, random_state=0),
            ).fit(train, class_ids)
            strength, fitted = float(chosen.best_params_["logisticregression__C"]), chosen.best_estimator_
        else:
            strength = STRENGTHS[len(STRENGTHS) // 2]
            fitted = _probe(strength).fit(train, class_ids)
    probabilities = np.zeros((len(validation), classes))
    probabilities[:, fitted.classes_] = fitted.predict_proba(validation)
    return Probe(strength, probabilities)


def _probe(strength: float) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500))
