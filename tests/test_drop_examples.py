"""What is dropped or left unread is shown by three examples per reason; long tables say what they leave out."""

from pathlib import Path

import pandas as pd
import pytest

from configs.splitting import HashSplit
from tasks.autodetect.image_folders import BY_NAME, _by_names
from tasks.data.drops import describe_reasons, first_of
from tasks.data.files import find_files
from tasks.split import LISTED, _describe


def copies(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [f"row{n}" for n in range(count)],
            "other": "held",
            "similarity": 0.9,
            "part": "train",
            "other_part": "test",
        }
    )


PLACED = pd.Series(["train", "validation", "test"])
"""The parts of three rows."""


def counts(labels: int) -> pd.DataFrame:
    parts = {"train": range(1, labels + 1), "validation": 1, "test": 1}
    return pd.DataFrame(parts, index=[f"label{n}" for n in range(labels)])


def test_near_copies_that_leave_are_shown_by_three() -> None:
    page = _describe(counts(2), PLACED, copies=copies(5), section=HashSplit(near_copies="drop"))
    assert "5 train rows copy a test row, such as row0 (0.90 of held), row1 (0.90 of held), row2 (0.90 of held)\n" in (
        page + "\n"
    )
    assert "row3" not in page


def test_every_reason_has_three_examples() -> None:
    reasons = pd.Series(["long"] * 5 + ["short"] * 2)
    said = describe_reasons(reasons, pd.Series(list("abcdefg"), index=[f"r{n}" for n in range(7)]))
    assert said == "long: 5, such as row r0 'a', row r1 'b', row r2 'c'; short: 2, such as row r5 'f', row r6 'g'"
    assert first_of(["a", "b", "c", "d"]) == "a, b, c"


@pytest.mark.parametrize(("labels", "left_out"), [(LISTED, 0), (LISTED + 7, 7)])
def test_the_page_of_many_labels_lists_those_of_most_rows_and_counts_the_others(labels: int, left_out: int) -> None:
    page = _describe(counts(labels), PLACED, copies=copies(0), section=HashSplit())
    assert page.count("| label") == LISTED + 1  # and the head
    assert (f"… and {left_out:,} labels more" in page) == (left_out > 0)
    assert f"| label{labels - 1} |" in page and ("| label0 |" in page) == (left_out == 0)


def test_a_pattern_of_files_below_the_own_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TEMPER_DATA", "/nowhere")
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("text,label\nx,y\n", encoding="utf-8")
    assert find_files("~/*.csv") == [tmp_path / "a.csv", tmp_path / "b.csv"]
    assert find_files("~/a.csv") == [tmp_path / "a.csv"]


def test_a_pattern_is_proposed_only_where_names_tell_classes() -> None:
    named = pd.Series([f"{kind}_{number:03}.png" for kind in ("cat", "dog") for number in range(9)])
    said = _by_names(named)
    assert said == f"the names seem to hold them: --pattern '{BY_NAME}' reads cat (9), dog (9)"
    for files in (
        ["IMG_1.png", "IMG_2.png", "IMG_3.png"],
        [f"{n}.png" for n in range(9)],
        ["unlabeled/1.png"] * 4,
        ["sunset.png", "beach.png", "harbour.png"],
    ):
        said = _by_names(pd.Series(files))
        assert "put the images of each class into a folder" in said and files[0] in said
