"""temper init: the starter recipe loads, fits its rows, and says what was guessed; unusable files are named."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_rows import load_rows

from configs import models, sources, splitting
from configs.encodings import LabelWordEncode
from configs.load import load_recipe, parse
from configs.recipe_comments import flow, text_pace_lines
from configs.schema import Recipe
from configs.starter import label_words
from flows.starter_recipe import prepare, slug
from tasks.autodetect.located import Hints
from tasks.autodetect.table import look
from tasks.autodetect.targets import look_at_targets
from tasks.autodetect.unknown_files import read_unknown
from tasks.data.checks.expectations import check_rows, label_set
from tasks.data.cleaning.pipeline import clean_rows
from tasks.data.errors import DataError
from tasks.data.rows import with_ids
from tasks.data.splitting import split_rows
from tasks.kinds.text_classification.encode import certify_part, encode_part, make_encoding
from tasks.text.vocabulary import make_tokenizer

NOUNS = ("film", "book", "phone", "chair", "dish", "song", "train", "hotel", "lamp", "coat")


def rows(count: int = 300, labels: tuple[str, ...] = ("bad", "good")) -> pd.DataFrame:
    """Texts of growing length, all different, with labels in turn."""
    texts = [f"number {i}: " + "what a " * (i % 7) + NOUNS[i % len(NOUNS)] for i in range(count)]
    return pd.DataFrame({"text": texts, "label": [labels[i % len(labels)] for i in range(count)]})


def starter(file: Path, **options: Any) -> tuple[Recipe, str, list[str]]:
    """The recipe that would be written, as loaded, as text, and the notes."""
    kind = options.pop("kind", "label_word")
    made, notes = prepare(file, file.parent / "starter.yaml", kind, Hints(**options))
    text = made.text()
    made.output.write_text(text, encoding="utf-8")
    return load_recipe(made.output), text, notes


def carried_through(recipe: Recipe, scratch: Path) -> pd.DataFrame:
    """The rows under the recipe's own stages up to encode, each of which raises where something does not fit."""
    found = with_ids(load_rows(recipe.download, scratch))
    verdicts, _ = check_rows(found, recipe.validate)
    assert [verdict for verdict in verdicts if not verdict.success] == []
    kept = clean_rows(found, recipe.clean).rows
    parts_of = split_rows(kept, recipe.split)
    train = kept[parts_of == "train"]
    encoding = make_encoding(
        recipe.encode,
        make_tokenizer(recipe.encode.tokenizer, train["text"].tolist()),
        label_set(found, recipe.validate),
    )
    tokenizer = make_tokenizer(recipe.encode.tokenizer, train["text"].tolist())
    part, _ = encode_part(encoding, tokenizer, train)
    certify_part(encoding, tokenizer, part, train).require("train")
    assert (part.encoded.cut > 0).mean() <= 0.03
    return kept.assign(part=parts_of)


