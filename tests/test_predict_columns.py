"""Which column of a file is predicted: `text`, the one that is named, or the one that the model was trained on."""

from pathlib import Path

import pytest

from configs.load import RecipeError
from tasks.data.errors import DataError
from tasks.inference.dialogue_inputs import open_dialogues
from tasks.inference.inputs import open_table, with_second, with_texts
from tasks.tracking.named import find_named, trained_columns
from tasks.tracking.runs import client

TRAINED = {"text": "review", "text_pair": "reply", "label": "stars"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new.csv"
    path.write_text("review,reply,place\ngood,thanks,a\nbad,sorry,b\n", encoding="utf-8")
    return path


def test_the_training_datas_column_is_read_and_said(file: Path) -> None:
    table = open_table(file, None)
    assert table.column == "", "no column is usual"
    chosen = with_texts(table, TRAINED)
    assert chosen.given(0, 2) == ["good", "bad"]
    assert chosen.notes == (f"{file}: texts are read from 'review', as in the model's training data",)
    assert chosen.identity() == open_table(file, "review").identity(), "a stopped prediction goes on"
    assert [tuple(pair.values()) for pair in with_second(chosen, None, lambda: TRAINED).given(0, 1)] == [
        ("good", "thanks")
    ]


@pytest.mark.parametrize("trained", [{}, {"text": "title"}, {"text": "None"}])
def test_without_such_a_column_it_is_to_be_named(file: Path, trained: dict[str, str]) -> None:
    with pytest.raises(RecipeError, match=r"no column 'text' among \['review', 'reply', 'place'\]; .* --column"):
        with_texts(open_table(file, None), trained)
    with pytest.raises(RecipeError, match=r"no column 'text_pair' among .* --pair"):
        with_second(open_table(file, "review"), None, lambda: trained)
    with pytest.raises(RecipeError, match=r"no column 'messages' among .* --column"):
        open_dialogues(open_table(file, None))
    with pytest.raises(RecipeError, match="no column 'title' among"):
        open_table(file, "title")


def test_empty_texts_of_it_are_refused(file: Path) -> None:
    file.write_text("review,place\ngood,a\n,b\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"1 of 2 rows have no text \(row 2\)"):
        with_texts(open_table(file, None), TRAINED)


def test_a_versions_run_says_what_its_columns_were() -> None:
    api = client()
    run_id = api.create_run("0").info.run_id
    for key, value in (("download.columns.text", "review"), ("download.columns.label", "stars"), ("train.seed", "1")):
        api.log_param(run_id, key, value)
    api.create_registered_model("m")
    made = api.create_model_version("m", "nowhere", run_id)
    named = find_named(f"m/{made.version}")
    assert trained_columns(named) == {"text": "review", "label": "stars"}
    api.delete_run(run_id)
    assert trained_columns(find_named(f"m/{made.version}")) == {"text": "review", "label": "stars"}
