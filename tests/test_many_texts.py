"""What is done to many texts at once gives what is done to each: counted n-grams, languages, and a bounded sample."""

import random
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_rows import load_rows

from configs.sources import EmbeddedSource
from tasks.data.cleaning import label_errors, languages
from tasks.data.cleaning import minhash as near
from tasks.data.cleaning.languages import tell_languages
from tasks.data.cleaning.ngrams import count_pieces, count_words
from tasks.data.cleaning.pipeline import clean_rows

LETTERS = st.sampled_from("abcÄß _-1.é漢字😀\u0301\n\t")
TEXTS = st.lists(st.text(LETTERS, max_size=12), min_size=1, max_size=5)
MANY = 2**30
"""Features, so that no two n-grams fall together."""


def plain_words(text: str) -> Counter[object]:
    words = re.findall(r"\w+", text.lower())
    return Counter([*words, *pairwise(words)])


def plain_pieces(text: str) -> Counter[object]:
    padded = [f" {word} " for word in text.lower().split()] or ["  "]
    counts = Counter(word[at : at + n] for word in padded for n in (2, 3, 4) for at in range(len(word) - n + 1))
    return counts if text.split() else Counter({"  ": 1})


@pytest.mark.parametrize(("counted", "plain"), [(count_words, plain_words), (count_pieces, plain_pieces)])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts=TEXTS)
def test_counted_are_the_ngrams_of_the_plain_definition(counted: object, plain: object, texts: list[str]) -> None:
    """Whatever their numbers: the counts of each text, and what each two have in common."""
    matrix = counted(pd.Series(texts, dtype="str"), MANY)  # type: ignore[operator]
    expected = [plain(text) for text in texts]  # type: ignore[operator]
    for at, counts in enumerate(expected):
        row = matrix[[at]]
        assert sorted(row.data.tolist()) == sorted(counts.values()), texts[at]
    columns, place = np.unique(matrix.indices, return_inverse=True)
    dense = np.zeros((len(texts), len(columns)))
    dense[np.repeat(np.arange(len(texts)), np.diff(matrix.indptr)), place] = matrix.data
    shared = dense @ dense.T
    assert shared.tolist() == [[sum(a[k] * b[k] for k in a) for b in expected] for a in expected]


def test_ngrams_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = load_rows(EmbeddedSource(kind="embedded"), Path())["text"]
    whole = [count(texts, 2**18) for count in (count_words, count_pieces)]
    monkeypatch.setattr(near, "BLOCK", 1000)
    for before, count in zip(whole, (count_words, count_pieces), strict=True):
        assert (before != count(texts, 2**18)).nnz == 0


def test_languages_are_those_that_are_told_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from py3langid import langid

    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
    texts = [
        "Das Zimmer war klein, aber sehr sauber",
        "这家酒店的服务非常好",
        "THE ROOM WAS SMALL BUT CLEAN",
        "ok",
        "la chambre e\u0301tait petite",
        "Очень хороший отель",
        "соба је била мала",
        "soba je bila mala",
        "",
        "😀",
        "a long text that goes on " * 50,
    ]
    texts += load_rows(EmbeddedSource(kind="embedded"), Path())["text"].tolist()
    expected = [name if score > -1e38 else "zxx" for name, score in map(identifier.classify, texts)]
    column = pd.Series(texts, dtype="str")
    assert tell_languages(column, identifier).tolist() == expected
    monkeypatch.setattr(near, "BLOCK", 500)
    assert tell_languages(column, identifier).tolist() == expected
    assert len(tell_languages(column[:0], identifier)) == 0
    monkeypatch.setattr(languages, "CHARACTERS", 16)
    assert tell_languages(pd.Series(["Das Zimmer war klein, but now I write English"]), identifier).tolist() == ["de"]


@pytest.mark.faults
def test_label_errors_are_found_from_a_sample_that_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model sees more than its characters, each label is learnt all the same, and flipped labels are found."""
    rng, read = random.Random(0), []
    words = {"pos": ["good", "great", "fine"], "neg": ["bad", "awful", "poor"], "rare": ["odd", "strange", "queer"]}
    labels = [rng.choice(["pos", "neg"]) for _ in range(3000)] + ["rare"] * 8
    texts = [" ".join(rng.choices(words[label], k=2) + rng.choices(["room", "bed", "view"], k=3)) for label in labels]
    wrong = rng.sample(range(3000), 100)
    for at in wrong:
        labels[at] = "neg" if labels[at] == "pos" else "pos"
    monkeypatch.setattr(label_errors, "LEARNT", 10_000)
    monkeypatch.setattr(label_errors, "SCORED", 1_000)
    monkeypatch.setattr(label_errors, "KEPT", 5)
    features = label_errors._features
    monkeypatch.setattr(
        label_errors,
        "_features",
        lambda texts, weights: (read.append(int(texts.str.len().sum())), features(texts, weights))[1],
    )
    ids = [f"{n}-0" for n in range(len(texts))]
    rows = pd.DataFrame({"id": ids, "text": texts, "label": labels, "split": None}).astype("str")
    from configs.cleaning import Clean

    listed = clean_rows(rows, Clean(steps=({"kind": "label_errors"},))).done[0].listed  # type: ignore[arg-type]
    assert listed is not None
    found, flipped = set(listed["id"]), {ids[at] for at in wrong}
    assert len(found & flipped) >= 0.95 * len(flipped) and len(found & flipped) >= 0.9 * len(found)
    assert sorted(read)[-6] < 1_100 and sorted(read)[-5] > 9_000 and max(read) < 11_000, "five models, many blocks"


def test_a_sample_holds_each_label_by_its_share() -> None:
    codes = np.repeat([0, 1, 2], [100_000, 900_000, 20])
    taken = label_errors._sample(np.full(len(codes), 100), codes, 0)
    counts = np.bincount(codes[taken])
    assert counts[2] == 20 and abs(counts[1] / counts[0] - 9) < 0.3 and len(taken) == label_errors.LEARNT // 100 + 1
    assert (np.diff(taken) > 0).all()
