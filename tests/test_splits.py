"""Parts that do not leak: near-copies, groups, time, and rows that keep their part when others are added."""

import json
import random
from datetime import UTC, datetime
from functools import cache
from itertools import combinations, count
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from source_rows import load_rows
from tiny import recipe

from configs.cleaning import Clean
from configs.sources import ClassFilesSource, EmbeddedSource
from configs.splitting import GivenSplit, HashSplit, Split, TimeSplit
from flows.stage_graph import perform_until
from tasks.data.cleaning import minhash as near
from tasks.data.cleaning import near_duplicates as copies
from tasks.data.cleaning.minhash import jaccard, shingle
from tasks.data.cleaning.near_duplicates import Copies
from tasks.data.cleaning.perceptual_hashes import representatives
from tasks.data.cleaning.pipeline import clean_rows
from tasks.data.errors import DataError
from tasks.data.leakage import near_copies, reasons
from tasks.data.ledger import read_ledger
from tasks.data.rows import read_rows, with_ids
from tasks.data.splitting import positions, split_rows
from tasks.store.events import Event, listeners

WORDS = ["".join(random.Random(n).choices(ascii_lowercase, k=4 + n % 4)) for n in range(400)]


def rows(texts: list[str], **columns: object) -> pd.DataFrame:
    table = pd.DataFrame({"text": texts, "label": "pos", "split": None, **columns})
    strings = {name: "str" for name in table if name != "time"}
    return with_ids(table.astype(strings).where(table.notna()))


def reviews() -> list[str]:
    return load_rows(EmbeddedSource(kind="embedded"), Path())["text"].tolist()


def edited(text: str, edits: int, rng: random.Random) -> str:
    letters = list(text)
    for _ in range(edits):
        at = rng.randrange(len(letters))
        match rng.randrange(3):
            case 0:
                letters[at] = rng.choice("abcdefgh")
            case 1:
                letters.insert(at, rng.choice("abcdefgh"))
            case _ if len(letters) > 3:
                del letters[at]
    return "".join(letters)


@cache
def plain_shingles(text: str) -> set[str]:
    text = " ".join(text.casefold().split()).ljust(near.SHINGLE, "\x01")
    return {text[at : at + near.SHINGLE] for at in range(len(text) - near.SHINGLE + 1)}


def plain_index(one: str, other: str) -> float:
    """The Jaccard index, written plainly."""
    sets = plain_shingles(one), plain_shingles(other)
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.sampled_from("abc äß漢😀\u0301"), max_size=12), min_size=2, max_size=6))
@example(["ßaß", "ßaß ß"])  # folding case makes two letters of one
def test_the_index_is_that_of_the_plain_definition(texts: list[str]) -> None:
    first, second = np.array(list(combinations(range(len(texts)), 2))).T
    found = jaccard(shingle(pd.Series(texts, dtype="str")), first, second)
    assert found.tolist() == [plain_index(texts[a], texts[b]) for a, b in zip(first, second, strict=True)]


def near_texts() -> list[str]:
    """Texts of which many nearly equal others, some the very same, and some of one template."""
    rng = random.Random(0)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(3, 30))) for _ in range(200)]
    texts += [edited(text, rng.randint(1, 8), rng) for text in texts for _ in range(2)]
    template = " ".join(WORDS[:20])
    texts += [f"{template} {rng.choice(WORDS)} {rng.choice(WORDS)}" for _ in range(100)]
    texts += [text.upper() for text in rng.sample(texts, 50)]
    rng.shuffle(texts)
    return texts


SIMILARITIES = pytest.mark.parametrize("similarity", [0.5, 0.7, 0.8, 0.9, 1.0])


@SIMILARITIES
@pytest.mark.faults
def test_the_first_kept_are_those_of_a_comparison_of_all_with_all(similarity: float) -> None:
    texts = near_texts()
    stands = Copies(pd.Series(texts), similarity).first_kept().tolist()
    kept: list[int] = []
    for at, text in enumerate(texts):
        if not any(plain_index(text, texts[other]) >= similarity for other in kept):
            kept.append(at)
    assert [at for at, by in enumerate(stands) if at == by] == kept
    assert all(by in kept and by <= at for at, by in enumerate(stands))
    assert all(plain_index(texts[at], texts[by]) >= similarity for at, by in enumerate(stands))


