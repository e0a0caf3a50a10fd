"""Rows with any number of labels against the label set of a recipe -> verdicts."""

import pandas as pd

from configs.expectations import Validate

from ..label_sets import LABELS, present_labels, read_sets
from .results import SHOWN, Verdict

KNOWN, ROWS, SEVERAL = "labels_are_known", "labels_have_rows", "labels_are_several"


def check_label_sets(rows: pd.DataFrame, section: Validate) -> list[Verdict]:
    """Whether there are two labels or more, each of them is one of `validate.labels`, and each of these has a row."""
    labels = present_labels(rows[LABELS])
    severity, place = section.severity_of("labels"), "validate.labels or validate.severity.labels"
    several = Verdict(
        SEVERAL, "two labels or more", f"{len(labels)}: {', '.join(labels)}", len(labels) > 1, name=SEVERAL,
        place="download.columns.labels",
    )  # fmt: skip
    if section.labels is None:
        return [several]
    named = {*section.labels}
    unknown, absent = sorted({*labels} - named), [label for label in section.labels if label not in labels]
    breaking = rows[[not named.issuperset(labels) for labels in read_sets(rows[LABELS])]]
    return [
        several,
        Verdict(
            KNOWN, f"every label is one of {', '.join(section.labels)}", ", ".join(unknown) or "these alone",
            not unknown, tuple(zip(breaking["id"].head(SHOWN), breaking[LABELS].head(SHOWN), strict=True)),
            severity=severity, name=KNOWN, place=place, rows=breaking["id"],
        ),
        Verdict(
            ROWS, "every label of validate.labels has a row", f"without: {', '.join(absent)}" if absent else "all",
            not absent, severity="warn" if severity == "warn" else "fail", name=ROWS, place=place,
        ),
    ]  # fmt: skip
