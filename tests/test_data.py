"""Validation, cleaning and splitting on planted faults; conservation and stability as properties."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from configs.cleaning import Clean
from configs.expectations import Validate
from configs.splitting import GivenSplit, HashSplit
from tasks.artifact import StageError
from tasks.data.checks.expectations import check_rows, label_set
from tasks.data.cleaning.pipeline import clean_rows
from tasks.data.errors import DataError
from tasks.data.leakage import near_copies, reasons
from tasks.data.ledger import advance, conserve, dropped_rows, flow_of_rows, open_ledger, require_ended
from tasks.data.rows import with_ids
from tasks.data.splitting import split_rows


def table(*rows: tuple[str | None, str | None, str | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["text", "label", "split"]).astype("str")
    return with_ids(frame.where(frame != "None"))


def many(count: int, start: int = 0) -> pd.DataFrame:
    return table(*[(f"text number {i}", "pos" if i % 3 else "neg", None) for i in range(start, start + count)])


def broken(rows: pd.DataFrame, section: Validate) -> dict[str, tuple[tuple[str, str], ...]]:
    verdicts, page = check_rows(rows, section)
    assert "<html" in page
    return {verdict.expectation: verdict.offending for verdict in verdicts if not verdict.success}


def test_clean_data_break_nothing() -> None:
    assert broken(many(50), Validate(labels=("neg", "pos"))) == {}


@pytest.mark.parametrize(
    ("fault", "expectation"),
    [
        (lambda r: r.assign(label=r["label"].where(r.index != 4, "neutral")), "values_to_be_in_set"),
        (lambda r: r.assign(text=r["text"].where(r.index > 9)), "values_to_not_be_null"),
        (lambda r: r.assign(text=r["text"].where(r.index > 9, "   ")), "values_to_not_be_null"),
        (lambda r: r.assign(label=r["label"].where(r.index > 9)), "values_to_not_be_null"),
        (lambda r: r.assign(text=r["text"].where(r.index > 9, "same")), "proportion_of_unique_values"),
        (lambda r: r.assign(text=r["text"].where(r.index != 4, "x" * 99)), "value_lengths_to_be_between"),
        (lambda r: r.assign(label="pos"), "unique_value_count"),
        (lambda r: r.head(5), "row_count"),
        (lambda r: r.drop(columns="split"), "columns_to_match_set"),
    ],
)
def test_each_fault_breaks_its_expectation(fault, expectation: str) -> None:
    section = Validate(labels=("neg", "pos"), max_chars=40)
    found = broken(fault(many(50)), section)
    assert any(expectation in name for name in found), found


def test_offending_rows_are_named() -> None:
    rows = many(50)
    rows.loc[7, "label"] = "neutral"
    found = broken(rows, Validate(labels=("neg", "pos")))
    assert found["expect_column_values_to_be_in_set"] == ((rows.loc[7, "id"], "neutral"),)


def test_labels_are_as_declared_or_sorted() -> None:
    assert label_set(many(9), Validate(labels=("pos", "neg"))) == ["pos", "neg"]
    assert label_set(many(9), Validate()) == ["neg", "pos"]


def test_cleaning_names_every_reason() -> None:
    rows = table(
        ("kept", "pos", None),
        ("  kept ", "pos", None),
        (None, "pos", None),
        ("  ", "neg", None),
        ("unlabelled", None, None),
        ("both", "pos", None),
        ("both", "neg", None),
        ("e\u0301", "neg", None),
    )
    cleaned = clean_rows(rows, Clean(max_dropped=0.8))
    kept, dropped = cleaned.rows, cleaned.dropped
    assert kept["text"].tolist() == ["kept", "é"]
    assert dropped["reason"].value_counts().to_dict() == {
        "missing text": 2,
        "contradictory label": 2,
        "missing label": 1,
        "duplicate": 1,
    }


def test_a_given_test_row_outlives_its_training_copy() -> None:
    rows = table(("same", "pos", "train"), ("same", "pos", "test"), ("other", "neg", "train"))
    kept = clean_rows(rows, Clean()).rows
    assert kept.loc[kept["text"] == "same", "split"].tolist() == ["test"]


texts = st.lists(st.tuples(st.sampled_from(["a", "b", " a", "", "c d", "ä"]), st.sampled_from(["neg", "pos", ""])))


@given(texts)
@settings(max_examples=60, deadline=None)
@pytest.mark.faults
def test_rows_are_conserved(pairs: list[tuple[str, str]]) -> None:
    rows = table(*[(text or None, label or None, None) for text, label in pairs])
    cleaned = clean_rows(rows, Clean(max_dropped=1.0))
    kept, dropped = cleaned.rows, cleaned.dropped
    conserve(rows["id"], kept["id"], dropped)


WORDS = ["alder", "birch", "cedar", "elder", "hazel", "larch"]
likes = st.builds("alder birch cedar {} elder{}".format, st.sampled_from(WORDS), st.sampled_from(["", "s", "!", " x"]))
said = likes | st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join) | st.sampled_from(["bad \0", " ", "é"])
lines = st.tuples(said | st.none(), st.sampled_from(["neg", "pos", "odd", None]), st.sampled_from(["a", "b", "c"]))
cleanings = st.lists(
    st.sampled_from(
        [
            "lowercase",
            "control",
            "missing",
            "contradictions",
            "duplicates",
            "near_duplicates",
            {"kind": "length", "min": 9},
        ]
    ),
    max_size=4,
)
splits = st.builds(
    HashSplit,
    by=st.sampled_from(["row", "group"]),
    seed=st.integers(0, 5),
    train=st.just(0.4),
    validation=st.just(0.3),
    test=st.just(0.3),
    similarity=st.sampled_from([0.5, 0.8]),
    near_copies=st.sampled_from(["drop", "report", "keep"]),
)


@given(st.lists(lines, min_size=24, max_size=40), st.sets(st.integers(0, 39)), cleanings, splits)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@pytest.mark.faults
def test_rows_are_conserved_from_the_source_to_the_parts(
    made: list[tuple[str | None, str | None, str]], quarantined: set[int], steps: list[object], section: HashSplit
) -> None:
    """Whatever leaves in quarantine, in cleaning and as a near-copy of a held-out row, the ledger has each row once."""
    frame = pd.DataFrame(made, columns=["text", "label", "group"], dtype="str").assign(split=None)
    rows = with_ids(frame.astype({"split": "str"}))
    gone = dropped_rows(rows[rows.index.isin(quarantined)], "an expectation")
    stays = rows[~rows["id"].isin(gone["id"])]
    ledger = advance(open_ledger(rows["id"]), "validate", stays["id"], gone)
    cleaned = clean_rows(stays, Clean(steps=("missing", *steps), max_dropped=1))  # type: ignore[arg-type]
    ledger = advance(ledger, "clean", cleaned.rows["id"], cleaned.dropped)
    left = cleaned.rows
    try:
        parts = split_rows(left, section)
    except DataError:
        reject()
    leaks = reasons(near_copies(left, parts, section)) if section.near_copies == "drop" else gone[:0]
    kept = ~left["id"].isin(leaks["id"])
    ledger = advance(ledger, "split", left.loc[kept, "id"], leaks, parts=parts[kept])
    require_ended(ledger, len(rows))
    assert ledger["number"].tolist() == list(range(1, len(rows) + 1))
    counts = flow_of_rows(ledger).groupby("stage")["rows"].sum()
    assert counts.sum() == len(rows) and counts["split"] == len(left)


def test_conserve_catches_lost_invented_and_doubled_rows() -> None:
    gone = pd.DataFrame({"id": ["b"], "reason": ["x"]})
    conserve(pd.Series(["a", "b"]), pd.Series(["a"]), gone)
    for before, after in ((["a", "b", "c"], ["a"]), (["a", "b"], ["a", "z"]), (["a", "b"], ["a", "b"])):
        with pytest.raises(ValueError, match="not conserved"):
            conserve(pd.Series(before), pd.Series(after), gone)


def test_no_row_moves_when_rows_are_added() -> None:
    rows = many(1000)
    grown = pd.concat([rows, many(300, start=1000)], ignore_index=True)
    before = split_rows(rows, HashSplit())
    after = split_rows(grown, HashSplit())
    assert (after.iloc[:1000].to_numpy() == before.to_numpy()).all()
    assert split_rows(rows, HashSplit(seed=1)).to_numpy().tolist() != before.to_numpy().tolist()


def test_shares_are_near_and_exact_ones_are_exact_per_label() -> None:
    rows = many(3000)
    parts = split_rows(rows, HashSplit())
    assert np.allclose(
        parts.value_counts(normalize=True).reindex(["train", "validation", "test"]), [0.8, 0.1, 0.1], atol=0.03
    )
    exact = split_rows(rows, HashSplit(exact=True))
    counts = pd.crosstab(rows["label"], exact)
    assert counts.loc["neg"].to_dict() == {"train": 800, "validation": 100, "test": 100}
    assert counts.loc["pos"].to_dict() == {"train": 1600, "validation": 200, "test": 200}


def test_equal_texts_fall_into_one_part() -> None:
    rows = table(*[(f"Text {i // 2}" if i % 2 else f"text  {i // 2}", "pos", None) for i in range(400)])
    parts = split_rows(rows, HashSplit()).to_numpy()
    assert (parts[0::2] == parts[1::2]).all()


def test_given_splits_and_their_faults() -> None:
    rows = table(("a", "pos", "train"), ("b", "neg", "validation"), ("c", "pos", "test"))
    assert split_rows(rows, GivenSplit(kind="given")).tolist() == ["train", "validation", "test"]
    with pytest.raises(DataError, match="validation rows, but the recipe wants none"):
        split_rows(rows, GivenSplit(kind="given", validation="none"))
    with pytest.raises(DataError, match="no row falls into validation"):
        split_rows(rows[rows["split"] != "validation"], GivenSplit(kind="given"))
    with pytest.raises(DataError, match="no row falls into test; the source lacks it; name it in the source"):
        split_rows(rows[rows["split"] != "test"], GivenSplit(kind="given"))
    some = rows.assign(split=rows["split"].where(rows["text"] != "b"))
    with pytest.raises(DataError, match=rf"1 of 3 rows have no given split, such as {rows['id'][1]}; fix the source"):
        split_rows(some, GivenSplit(kind="given"))


def test_a_failing_validation_leaves_nothing_but_its_report(tmp_path: Path, home: Path) -> None:
    from configs.sources import FileSource
    from tasks.download import download
    from tasks.validate import validate

    (tmp_path / "data" / "one.csv").write_text("text,label\n" + "".join(f"text {i},pos\n" for i in range(20)))
    raw = download.run_or_load(FileSource(kind="file", path="one.csv"), {}).result
    with pytest.raises(StageError, match="unique_value_count"):
        validate.run_or_load(Validate(), {"raw": raw})
    left = [path for path in (home / ".artifacts" / "validate").iterdir() if path.is_dir()]
    assert [path.suffix for path in left] == [".failed"]
    assert (left[0] / "records" / "data_docs.html").is_file()