def temper(*words: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("temper")), *words]
    done = subprocess.run(command, cwd=cwd, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.faults
def test_the_command_writes_a_recipe_that_loads_and_names_what_it_saw(tmp_path: Path) -> None:
    rows().to_csv(tmp_path / "data" / "My reviews.csv", index=False)
    done = temper("init", "My reviews.csv", cwd=tmp_path)
    recipe = load_recipe(tmp_path / "configs" / "my_reviews.yaml")
    assert recipe.name == "my_reviews"
    assert recipe.download == sources.FileSource(kind="file", path="My reviews.csv")
    assert "wrote configs/my_reviews.yaml" in done.stdout
    assert "bad: 150, good: 150" in done.stdout
    text = (tmp_path / "configs" / "my_reviews.yaml").read_text()
    assert text.partition("\n")[2].startswith(
        "# A small GPT-2 learns, from the 300 rows of My reviews.csv, to write `bad` or `good` after"
    )
    assert "#   temper run configs/my_reviews.yaml" in text
    assert "or {kind: hub, repo: openai-community/gpt2}" in text
    plan = json.loads(temper("plan", "configs/my_reviews.yaml", "--json", cwd=tmp_path).stdout)
    assert plan["stages"][0]["status"] == "run"


def test_the_recipe_fits_its_rows_through_every_stage_up_to_encode(tmp_path: Path) -> None:
    table = rows(400, ("negative", "neutral", "positive"))
    table = pd.concat([table, table.head(40), table.head(3).assign(label="neutral")], ignore_index=True)
    table.loc[5:12, "text"] = ["", "  ", *[None] * 6]
    table.to_csv(tmp_path / "data" / "a.csv", index=False)
    recipe, text, _ = starter(tmp_path / "data" / "a.csv")
    assert recipe.validate.labels == ("negative", "neutral", "positive")
    assert isinstance(recipe.encode, LabelWordEncode)
    assert recipe.encode.label_words == {"negative": "A", "neutral": "B", "positive": "C"}
    kept = carried_through(recipe, tmp_path)
    assert (pd.crosstab(kept["label"], kept["part"]) > 0).all(axis=None)
    facts = look(read_unknown(tmp_path / "data" / "a.csv")[0], "a")
    assert facts.dropped == {"duplicate": 31, "missing text": 8, "contradictory label": 6}
    assert sum(facts.dropped.values()) == len(table) - len(kept)
    assert "contradictory label: 6 of 443 rows" in text


def test_bounds_leave_room_but_not_much(tmp_path: Path) -> None:
    table = rows(300)
    table = pd.concat([table, table.head(30)], ignore_index=True)
    table.loc[:9, "label"] = None
    table.to_csv(tmp_path / "a.csv", index=False)
    recipe, text, _ = starter(tmp_path / "a.csv")
    longest = int(table["text"].str.len().max())
    assert longest < recipe.validate.max_chars <= 2.2 * longest
    assert 10 / 330 < recipe.validate.max_missing <= 0.06
    assert 30 / 330 < recipe.validate.max_duplicates <= 0.15
    assert recipe.validate.min_rows == 290
    assert "# found 3.03%" in text
    assert "# found 9.09%" in text


def test_a_file_elsewhere_is_named_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows().to_csv(tmp_path / "a.csv", index=False)
    monkeypatch.chdir(tmp_path)
    recipe, text, _ = starter(Path("a.csv").absolute().parent / "data" / ".." / "a.csv")
    assert recipe.download.path == str(tmp_path / "a.csv")  # type: ignore[union-attr]
    assert "absolute, since it does not lie below TEMPER_DATA" in text
    assert len(load_rows(recipe.download, tmp_path)) == 300


def test_tsv_without_ending_header_or_meaning_of_quotes(tmp_path: Path) -> None:
    """The form of the SMS Spam Collection."""
    table = rows(200, ("ham", "spam"))
    lines = [
        f"{row.label}\t{quote}{row.text}" for row, quote in zip(table.itertuples(), ['"', "", ""] * 70, strict=False)
    ]
    (tmp_path / "SMSCollection").write_text("\n".join(lines) + "\n")
    recipe, _, notes = starter(tmp_path / "SMSCollection")
    source = recipe.download
    assert isinstance(source, sources.FileSource)
    assert (source.format, source.header, source.quoting) == ("tsv", ("column1", "column2"), False)
    assert (source.columns.text, source.columns.label) == ("column2", "column1")
    assert len(notes) == 3
    assert len(carried_through(recipe, tmp_path)) == 200


def test_semicolons_between_fields(tmp_path: Path) -> None:
    rows().to_csv(tmp_path / "data" / "a.csv", index=False, sep=";")
    recipe, _, _ = starter(tmp_path / "data" / "a.csv")
    assert recipe.download == sources.FileSource(kind="file", path="a.csv", separator=";")
    carried_through(recipe, tmp_path)


def test_quoted_fields_with_line_ends_stay_quoted(tmp_path: Path) -> None:
    rows().assign(text=lambda table: table["text"] + '\nand, "so" on').to_csv(tmp_path / "a.csv", index=False)
    table, source, notes = read_unknown(tmp_path / "a.csv")
    assert (len(table), source.quoting, source.header, notes) == (300, True, None, [])


def test_json_lines_with_nested_columns_and_integer_labels(tmp_path: Path) -> None:
    table = rows(200, ("0", "1"))
    with (tmp_path / "a.jsonl").open("w") as handle:
        for row in table.itertuples():
            line = {"id": row.Index, "meta": {"by": "x"}, "tags": ["a"], "sentence": row.text, "stars": int(row.label)}
            handle.write(json.dumps(line) + "\n")
    recipe, text, _ = starter(tmp_path / "a.jsonl")
    source = recipe.download
    assert isinstance(source, sources.FileSource)
    assert (source.columns.text, source.columns.label) == ("sentence", "stars")
    assert recipe.validate.labels == ("0", "1")
    assert "# label_names: [zero, one, …]" in text
    assert len(carried_through(recipe, tmp_path)) == 200


@pytest.mark.parametrize(
    "names", [("train", "validation", "test"), ("Train", "DEV", "test"), ("train", "test", "train")]
)
def test_a_split_column_is_kept(tmp_path: Path, names: tuple[str, ...]) -> None:
    table = rows(240)
    table["fold"] = [names[0] if i % 10 > 3 else names[1] if i % 10 > 1 else names[2] for i in range(240)]
    table.to_parquet(tmp_path / "a.parquet")
    recipe, _, _ = starter(tmp_path / "a.parquet")
    assert isinstance(recipe.split, splitting.GivenSplit)
    assert recipe.split.validation == ("none" if names[1] == "test" else "given")
    assert recipe.download.columns.split == "fold"  # type: ignore[union-attr]
    split_rows(clean_rows(with_ids(load_rows(recipe.download, tmp_path)), recipe.clean).rows, recipe.split)


@pytest.mark.parametrize("names", [("train", "dev"), ("train", None, "test")])
def test_a_column_that_is_no_whole_split_is_not_used(tmp_path: Path, names: tuple[str | None, ...]) -> None:
    rows(240).assign(fold=[names[i % len(names)] for i in range(240)]).to_csv(tmp_path / "a.csv", index=False)
    recipe, _, _ = starter(tmp_path / "a.csv", label="label")
    assert recipe.download.columns.split is None  # type: ignore[union-attr]
    assert isinstance(recipe.split, splitting.HashSplit)


def test_few_rows_are_split_exactly(tmp_path: Path) -> None:
    rows(24).to_csv(tmp_path / "a.csv", index=False)
    recipe, _, _ = starter(tmp_path / "a.csv")
    assert isinstance(recipe.split, splitting.HashSplit)
    assert recipe.split.exact


def test_a_rare_label_is_not_judged_by_accuracy(tmp_path: Path) -> None:
    rows(400, ("ham",) * 9 + ("spam",)).to_csv(tmp_path / "a.csv", index=False)
    recipe, _, _ = starter(tmp_path / "a.csv")
    assert (recipe.train.metric, recipe.register.metric) == ("macro_f1", "macro_f1")


def test_a_classifier_starts_from_a_pretrained_encoder(tmp_path: Path) -> None:
    rows().to_csv(tmp_path / "a.csv", index=False)
    recipe, text, _ = starter(tmp_path / "a.csv", kind="classifier")
    assert recipe.encode.kind == "classifier"
    assert recipe.train.model == models.HubModel(kind="hub", repo="distilbert/distilbert-base-uncased")
    assert recipe.encode.tokenizer == models.HubTokenizer(kind="hub", repo="distilbert/distilbert-base-uncased")
    assert "temper pin" in text


def test_a_file_in_another_encoding_is_read_with_a_note(tmp_path: Path) -> None:
    rows().assign(text=lambda t: t["text"] + " café").to_csv(tmp_path / "a.csv", index=False, encoding="cp1252")
    recipe, text, notes = starter(tmp_path / "a.csv")
    assert recipe.download.encoding == "cp1252"  # type: ignore[union-attr]
    assert "a guess, since it is not UTF-8" in text
    assert "encoding detected as cp1252, so that it reads 'café,bad'" in notes[0]
    assert load_rows(recipe.download, tmp_path)["text"].str.contains("café").all()


@pytest.mark.parametrize(("encoding", "text"), [("gb18030", "这家酒店的服务非常好"), ("cp1251", "Очень хороший отель")])
def test_an_encoding_is_detected_rather_than_taken_for_cp1252(tmp_path: Path, encoding: str, text: str) -> None:
    rows().assign(text=lambda t: t["text"] + f" {text}").to_csv(tmp_path / "a.csv", index=False, encoding=encoding)
    recipe, _, notes = starter(tmp_path / "a.csv")
    assert recipe.download.encoding == encoding  # type: ignore[union-attr]
    assert f"encoding detected as {encoding}" in notes[0]
    assert load_rows(recipe.download, tmp_path)["text"].str.contains(text).all()


def test_names_that_yaml_would_misread_come_back_as_they_are(tmp_path: Path) -> None:
    labels = ("no", "1e3", "a: b", "x # y", "'", '"q"', "line\nend", "naïve", "~")
    rows(450, labels).rename(columns={"text": "text: #1", "label": "on"}).to_parquet(tmp_path / "odd: #.parquet")
    recipe, text, _ = starter(tmp_path / "odd: #.parquet", text="text: #1", label="on")
    assert recipe.validate.labels == tuple(sorted(labels))
    assert recipe.download.columns.text == "text: #1"  # type: ignore[union-attr]
    assert len(load_rows(recipe.download, tmp_path)) == 450
    assert text.splitlines()[0].startswith("# A small GPT-2")


@settings(deadline=None)
@given(st.lists(st.text() | st.sampled_from(["1e3", "no", "~", "-", "\u2028", "\x7f", "\ufeff", "a\tb", "\x00", "<<"])))
def test_every_word_is_written_so_that_it_comes_back(words: list[str]) -> None:
    assert parse(flow(words), str, {}) == words
    assert parse(flow({word: word for word in words}), str, {}) == {word: word for word in words}


def test_labels_get_letters_only_where_they_begin_alike() -> None:
    assert label_words(["neg", "pos"]) == {}
    assert label_words(["neutral", "negative"]) == {"neutral": "A", "negative": "B"}
    assert label_words(["财经", "质量"]) == {"财经": "A", "质量": "B"}, "two characters, one first byte"
    with pytest.raises(ValueError, match=r"63 labels are too many .* --kind classifier"):
        label_words([f"label {number}" for number in range(63)])


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        ({"title": "t", "body": "b", "topic": "l"}, "body", "topic"),
        ({"headline": "t", "kind": "l"}, "headline", "kind"),
        ({"v1": "l", "v2": "t", "Unnamed: 2": "n"}, "v2", "v1"),
        ({"airline_sentiment": "l", "airline_sentiment_gold": "n", "text": "t"}, "text", "airline_sentiment"),
        ({"tweet_text": "t", "when": "d", "link": "u", "class": "l"}, "tweet_text", "class"),
        ({"x": "t", "z": "l"}, "x", "z"),
    ],
)
def test_columns_are_guessed(columns: dict[str, str], text: str, label: str) -> None:
    """t: short texts, b: long texts, l: labels, n: mostly nothing, d: dates, u: addresses."""
    made = rows(100)
    values = {
        "t": made["text"],
        "b": made["text"] * 2,
        "l": made["label"],
        "n": made["label"].where(made.index < 8),
        "d": pd.Series([f"2024-01-{1 + i % 28:02} 10:{i % 60:02}:00 and so on, long" for i in range(100)]),
        "u": pd.Series([f"https://example.org/{i}/with/a/long/path/that/is/no/text/at/all" for i in range(100)]),
    }
    found = look(pd.DataFrame({name: values[kind] for name, kind in columns.items()}), "x")
    assert (found.columns.text, found.columns.label) == (text, label)


