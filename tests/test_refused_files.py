"""What the refusal of a table says to do is done at its word, and then the table is read."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml
from source_rows import load_rows

from configs.sources import Columns, FileSource
from flows.starter_recipe import write_starter
from tasks.autodetect.located import Hints
from tasks.autodetect.table import look
from tasks.autodetect.unknown_files import read_unknown
from tasks.data.errors import DataError

ROWS = [(f"the lift stops at floor {n}, again", ("good", "bad")[n % 2]) for n in range(40)]


def table(separator: str, *, quoted: bool = True) -> str:
    rows = [("text", "label"), *ROWS]
    if quoted:
        return "".join(f'"{text}"{separator}{label}\n' for text, label in rows)
    return "".join(f"{text.replace(',', '')}{separator}{label}\n" for text, label in rows)


def refusal(source: FileSource, folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_rows(source, folder)
    return str(caught.value)


@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv"])
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_fields_that_another_character_separates(tmp_path: Path, name: str, mark: str, quoted: bool) -> None:
    path = tmp_path / name
    path.write_text(table(mark, quoted=quoted))
    source = FileSource(kind="file", path=str(path))
    if mark != {"rows.csv": ",", "rows.tsv": "\t"}[name]:
        said = refusal(source, tmp_path)
        keys = re.findall(r"`((?:separator|format): .+?)`", said)
        source = replace(source, **yaml.safe_load("\n".join(keys)))
    assert load_rows(source, tmp_path)["label"].tolist() == [label for _, label in ROWS]


@pytest.mark.parametrize(
    "before", ["Exported on Monday\n", "Rooms, all\n\nby: me, you, her\n", "\n# a\n# b\n# c\n# d\n"]
)
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_lines_before_that_of_the_names(tmp_path: Path, before: str, mark: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(before + table(mark))
    source = FileSource(kind="file", path=str(path), separator=None if mark == "," else mark)
    with pytest.raises(DataError) as undescribed:
        read_unknown(path)
    for found in (refusal(source, tmp_path), str(undescribed.value)):
        line = re.search(r"seem to begin in line (\d+): delete the lines before it", found)
        assert line is not None, found
        assert path.read_text().splitlines()[int(line[1]) - 1].startswith('"text"')
    path.write_text(table(mark))
    assert len(load_rows(source, tmp_path)) == len(ROWS)


@pytest.mark.parametrize("content", ["\n\n", " \n", ",,\n", "\n,\n"])
def test_a_file_without_names_proposes_no_quotes(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content)
    said = refusal(FileSource(kind="file", path=str(path)), tmp_path)
    assert said.endswith("no columns found; the first line must name them, or set `header` to their names")
    path.write_text(content + "a,b\n")
    source = FileSource(kind="file", path=str(path), header=("text", "label"))
    assert load_rows(source, tmp_path)["label"].tolist()[-1] == "b"


@pytest.mark.parametrize("twice", ["text", "label"])
def test_columns_of_one_name_are_why_none_is_guessed(tmp_path: Path, twice: str) -> None:
    frame = pd.DataFrame(ROWS, columns=["text", "label"])
    doubled = pd.concat([frame, frame[[twice]]], axis=1)
    with pytest.raises(DataError, match=f"two are called {twice!r}: rename one"):
        look(doubled, "x")
    doubled.columns = pd.Index(["text", "label", "other"])
    assert look(doubled.drop(columns="other"), "x").columns == Columns(text="text", label="label")


@pytest.mark.parametrize("name", ["labels", "what it is about"])
def test_a_column_of_lists_that_is_named_as_the_label_is_read_as_any_number_of_labels(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "rows.jsonl"
    marks: tuple[list[str], ...] = (["a"], ["a", "b"], [], ["b"])
    frame = pd.DataFrame({"text": [text for text, _ in ROWS], name: [marks[n % 4] for n in range(len(ROWS))]})
    frame.to_json(path, orient="records", lines=True)
    said = refusal(FileSource(kind="file", path=str(path), columns=Columns(label=name)), tmp_path)
    assert "any number of labels a row are read by `columns.labels` and encode.kind: multi_label" in said
    rows = load_rows(FileSource(kind="file", path=str(path), columns=Columns(labels=name)), tmp_path)
    assert rows["labels"].nunique() == 4
    write_starter(str(path), tmp_path / "starter.yaml", None, hints=Hints(label=name))
    assert yaml.safe_load((tmp_path / "starter.yaml").read_text())["encode"]["kind"] == "multi_label"


def test_texts_alone_are_led_to_a_recipe_that_takes_them(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text\n" + "".join(f'"{text}"\n' for text, _ in ROWS))
    frame, _, _ = read_unknown(tmp_path / "rows.csv")
    with pytest.raises(DataError, match=r"texts alone train a model as configs/") as caught:
        look(frame, "rows.csv")
    named = re.search(r"configs/\w+\.yaml", str(caught.value))
    assert named is not None
    recipe = yaml.safe_load((Path(__file__).resolve().parents[1] / named[0]).read_text())
    assert recipe["encode"]["kind"] == "masked"


HEADS = [
    "# written by a tool, v1\n# in 2024, by hand\n",
    "# remarks, in one line\n",
    "Survey of 2024,\n",
    "Survey,of 2024\nsecond title,\n",
]


@pytest.mark.parametrize("above", HEADS)
def test_lines_above_the_names_that_have_as_many_fields(tmp_path: Path, above: str) -> None:
    """The table is refused with the line of the names, and the command that it names leaves what is read."""
    rows = "".join(f"some text of number {at},{('dry', 'wet')[at % 2]}\n" for at in range(40))
    path = tmp_path / "a.csv"
    path.write_text(f"{above}comment,state\n{rows}")
    line = above.count("\n") + 1
    with pytest.raises(DataError, match=rf"the columns seem to be named in line {line}, .*`tail -n \+{line} a.csv"):
        read_unknown(path)
    command = f"tail -n +{line} a.csv > rows.csv"
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    table, source, notes = read_unknown(tmp_path / "rows.csv")
    assert list(table.columns) == ["comment", "state"] and len(table) == 40 and source.header is None and not notes


@pytest.mark.parametrize("names", ["#id,text", "# of stars,words", "title,body", "a,b"])
def test_names_that_look_like_a_remark_are_names(tmp_path: Path, names: str) -> None:
    path = tmp_path / "a.csv"
    rows = "".join(f"{('title', 'body', 'foot')[at % 3]},some words of number {at}\n" for at in range(40))
    path.write_text(f"{names}\n{rows}")
    assert list(read_unknown(path)[0].columns) == names.split(",")