@SIMILARITIES
@pytest.mark.parametrize("crowd", [1, 32, 10**9])
@pytest.mark.faults
def test_leaks_are_those_of_a_comparison_of_all_with_all(
    similarity: float, crowd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is missed in a crowd; only which copy is named may differ there."""
    monkeypatch.setattr(copies, "CROWD", crowd)
    monkeypatch.setattr(copies, "PAIRS", 500)
    texts, rng = near_texts(), random.Random(1)
    parts = rng.choices(["train", "validation", "test"], k=len(texts))
    table = rows(texts)
    assert table["id"].is_unique
    found = near_copies(table, pd.Series(parts), HashSplit(similarity=similarity)).set_index("id")
    leaking: dict[str, float] = {}
    for held_out, lower in (("test", ("train", "validation")), ("validation", ("train",))):
        held = [at for at, part in enumerate(parts) if part == held_out and table["id"][at] not in leaking]
        best = {
            table["id"][at]: max(plain_index(texts[at], texts[other]) for other in held)
            for at, part in enumerate(parts)
            if part in lower and table["id"][at] not in leaking
        }
        leaking |= {row: index for row, index in best.items() if index >= similarity}
    assert set(found.index) == set(leaking)
    text = table.set_index("id")["text"]
    for row, line in found.iterrows():
        assert line["similarity"] == plain_index(text[row], text[line["other"]]) >= similarity
        assert line["similarity"] == leaking[str(row)] or crowd == 1


def test_planted_copies_are_found_and_different_reviews_are_not() -> None:
    """Of copies with 1, 2 and 4 edited letters in the embedded reviews; no pair among the reviews themselves."""
    rng, texts = random.Random(1), reviews()
    assert Copies(pd.Series(texts), 0.8).first_kept().tolist() == list(range(len(texts)))
    long = [text for text in texts if len(text) >= 60]
    for edits, recall in ((1, 1.0), (2, 0.9), (4, 0.5)):
        stands = Copies(pd.Series(long + [edited(text, edits, rng) for text in long]), 0.8).first_kept()
        copied, by = np.arange(len(long), 2 * len(long)), stands[len(long) :]
        assert (stands[: len(long)] == np.arange(len(long))).all()
        assert (by[by != copied] == copied[by != copied] - len(long)).all()
        assert (by != copied).mean() >= recall


def test_a_crowd_of_equal_texts_is_compared_with_nothing() -> None:
    texts = ["the same text for everybody here"] * 1000 + ["another one altogether"]
    search = Copies(pd.Series(texts), 0.8)
    assert search.first_kept().tolist() == [0] * 1000 + [1000] and search.compared == 0
    held = np.arange(1001) == 500
    found = search.nearest(held, ~held)
    assert found["row"].tolist() == [at for at in range(1000) if at != 500] and set(found["other"]) == {500}


@pytest.mark.faults
def test_a_template_takes_few_comparisons() -> None:
    """Of 2,000 messages that differ in a number, each with the first; all with all would be two millions."""
    texts = pd.Series([f"dear customer, your order number {n} has left our house and will arrive" for n in range(2000)])
    search = Copies(texts, 0.8)
    assert search.first_kept().tolist() == [0] * 2000 and search.compared < 4000
    held = np.arange(2000) % 10 == 0
    assert len(search.nearest(held, ~held)) == 1800 and search.compared < 4000 + 1800 * 200


def test_too_many_texts_that_resemble_one_another_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MOST", 1000)
    texts = pd.Series([f"dear customer, your order number {n} has left our house and will arrive" for n in range(2000)])
    held = np.arange(2000) % 10 == 0
    for search in (lambda: Copies(texts, 0.8).first_kept(), lambda: Copies(texts, 0.8).nearest(held, ~held)):
        with pytest.raises(DataError, match=r"more than 1,000 pairs .* `replace`, raise `similarity`"):
            search()


def test_an_image_is_stood_for_by_the_first_kept_one() -> None:
    pairs = pd.DataFrame({"first": [0, 1, 2], "second": [1, 2, 3]})
    assert representatives(4, pairs).tolist() == [0, 0, 2, 2]


def test_no_texts_no_copies() -> None:
    for texts in ([], ["one"], ["one", "two and three"], ["", " "]):
        search = Copies(pd.Series(texts, dtype="str"), 0.8)
        assert search.first_kept().tolist() == ([0, 0] if texts == ["", " "] else list(range(len(texts))))
        held = np.arange(len(texts)) == 0
        assert len(search.nearest(held, ~held)) == (texts == ["", " "])


def test_long_texts_are_worked_on_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pd.Series([*near_texts(), " ".join(WORDS) * 3, " ".join(WORDS) * 3 + "x"])
    whole = Copies(texts, 0.8).first_kept().tolist()
    monkeypatch.setattr(near, "BLOCK", 2000)
    assert Copies(texts, 0.8).first_kept().tolist() == whole and whole[-1] == len(texts) - 2


def parts_of(table: pd.DataFrame, section: Split) -> dict[str, str]:
    """Part per id, `dropped` for near-copies."""
    parts = split_rows(table, section)
    dropped = set(reasons(near_copies(table, parts, section))["id"])
    return {row: "dropped" if row in dropped else part for row, part in zip(table["id"], parts, strict=True)}


def bridged(texts: list[str], rng: random.Random) -> list[str]:
    """New rows: near-copies of old ones, and bridges that are near to two of them at once."""
    copies = [edited(text, 2, rng) for text in rng.sample(texts, len(texts) // 10)]
    bridges = [f"{one} {other}" for one, other in zip(texts[::10], texts[5::10], strict=False)]
    return copies + bridges + [f"{text} indeed" for text in rng.sample(texts, len(texts) // 10)]


@pytest.mark.parametrize("by", ["row", "group"])
def test_no_row_moves_when_a_third_is_added(by: str) -> None:
    rng, texts = random.Random(2), reviews()
    new = bridged(texts, rng)
    assert len(new) > 0.28 * len(texts)
    section = HashSplit(by=by, seed=3, train=0.6, validation=0.2, test=0.2)
    groups = [f"g{rng.randrange(80)}" for _ in texts + new]
    before = parts_of(rows(texts, group=groups[: len(texts)]), section)
    grown = rows(texts + new, group=groups)
    after = parts_of(grown, section)
    moved = {(before[row], after[row]) for row in before if before[row] != after[row]}
    assert moved <= {("train", "dropped"), ("validation", "dropped")}, "and only what copies a new held-out row"
    shuffled = grown.sample(frac=1, random_state=0)
    assert parts_of(shuffled, section) == after


def test_a_new_bridge_moves_no_row_into_another_part() -> None:
    """train ~ validation, and a new test row ~ validation: the validation row leaves, and so the training row comes
    back to where its hash has it. No row is ever in two parts, before and after."""
    section = HashSplit(similarity=0.75, train=0.4, validation=0.3, test=0.3)
    draws = ("".join(random.Random(number).sample(ascii_lowercase + "01", 28)) for number in count())
    chains = (rows([text, text[:24], text[:20]]) for text in draws)
    wanted = [(0.0, 0.3), (0.3, 0.6), (0.6, 1.0)]  # test, validation, train
    text, bridge, new = next(
        chain["text"].tolist()
        for chain in chains
        if all(low <= at < high for at, (low, high) in zip(positions(chain["text"], 0)[::-1], wanted, strict=True))
    )
    filler = [f"{a} {b}" for a, b in zip(WORDS[:60], WORDS[60:120], strict=True)]
    before = parts_of(rows([text, bridge, *filler]), section)
    after = parts_of(rows([text, bridge, *filler, new]), section)
    states = [(before[row], after[row]) for row in before]
    assert states[:2] == [("dropped", "train"), ("validation", "dropped")]
    assert all(old == now for old, now in states[2:])


def test_no_row_moves_on_real_reviews(datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPER_DATA", str(datasets))
    files = {"neg": "rt-polarity/rt-polarity.neg", "pos": "rt-polarity/rt-polarity.pos"}
    texts = load_rows(ClassFilesSource(kind="class_files", files=files), Path())["text"].str.strip().tolist()
    before, after = (parts_of(rows(some), HashSplit()) for some in (texts, texts + bridged(texts, random.Random(4))))
    assert {(before[row], after[row]) for row in before if before[row] != after[row]} <= {
        ("train", "dropped"),
        ("validation", "dropped"),
    }


def test_copies_of_test_rows_leave_train_and_validation() -> None:
    text = "a long enough review of a film that nobody has ever seen in a cinema"
    table = rows(
        [text, f"{text}s", f"{text}!", "an altogether other opinion on hotels", "an altogether other opinion on hotel"],
        split=["test", "validation", "train", "validation", "train"],
    )
    found = near_copies(table, table["split"], GivenSplit(kind="given"))
    ids = table["id"].tolist()
    assert found[["id", "other"]].to_numpy().tolist() == [[ids[2], ids[0]], [ids[1], ids[0]], [ids[4], ids[3]]] or (
        found[["id", "other"]].to_numpy().tolist() == [[ids[1], ids[0]], [ids[2], ids[0]], [ids[4], ids[3]]]
    )
    assert reasons(found)["reason"].tolist() == ["near-copy of a test row"] * 2 + ["near-copy of a validation row"]
    assert len(near_copies(table, table["split"], GivenSplit(kind="given", near_copies="keep"))) == 0


@pytest.mark.parametrize("fixed", [False, True])
def test_leakage_between_given_parts_is_measured_said_and_fixed_on_request(fixed: bool, tmp_path: Path) -> None:
    told: list[Event] = []
    texts = [f"{opinion} and nothing else is to be said of it" for opinion in reviews()[:60]]
    table = pd.DataFrame({"text": texts, "label": ["neg", "pos"] * 30, "split": ["train"] * 40 + ["test"] * 20})
    table.loc[[0, 7], "text"] = [f"{texts[50]}!", f"{texts[51]}?"]
    table.to_csv(tmp_path / "data" / "given.csv", index=False)
    section = {"kind": "given", "validation": "none"} | ({"near_copies": "drop"} if fixed else {})
    own = ["download={kind: file, path: given.csv, columns: {split: split}}", "validate.min_rows=10"]
    with listeners(told.append):
        split = perform_until(recipe(*own, f"split={json.dumps(section)}"), "split")["split"].result
    said = [event.text for event in told if event.stage == "split" and event.kind == "note"]
    summary = (split.records / "summary.md").read_text(encoding="utf-8")
    assert (
        "2 dropped" if fixed else "2 found and **left in**"
    ) in summary and "2 train rows copy a test row" in summary
    leaking = pd.read_parquet(split.records / "near_copies.parquet")["id"].tolist()
    assert "2 train rows copy a test row, such as " in summary and len(leaking) == 2
    assert all(row in summary for row in leaking)
    assert said == ([] if fixed else ["2 rows are near-copies of a held-out row; `split.near_copies: drop` drops them"])
    assert len(read_rows(split.file("train.parquet"))) == (38 if fixed else 40)


def test_what_copies_a_row_that_leaves_may_stay() -> None:
    """train ~ validation ~ test, train not ~ test: the validation row leaves, and so nothing is left to copy."""
    letters = ascii_lowercase + "01"
    table = rows([letters[:20], letters[:24], letters], split=["test", "validation", "train"])
    section = GivenSplit(kind="given", similarity=0.75)
    index = [plain_index(a, b) >= 0.75 for a, b in combinations(table["text"], 2)]
    assert index == [True, False, True]
    assert near_copies(table, table["split"], section)["id"].tolist() == [table["id"][1]]


def test_equal_images_across_parts_are_copies() -> None:
    table = pd.DataFrame({"id": list("abcd"), "image": ["x", "y", "x", "z"], "label": "1", "split": None})
    found = near_copies(table, pd.Series(["train", "train", "test", "test"]), HashSplit())
    assert found.to_numpy().tolist() == [["a", "c", 1.0, "train", "test"]]


def test_a_group_stays_together_and_shares_are_about_right() -> None:
    table = rows([f"text {n}" for n in range(5000)], group=[f"writer {n % 500}" for n in range(5000)])
    parts = split_rows(table, HashSplit(by="group"))
    assert parts.groupby(table["group"]).nunique().max() == 1
    assert 0.75 < (parts == "train").mean() < 0.85


def test_time_cuts_where_the_recipe_says() -> None:
    days = pd.to_datetime([f"2015-02-{day:02}" for day in range(1, 11)])
    table = rows([f"text {n}" for n in range(10)], time=days)
    section = TimeSplit(kind="time", validation_from=datetime(2015, 2, 7), test_from=datetime(2015, 2, 9))
    assert split_rows(table, section).tolist() == ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    zoned = TimeSplit(kind="time", test_from=datetime(2015, 2, 9, tzinfo=UTC))
    assert split_rows(table, zoned).tolist() == ["train"] * 8 + ["test"] * 2
    with pytest.raises(DataError, match=r"no row falls into test; move split\.test_from"):
        split_rows(table, TimeSplit(kind="time", test_from=datetime(2016, 1, 1)))
    with pytest.raises(DataError, match="1 of 10 rows have no time"):
        split_rows(table.assign(time=table["time"].where(table.index != 3)), section)
    with pytest.raises(DataError, match=r"name it in download as `columns.time`"):
        split_rows(table.drop(columns="time"), section)


def test_a_group_is_needed_for_a_split_by_group() -> None:
    with pytest.raises(DataError, match=r"name it in download as `columns.group`"):
        split_rows(rows(["a", "b"]), HashSplit(by="group"))
    texts = [f"text {n}" for n in range(40)]
    for blank in (None, "", " \u3000"):
        table = rows(texts, group=[f"g{n}" if n % 4 else blank for n in range(40)])
        with pytest.raises(DataError, match="10 of 40 rows have no group, such as"):
            split_rows(table, HashSplit(by="group"))


def test_a_label_that_a_part_lacks_is_said(tmp_path: Path) -> None:
    """One row of a label falls into one part: neither learnt nor tested is what nobody sees in a score."""
    texts = [f"{opinion} and nothing else is to be said of it" for opinion in reviews()[:80]]
    table = pd.DataFrame({"text": texts, "label": ["neg", "pos"] * 39 + ["solo", "pos"]})
    table.to_csv(tmp_path / "data" / "solo.csv", index=False)
    own = ["download={kind: file, path: solo.csv}", "validate={min_rows: 10}", "split.train=0.4", "split.test=0.3"]
    told: list[Event] = []
    with listeners(told.append):
        outcomes = perform_until(recipe(*own, "split.validation=0.3"), "split")
    ledger = read_ledger(outcomes["split"].result.file("ledger.parquet"))
    said = {event.text for event in told if event.stage == "split" and event.kind == "note"}
    others = {"train", "validation", "test"} - {ledger["state"].iloc[78]}
    assert len(others) == 2 and said == {f"no {part} row has the label solo" for part in others}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"validation_from": "2015-03-01", "test_from": "2015-02-01"}, "before test_from"),
        ({"validation_from": "2015-03-01T00:00:00Z", "test_from": "2015-04-01"}, "time zone"),
    ],
)
def test_moments_out_of_order_are_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TimeSplit(kind="time", **values)  # type: ignore[arg-type]


def test_exact_shares_by_group_are_refused() -> None:
    with pytest.raises(ValidationError, match="by: group"):
        HashSplit(by="group", exact=True)


def test_the_step_near_duplicates_keeps_one_of_each_and_names_it() -> None:
    """A test row is kept rather than its near-copies in front of it; a missing text copies nothing."""
    text = "a long enough review of a film that nobody has ever seen in a cinema"
    texts = [text, f"{text}!", f"{text}s", "a wholly other one", text[:30]]
    table = rows(texts, split=["train", "test", "train", "train", "train"])
    table.loc[len(table)] = table.iloc[3].to_dict() | {"id": "none-0", "text": None}
    cleaned = clean_rows(table, Clean(steps=({"kind": "near_duplicates"},)))  # type: ignore[arg-type]
    ids = table["id"].tolist()
    assert cleaned.rows["id"].tolist() == [ids[1], ids[3], ids[4], "none-0"]
    assert cleaned.dropped[["id", "reason", "other"]].to_numpy().tolist() == [
        [ids[0], "near-duplicate", ids[1]],
        [ids[2], "near-duplicate", ids[1]],
    ]