BAD: dict[str, tuple[bytes | pd.DataFrame, dict[str, str], str]] = {
    "nothing": (b"", {}, "the file is empty"),
    "a header alone": (b"text,label\n", {}, "the file holds no rows"),
    "one column": (b"text:label\na:b\nc:d\n", {}, "only one column, 'text:label'; CSV separates columns by commas"),
    "no label": (rows().assign(label=range(300)), {}, r"no column has few values .*\['text', 'label'\]; name it with"),
    "no text": (pd.DataFrame({"a": range(40), "label": ["x", "y"] * 20}), {}, "no column looks like texts; .* --text"),
    "two labels": (
        rows().rename(columns={"label": "p"}).assign(q=["u", "v", "w"] * 100),
        {},
        r"p \(2 values\), q \(3 v",
    ),
    "one value": (rows().assign(label="a"), {"label": "label"}, "has 1 different values in 300 rows"),
    "no such column": (rows(), {"label": "labels"}, "no column 'labels' .* did you mean 'label'?"),
    "one for both": (rows(), {"text": "label", "label": "label"}, "'label' cannot be both text and label"),
    "too few rows": (rows(4), {}, "4 rows after cleaning, too few"),
    "only contradictions": (rows().assign(text="same"), {"text": "text"}, "after cleaning, 0 rows"),
    "too many labels": (
        rows(300, tuple(f"l{i}" for i in range(100))),
        {},
        "100 labels are too many .* --kind classifier",
    ),
}


