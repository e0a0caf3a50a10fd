"""Labels over all rows and between given splits: balance, the same set, like shares, the same meaning.

Great Expectations has no such expectations; these verdicts stand next to its own.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from configs.expectations import Validate

from ..label_variants import describe_variants, label_variants
from ..pairs import joined
from ..rows import content, each_label, or_none
from ..tags.columns import types_in
from .results import SHOWN, Verdict

SAMPLE = 5_000
"""Rows of a split that are read for the meaning of its labels."""
CHARACTERS = 2_000
"""Characters of a text that are read for it."""
WORDS = r"(?u)[^\W\u3040-\u30ff\u3400-\u9fff]+|[\u3040-\u30ff\u3400-\u9fff]"
"""Words; in scripts without spaces single characters, of which pairs are taken as well."""
CHANCE = 3.0
"""Standard errors that chance explains, for shares."""
CERTAIN = 4.0
"""Standard errors beyond which another reading of the labels is no chance."""
GAIN = 0.1
"""Smallest gain of another reading, as a share of the rows whose label would change."""


def check_balance(rows: pd.DataFrame, section: Validate) -> list[Verdict]:
    """The commonest label against the rarest (of those that occur)."""
    if "label" not in rows or rows["label"].nunique() < 2:
        return []
    counts = rows["label"].value_counts()
    ratio = float(counts.iloc[0] / counts.iloc[-1])
    observed = f"{ratio:,.1f} ({counts.index[0]}: {counts.iloc[0]:,}, {counts.index[-1]}: {counts.iloc[-1]:,})"
    asked = f"at most {section.max_imbalance:g} rows of the commonest label for one of the rarest"
    place = "validate.max_imbalance or validate.severity.imbalance"
    severity = section.severity_of("imbalance")
    name = "labels_are_balanced"
    return [Verdict(name, asked, observed, ratio <= section.max_imbalance, severity=severity, name=name, place=place)]


def check_variants(rows: pd.DataFrame, section: Validate) -> list[Verdict]:
    """Labels that are spellings of one label: each would be a class of its own."""
    labels = _each_type(rows["tags"]) if "tags" in rows else each_label(rows)
    counts = labels.value_counts()
    groups = label_variants({str(label): int(count) for label, count in counts.items()}, section.distinct_labels)
    odd = labels[labels.isin([label for group in groups for label in list(group)[1:]])]
    breaking = rows.loc[odd.index.unique(), "id"]
    place = "download.columns.label_map" if content(rows) != "image" else "label_map in download (or its columns)"
    name = "labels_are_spelt_one_way"
    return [
        Verdict(
            name,
            "no two labels are spellings of one label",
            describe_variants(groups) or "one spelling each",
            not groups,
            tuple(zip(rows.loc[odd.index[:SHOWN], "id"], odd.head(SHOWN).map(ascii), strict=True)),
            severity=section.severity_of("label_variants"),
            name=name,
            rows=breaking,
            place=f"{place} (spelling to label) or, where they are meant to differ, validate.distinct_labels",
        )
    ]


def _each_type(tags: pd.Series) -> pd.Series:
    """The types of all entities, each under the index of its row."""
    return pd.Series(list(map(types_in, or_none(tags))), index=tags.index, dtype=object).explode().dropna()


def check_splits(rows: pd.DataFrame, section: Validate) -> list[Verdict]:
    """Given splits against one another, by their labelled rows; nothing where fewer than two have labels."""
    if not {"split", "label"} <= {*rows}:
        return []
    given = rows[rows["split"].notna() & rows["label"].notna()]
    if given["split"].nunique() < 2:
        return []
    counts = pd.crosstab(given["split"], given["label"])
    verdicts = [_same_labels(counts), _like_shares(counts, section.max_split_shift)]
    if content(rows) == "text":
        texts = joined(given)
        verdicts.append(_same_meaning(given.assign(text=texts)[texts.notna()]))
    severity = section.severity_of("splits")
    return [
        Verdict(name, asked, observed, success, severity=severity, name=name, place="validate.severity.splits")
        for name, asked, observed, success in verdicts
    ]


def _same_labels(counts: pd.DataFrame) -> tuple[str, str, str, bool]:
    absent = [f"{split} lacks {', '.join(row.index[row == 0])}" for split, row in counts.iterrows() if (row == 0).any()]
    observed = "; ".join(absent) or "the same"
    return "splits_hold_the_same_labels", "every given split has every label", observed, not absent


def _like_shares(counts: pd.DataFrame, tolerance: float) -> tuple[str, str, str, bool]:
    """The largest difference of a label's share between two splits; 3 standard errors of it are put down to chance."""
    sizes = counts.sum(axis=1)
    shares = counts.div(sizes, axis=0).to_numpy()
    whole = counts.sum().to_numpy() / sizes.sum()
    gaps = np.abs(shares[:, None, :] - shares[None, :, :])
    inverse = 1 / sizes.to_numpy()
    errors = np.sqrt((inverse[:, None] + inverse[None, :])[:, :, None] * (whole * (1 - whole))[None, None, :])
    beyond = np.where(gaps > CHANCE * errors, gaps, 0.0)
    first, second, label = np.unravel_index(beyond.argmax() if beyond.any() else gaps.argmax(), gaps.shape)
    observed = (
        f"{counts.columns[label]}: {shares[first, label]:.1%} in {counts.index[first]}, "
        f"{shares[second, label]:.1%} in {counts.index[second]}"
    )
    asked = f"a label's share differs by at most {tolerance:.0%} between given splits"
    return "label_shares_agree_between_splits", asked, observed, bool(beyond.max() <= tolerance)


