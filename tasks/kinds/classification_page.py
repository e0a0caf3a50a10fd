"""Scored test rows of a classifier -> the page of `evaluate`, as Markdown."""

import numpy as np

from configs.scores import baseline_findings, not_better

from ..data.escape import markdown
from ..data.pairs import TEXT, side_by_side
from ..learn import metrics
from .classification import Scored, worst_mistakes
from .order_symmetry import describe_symmetry

FEWEST_CLASSES = 3
"""Classes from which on the report lists the worst of them."""


def describe(scored: Scored, worst: int) -> str:
    """The report as markdown."""
    facts = scored.facts
    scores, (low, high) = facts["scores"], facts["intervals"]["accuracy"]
    f_low, f_high = facts["intervals"]["macro_f1"]
    lines = [
        f"# evaluate: accuracy {scores['accuracy']:.4f} [{low:.4f}, {high:.4f}] on {facts['rows']:,} test rows",
        "",
        "| | accuracy | macro-F1 |",
        "|---|---:|---:|",
        f"| this model | {scores['accuracy']:.4f} [{low:.4f}, {high:.4f}] "
        f"| {scores['macro_f1']:.4f} [{f_low:.4f}, {f_high:.4f}] |",
    ]
    for name, values in facts["baselines"].items():
        lines.append(f"| {name} | {values['accuracy']:.4f} | {values['macro_f1']:.4f} |")
    lines += ["", f"Intervals: {facts['confidence']:.0%} bootstrap over test rows.", ""]
    lines.append(f"- log loss {scores['log_loss']:.4f}, calibration error {scores['calibration_error']:.4f}")
    remarks = (*describe_symmetry(facts), *scored.classifier.remarks(facts), *baseline_findings(facts))
    lines += [f"- {remark}" for remark in remarks]
    if better := not_better(facts):
        lines.append(f"- **not better than the baseline {' and '.join(better)}**")
    lines += _worst_classes(scored, worst)
    mistakes = _mistakes(scored, worst)
    if mistakes:
        lines += [
            "",
            "Most confident errors:",
            "",
            "| row | true | predicted | p | content |",
            "|---|---|---|---:|---|",
        ]
    return "\n".join(lines + mistakes)


def _worst_classes(scored: Scored, count: int) -> list[str]:
    """The classes with the lowest F1 of those that have test rows, most rows first among equals."""
    labels = scored.labels
    right, true, predicted = metrics.confusion(scored.truth, scored.predicted, len(labels)).sums()
    f1 = metrics.class_f1(right, true, predicted)
    there = np.flatnonzero(true)
    order = there[np.lexsort((there, -true[there], f1[there]))][:count]
    if not len(order) or len(labels) < FEWEST_CLASSES:
        return []
    lines = ["", f"Classes with the lowest F1, {len(order)} of the {len(there):,} that have test rows:", ""]
    lines += ["| class | F1 | rows | right | predicted |", "|---|---:|---:|---:|---:|"]
    return lines + [
        f"| {markdown(labels[i][:80])} | {f1[i]:.4f} | {true[i]:,} | {right[i]:,} | {predicted[i]:,} |" for i in order
    ]


def _mistakes(scored: Scored, count: int) -> list[str]:
    labels, confidence = [markdown(label) for label in scored.labels], scored.answers.probabilities.max(1)
    shown = _shown(scored)
    return [
        f"| {scored.rows['id'].iloc[i]} | {labels[scored.truth[i]]} | {labels[scored.predicted[i]]} | "
        f"{confidence[i]:.3f} | {markdown(' '.join(str(shown[i])[:160].split()))} |"
        for i in worst_mistakes(scored, count)
    ]


def _shown(scored: Scored) -> list[str]:
    """What names each row: the file of an image, the text, or both texts of a pair."""
    if scored.classifier.traits.content == TEXT:
        return [side_by_side(content) for content in scored.contents]
    return list(scored.rows["file" if "file" in scored.rows else scored.classifier.traits.content])