NESTED = {"name": "ham"}, ["ham"]


@pytest.mark.parametrize("value", NESTED, ids=["object", "list"])
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_labels_that_are_lists_or_objects_are_named_with_the_fix(tmp_path: Path, value: object, ending: str) -> None:
    table, file = rows(40), tmp_path / f"a.{ending}"
    table["label"] = table["label"].astype(object)
    table.at[1, "label"] = value
    told = r"row 2 of 'label' holds .*ham.*: write a single value in each row of such a column"
    for more in ({}, {"source": ["shop", "web"] * 20}):  # nor is another column taken in its place
        wide = table.assign(**more)
        if ending == "parquet":
            wide["label"] = [value] * len(wide)
            wide.to_parquet(file)
        else:
            file.write_text("".join(json.dumps(row) + "\n" for row in wide.to_dict("records")), encoding="utf-8")
        with pytest.raises(DataError, match=told if ending == "jsonl" else told.replace("row 2", "row 1")) as refused:
            starter(file)
        assert "--label" in str(refused.value) and (not more or "'source'" in str(refused.value))
        if more:
            starter(file, label="source")


def test_texts_and_targets_that_are_lists_are_named_with_the_fix(tmp_path: Path) -> None:
    table = pd.DataFrame({"text": [["a", "word"]] * 40, "label": ["x", "y"] * 20})
    with pytest.raises(DataError, match=r"no column looks like texts; .*; row 1 of 'text' holds .*: write a single"):
        look(table, "x")
    scores = rows(40).assign(label=[{"stars": at} for at in range(40)])
    with pytest.raises(DataError, match=r"row 1 of 'label' holds \{\"stars\": 0\}: write a single .* --label"):
        look_at_targets(scores, "x", numbers=True, text=None, target=None)


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_used_is_named_with_the_fix(tmp_path: Path, name: str) -> None:
    content, options, message = BAD[name]
    file = tmp_path / "bad.csv"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        content.to_csv(file, index=False)
    with pytest.raises(ValueError, match=message) as caught:
        starter(file, **options)
    assert isinstance(caught.value, DataError) or name == "too many labels"
    assert not (tmp_path / "starter.yaml").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"PK\x03\x04\x00\x00", "it holds a document of Excel .*; save its table as CSV"),
        ("prose", b"One line.\nAnother, with a comma.\n", "not a table that Temper reads"),
        ("a.json", b'[{"text": "a"}, 1]', "one object per line"),
        ("a.parquet", b"\0text,label\n", "not a Parquet file"),
        ("a.csv", b"text,label\na,b,c\n", r"a\.csv:2"),
        ("a.csv", b"\xff\xfe\x00,\n", "no encoding fits every byte"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_unknown(tmp_path / name)


@pytest.mark.faults
def test_mistakes_end_the_command_with_code_2_and_write_nothing(tmp_path: Path) -> None:
    assert (
        "nosuch.csv: no such file, here or below TEMPER_DATA"
        in temper("init", "nosuch.csv", cwd=tmp_path, code=2).stderr
    )
    assert "data: a folder without images, tables, or" in temper("init", "data", cwd=tmp_path, code=2).stderr
    rows().to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "mine.yaml").write_text("mine")
    done = temper("init", "a.csv", "--output", "mine.yaml", cwd=tmp_path, code=2)
    assert "mine.yaml exists and stays as it is; name another file with --output" in done.stderr
    assert (tmp_path / "mine.yaml").read_text() == "mine"
    assert not (tmp_path / "configs").exists()


