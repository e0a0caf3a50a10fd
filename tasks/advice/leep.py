"""LEEP: how well the classes that a model was trained on predict the classes of new rows."""

import numpy as np

from tasks.learn.metrics import Floats, Ids


def leep(source: Floats, class_ids: Ids) -> float:
    """Mean log-probability of the classes [rows] from the source head's probabilities [rows, source classes], in nats.

    The empirical P(y | z) = sum_i p_i(z) [y_i = y] / sum_i p_i(z) predicts P(y) = sum_z P(y | z) p(z). At most 0, which
    is best. Nguyen, Hassner, Seeger and Archambeau, LEEP: A New Measure to Evaluate Transferability of Learned
    Representations (ICML 2020), equations 1 and 2. Raises ValueError where rows have no probabilities.
    """
    if not len(class_ids) or np.any(np.abs(source.sum(1) - 1) > 1e-3):
        raise ValueError("LEEP needs rows, each with probabilities that add up to 1")
    present, numbers = np.unique(class_ids, return_inverse=True)
    joint = np.stack([source[numbers == each].sum(0) for each in range(len(present))])
    total = joint.sum(0)
    conditional = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    return float(np.log((source * conditional[numbers]).sum(1)).mean())


def leep_of_shares(class_ids: Ids) -> float:
    """LEEP of a source head that knows nothing of the rows: what the classes' shares alone give, in nats."""
    _, members = np.unique(class_ids, return_counts=True)
    shares = members / members.sum()
    return float((shares * np.log(shares)).sum())
