"""Rows that Temper wrote are added for training alone: the source's own rows stay as they are."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny import ROOT, planted, recipe

from configs.added_rows import MADE_BY
from configs.cleaning import Clean, Contradictions, Duplicates, LabelErrors
from configs.load import RecipeError, load_recipe
from configs.models import RegisteredModel
from configs.pseudo_labels import PseudoLabels
from configs.sources import FileSource
from configs.splitting import GivenSplit, HashSplit, TimeSplit
from tasks.data.added_rows import apart, with_added, without_empty
from tasks.data.checks.added_row_checks import added_leaving
from tasks.data.cleaning.added_texts import clean_apart
from tasks.data.cleaning.pipeline import clean_rows
from tasks.data.errors import DataError
from tasks.data.joined_rows import join
from tasks.data.ledger import advance, dropped_rows, open_ledger, read_ledger, write_ledger
from tasks.data.rows import read_rows, with_ids, write_rows
from tasks.data.splitting import split_rows
from tasks.kinds.pseudo_labelling import ADDED, KNOWN, Asking, screened
from tasks.learn.confident_labels import BEYOND, DIFFERENT, UNSURE, choose, precision

NAME = "pseudo_labels 0123456789ab"
DIGEST = "0" * 64


def raw(added: pd.DataFrame, own: pd.DataFrame | None = None) -> pd.DataFrame:
    return with_ids(with_added(planted(200) if own is None else own, [(NAME, added)]))


def texts(*given: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(given), columns=["text", "label"], dtype="str")


def test_added_rows_stand_behind_the_own_ones_and_move_no_id() -> None:
    own = planted(50)
    both = raw(texts(("new words", "pos"), (own["text"][0], own["label"][0])), own)
    assert both["id"][:50].tolist() == with_ids(own)["id"].tolist()
    assert both[MADE_BY].notna().tolist() == [False] * 50 + [True] * 2
    mine, theirs = apart(both)
    assert mine.equals(with_ids(own)) and len(theirs) == 2
    assert with_added(own, []) is own


def test_texts_are_not_added_to_pairs() -> None:
    pairs = planted(5).assign(text_pair="second")
    with pytest.raises(DataError, match=r"pseudo_labels 0123456789ab has the columns text, the source text, text_pair"):
        with_added(pairs, [(NAME, planted(2))])


@pytest.mark.parametrize("action", ["drop", "majority", "fail"])
def test_own_rows_are_cleaned_as_if_there_were_no_others(action: str) -> None:
    """Planted: an added row that contradicts an own one, whose text would be dropped with it."""
    own = planted(100)
    odd = "pos" if own["label"][3] == "neg" else "neg"
    both = raw(texts((own["text"][3], odd), (own["text"][4], own["label"][4]), ("", "pos"), ("  spaced  ", "neg")), own)
    section = Clean(steps=(*DEFAULT, Contradictions(kind="contradictions", action=action)))  # type: ignore[arg-type]
    alone = clean_rows(with_ids(own), section)
    mine, added = apart(both)
    cleaned = clean_apart(clean_rows(mine, section), added, section)
    mine, theirs = apart(cleaned.rows)
    pd.testing.assert_frame_equal(mine, alone.rows)
    assert theirs["text"].tolist() == [own["text"][3], own["text"][4], "spaced"]
    assert cleaned.dropped["reason"].tolist() == [*alone.dropped["reason"], "missing text"]
    if action == "drop":
        assert own["text"][3] not in set(clean_rows(both, section).rows["text"]), "the fault that is guarded against"


def test_the_search_for_label_errors_does_not_see_added_rows() -> None:
    section = Clean(steps=(LabelErrors(kind="label_errors"),))
    own, added = apart(raw(texts(("few words", "pos"))))
    cleaned = clean_apart(clean_rows(own, section), added, section)
    assert [done.step for done in cleaned.done] == ["label_errors"] and "few words" in set(cleaned.rows["text"])


@pytest.mark.parametrize(
    "section",
    [
        HashSplit(),
        HashSplit(exact=True, near_copies="keep"),
        HashSplit(by="group", near_copies="report"),
        GivenSplit(kind="given", validation="none"),
        TimeSplit(kind="time", test_from=datetime(2026, 2, 1), validation_from=datetime(2026, 1, 20)),
    ],
)
def test_added_rows_are_training_rows_unless_they_copy_a_held_out_one(
    section: HashSplit | GivenSplit | TimeSplit,
) -> None:
    """Planted: an added row that nearly copies a test row, and one that repeats a training row."""
    own = with_ids(
        planted(200).assign(
            group=[f"g{number // 2}" for number in range(200)],
            split=["test" if number % 5 == 0 else "train" for number in range(200)],
            time=pd.date_range("2026-01-01", periods=200, freq="6h"),
        )
    )
    parts = split_rows(own, section)
    test, train = (own.loc[parts == part, "text"].iloc[0] for part in ("test", "train"))
    added = raw(texts(("quite other words are here", "pos"), (f"{test} .", "neg"), (train, "neg")), own)
    joined = join(own, parts, apart(added)[1], section)
    assert joined.rows["text"].tolist() == [*own["text"], "quite other words are here"]
    assert joined.parts.tolist() == [*parts, "train"]
    assert sorted(joined.gone["reason"]) == ["near-copy of a test row", "repeats a row of the source"]
    assert joined.copies["part"].tolist() == ["train"] and joined.copies["other_part"].tolist() == ["test"]
    assert join(own, parts, own.head(0), section).rows is own


def test_a_held_out_part_is_the_same_file_whatever_is_added(tmp_path: Path) -> None:
    own = with_ids(planted(100))
    parts = split_rows(own, HashSplit())
    joined = join(own, parts, apart(raw(texts(("new", "pos")), planted(100)))[1], HashSplit())
    write_rows(own[parts == "test"], tmp_path / "before.parquet")
    write_rows(without_empty(joined.rows[joined.parts == "test"]), tmp_path / "after.parquet")
    assert (tmp_path / "before.parquet").read_bytes() == (tmp_path / "after.parquet").read_bytes()
    write_rows(without_empty(joined.rows[joined.parts == "train"]), tmp_path / "train.parquet")
    assert read_rows(tmp_path / "train.parquet")[MADE_BY].dropna().tolist() == [NAME]


def test_the_ledger_names_what_wrote_a_row(tmp_path: Path) -> None:
    rows = raw(texts(("new", "pos")), planted(3))
    ledger = open_ledger(rows["id"], rows[MADE_BY])
    ended = advance(ledger, "clean", rows["id"][1:], dropped_rows(rows[:1], "missing text"))
    write_ledger(ended, tmp_path / "ledger.parquet")
    assert read_ledger(tmp_path / "ledger.parquet")[MADE_BY].isna().tolist() == [True] * 3 + [False]
    write_ledger(open_ledger(rows["id"]), tmp_path / "plain.parquet")
    assert MADE_BY not in read_ledger(tmp_path / "plain.parquet"), "ledgers without added rows stay as they were"


def test_recipes_of_other_rows_take_no_added_ones(tmp_path: Path) -> None:
    extra = f"download.extra=[{{kind: pseudo_labels, artifact: '{DIGEST}'}}]"
    assert recipe(extra).download.extra[0].artifact == DIGEST  # type: ignore[union-attr]
    for path, change, said in (
        ("digits_demo.yaml", extra, "adds texts with one label each"),
        ("goemotions.yaml", extra, "adds texts with one label each"),
        ("reviews_demo.yaml", extra.replace(DIGEST, "12ab"), "download.extra"),
        ("reviews_demo.yaml", extra.replace("pseudo_labels", "rows"), "download.extra"),
    ):
        with pytest.raises(RecipeError, match=said):
            load_recipe(ROOT / "configs" / path, [change])


def test_a_label_is_taken_by_the_mean_and_its_own_least_probability() -> None:
    first = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.1, 0.9], [0.45, 0.55]])
    second = np.array([[0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.3, 0.7], [0.65, 0.35]])
    chosen = choose(np.stack([first, second]), (0.5, 0.75), agree=False, balance=False)
    assert chosen.labels.tolist() == [0, 1, 1, 1, 0]
    assert np.allclose(chosen.confidence, [0.85, 0.6, 0.7, 0.8, 0.55])
    assert chosen.reasons.tolist() == ["", UNSURE, UNSURE, "", ""]
    agreed = choose(np.stack([first, second]), (0.5, 0.5), agree=True, balance=False)
    assert agreed.reasons.tolist() == ["", DIFFERENT, "", "", DIFFERENT]
    balanced = choose(np.stack([first, second]), (0.6, 0.5), agree=False, balance=True)
    assert balanced.reasons.tolist() == ["", BEYOND, BEYOND, "", UNSURE], "the surest of the commoner label"
    none = choose(first[None], (0.95, 0.5), agree=False, balance=True)
    assert set(none.reasons) == {UNSURE, BEYOND}, "no row of one label: none of the other either"
    unknown = choose(np.array([[[np.nan, np.nan], [0.6, 0.4]]]), (0.5, 0.5), agree=False, balance=False)
    assert unknown.reasons.tolist() == [UNSURE, ""], "no number is no confidence"
    assert len(choose(np.zeros((1, 0, 2)), (0.5, 0.5), agree=True, balance=True).labels) == 0


def test_precision_has_an_exact_interval() -> None:
    known = precision(np.array([True] * 18 + [False] * 2))
    assert (known["known"], known["right"], known["share"]) == (20, 18, 0.9)
    assert np.allclose((known["low"], known["high"]), (0.6830173, 0.9876515), atol=1e-6)  # scipy's binomtest, exact
    assert (precision(np.ones(5, bool))["high"], precision(np.zeros(5, bool))["low"]) == (1.0, 0.0)


def test_rows_that_are_held_out_or_known_are_left_out_before_a_model_sees_them(tmp_path: Path) -> None:
    own = with_ids(planted(200))
    parts = split_rows(own, HashSplit())
    train = own[parts == "train"]
    added = train.head(1).assign(text="written before", made_by=NAME)
    write_rows(pd.concat([train, added]), tmp_path / "train.parquet")
    for part in ("validation", "test"):
        write_rows(own[parts == part], tmp_path / f"{part}.parquet")
    held = own.loc[parts == "test", "text"].iloc[0]
    near = own.loc[parts == "validation", "text"].iloc[0]
    known = train["text"].iloc[0]
    given = pd.Series(
        [" quite  new", held, f"{near} .", f"{known}  ", "quite new", "  ", None, "written before"], dtype="str"
    )
    clean = Clean(steps=(*DEFAULT, Duplicates(kind="duplicates"), LabelErrors(kind="label_errors")))
    teacher = RegisteredModel(kind="registered", name="m", version="1")
    source = FileSource(kind="file", path="more.csv")
    section = PseudoLabels(source, (teacher,), "classifier", 0.9, {}, False, False, clean, 0.8)
    texts_left, reasons = screened(
        pd.DataFrame({"text": given}), Asking(section, (), tmp_path, tmp_path, lambda *_: None)
    )
    assert texts_left["text"][0] == "quite new", "as the recipe's cleaning has it"
    assert reasons.tolist() == [
        "",
        "near-copy of a test row",
        "near-copy of a validation row",
        KNOWN,
        "duplicate",
        "missing text",
        "missing text",
        ADDED,
    ]


def test_added_rows_drive_no_own_row_out_of_the_checks_and_fill_no_quota(home: Path) -> None:
    """Planted: an added row with the text of an own one, under an expectation of unique texts; one with a secret; one
    of another label."""
    own = planted(20)
    unique = "{expect: expect_column_values_to_be_unique, arguments: {column: text}, severity: quarantine}"
    section = recipe(f"validate.expectations=[{unique}]", "validate.min_rows=20").validate
    given = texts((own["text"][3], "pos"), ("said twice", "pos"), ("said twice", "neg"), ("new", "odd"), ("new", "pos"))
    added = apart(raw(given, own))[1]
    gone = added_leaving(added, section, ("neg", "pos"))
    at = dict(zip(added["id"], range(5), strict=True))
    assert {at[row]: reason.partition(":")[0] for row, reason in zip(gone["id"], gone["reason"], strict=True)} == {
        1: "does not hold",
        2: "does not hold",
        3: "label unknown to the source",
        4: "does not hold",
    }
    assert added_leaving(added.head(0), section, ()).empty


DEFAULT = tuple(load_recipe(ROOT / "configs" / "polarity_minilm.yaml").clean.steps or ())[:3]