@pytest.mark.parametrize(("stem", "name"), [("My reviews (2)", "my_reviews_2"), ("酒店", "recipe"), ("_a-b", "a_b")])
def test_a_recipe_is_named_after_its_file(stem: str, name: str) -> None:
    assert slug(stem) == name


@pytest.mark.faults
def test_public_sets_are_understood(datasets: Path, tmp_path: Path) -> None:
    found = {}
    for place in (
        "sms-spam/SMSSpamCollection",
        "airline-tweets/Tweets.csv",
        "chnsenticorp-htl/ChnSentiCorp_htl_all.csv",
    ):
        table, source, _ = read_unknown(datasets / place)
        facts = look(table, place)
        found[place.partition("/")[0]] = (facts.rows, facts.columns.text, facts.columns.label, facts.labels)
        assert source.quoting == (place != "sms-spam/SMSSpamCollection")
    assert found == {
        "sms-spam": (5574, "column2", "column1", {"ham": 4827, "spam": 747}),
        "airline-tweets": (14640, "text", "airline_sentiment", {"negative": 9178, "neutral": 3099, "positive": 2363}),
        "chnsenticorp-htl": (7766, "review", "label", {"0": 2444, "1": 5322}),
    }


def test_texts_of_long_trainings_are_grouped_by_length() -> None:
    few, many = (dict(text_pace_lines(16, rows)) for rows in (3199, 3200))
    assert {*many} - {*few} >= {"  group_by_length: true"}