def _same_meaning(given: pd.DataFrame) -> tuple[str, str, str, bool]:
    """Whether the labels of one split, learnt by a small word model, are those of the others, or others in their place.

    A permuted label map shows as a permutation that explains the other split's labels much better than the names do:
    the assignment with most hits (Kuhn 1955) against the labels as named, by the sign test on rows where they differ.
    """
    base = "train" if (given["split"] == "train").any() else str(given["split"].value_counts().index[0])
    parts = {str(split): part.sample(min(len(part), SAMPLE), random_state=0) for split, part in given.groupby("split")}
    learnt = parts.pop(base)
    observed = []
    if learnt["label"].nunique() > 1:
        model = _learn(learnt)
        for split, part in parts.items():
            moved = _other_reading(part["label"].to_numpy(), model(part))
            if moved:
                pairs = ", ".join(f"{there} reads as {here}" for there, here in moved.items())
                observed.append(f"in {split} {pairs} of {base}")
    asked = f"the labels of the other splits mean what they mean in {base}"
    return "labels_mean_the_same_in_splits", asked, "; ".join(observed) or "the same", not observed


def _learn(part: pd.DataFrame) -> Callable[[pd.DataFrame], np.ndarray]:
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.naive_bayes import ComplementNB

    words = HashingVectorizer(
        token_pattern=WORDS, ngram_range=(1, 2), binary=True, norm=None, alternate_sign=False, n_features=2**18
    )
    model = ComplementNB().fit(words.transform(part["text"].str.slice(0, CHARACTERS)), part["label"].to_numpy())
    return lambda other: np.asarray(model.predict(words.transform(other["text"].str.slice(0, CHARACTERS))))


def _other_reading(labels: np.ndarray, read: np.ndarray) -> dict[str, str]:
    """Label there -> label here, where a permutation explains what is read clearly better than the names."""
    from scipy.optimize import linear_sum_assignment

    names = np.unique(np.concatenate([labels, read]))
    counts = pd.crosstab(labels, read).reindex(index=names, columns=names, fill_value=0).to_numpy()
    rows, columns = linear_sum_assignment(-counts)
    moved = rows != columns
    better, worse = int(counts[rows, columns][moved].sum()), int(np.diag(counts)[moved].sum())
    of = int(counts[moved].sum())
    certain = better - worse > max(CERTAIN * np.sqrt(better + worse), GAIN * of)
    return {str(names[a]): str(names[b]) for a, b in zip(rows[moved], columns[moved], strict=True)} if certain else {}
