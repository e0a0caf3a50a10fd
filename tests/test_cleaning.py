"""Every text step: what it changes, what it leaves alone, what it drops; conservation and idempotence as properties."""

import html
import json
import random
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from source_rows import load_rows
from tiny import planted

from configs import cleaning as steps
from configs.cleaning import Clean
from configs.expectations import Validate
from configs.load import RecipeError, load_recipe
from configs.sources import ClassFilesSource, EmbeddedSource, FileSource
from tasks.artifact import StageError
from tasks.clean import clean
from tasks.data.cleaning.pipeline import CHANGES, DROPS, clean_rows, require_rest
from tasks.data.cleaning.report import Cleaned, describe
from tasks.data.errors import DataError
from tasks.data.ledger import conserve, read_ledger
from tasks.data.rows import read_rows, with_ids
from tasks.download import download
from tasks.store.code import closure, versions
from tasks.validate import validate

ROOT = Path(__file__).resolve().parent.parent
STEP = TypeAdapter(steps.Step)
HARMLESS = [
    "👨‍👩‍👧‍👦 ❤️ 👍🏽 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f 1️⃣",
    "می‌خواهم به خانه بروم",
    "שלום\u200f (עולם)\u200e!",
    "\u2067مرحبا\u2069 بالعالم",
    "हिन्दी में लिखा हुआ",
    "酒店很好，服务也不错。",
    "ไทยไม่มีช่องว่าง",
    "Straße, naïve façade, Ærøskøbing",
    "a < b and c > d; x<b and c>y; I <3 you; <#> <name@example.org>",
    "AT&T, R&B; Q&A & more; x &notit; y &nothing;",
    "write to someone@example.org or @ noon; 3.5 e.g. i.e. and/or",
    "𝕏 \U0001f9d1\u200d\U0001f4bb",
]
LISTS = {
    "unicode": [{}, {"form": "NFKC"}],
    "ftfy": [{}],
    "html": [{}],
    "control": [{}],
    "whitespace": [{}, {"how": "squeeze"}],
    "urls": [{}, {"by": "<url>"}],
    "mentions": [{}, {"by": "@user"}],
    "lowercase": [{}],
    "stop_words": [{"language": "en"}, {"words": ["und", "OR", "don't"]}],
}
"""Every step that changes texts, but `replace`, whose effect is its pattern's."""


def step(kind: str, **values: object) -> object:
    return STEP.validate_python({"kind": kind, **values})


def changed(texts: list[str | None], kind: str, **values: object) -> list[str | None]:
    column = pd.Series(texts, dtype="str")
    made = step(kind, **values)
    return [None if pd.isna(text) else text for text in CHANGES[type(made)](column, made)]


def table(
    texts: list[str | None], labels: list[str | None] | str = "pos", split: list[str] | None = None
) -> pd.DataFrame:
    rows = pd.DataFrame({"text": texts, "label": labels, "split": split})
    return with_ids(rows.astype("str").where(rows.notna()))


def cleaned(rows: pd.DataFrame, *chosen: object) -> Cleaned:
    return clean_rows(rows, Clean(steps=chosen, max_dropped=1.0))  # type: ignore[arg-type]


def reasons(rows: pd.DataFrame, *chosen: object) -> dict[str, str]:
    """Text of each dropped row to its reason."""
    dropped = cleaned(rows, *chosen).dropped
    return dict(zip(rows.set_index("id")["text"].fillna("")[dropped["id"]], dropped["reason"], strict=True))


def test_every_changing_step_is_listed_here() -> None:
    assert {*LISTS, "replace"} == {kind.__dataclass_fields__["kind"].type.__args__[0] for kind in CHANGES}


@pytest.mark.parametrize(
    ("kind", "values", "before", "after"),
    [
        ("unicode", {}, "e\u0301 ﬁ", "é ﬁ"),
        ("unicode", {"form": "NFKC"}, "Ｆｕｌｌ ﬁ ①", "Full fi 1"),
        ("ftfy", {}, "schÃ¶n, âœ” “ja” &amp; ﬁ", "schön, ✔ “ja” &amp; ﬁ"),
        ("html", {}, "<p class='a'>one<br/>two</p> <b>bold</b>", "\none\ntwo\n bold"),
        ("html", {}, '<a title="x > y" href="z">link</a><!-- no --><script>if (a<b) {}</script>', "link"),
        ("html", {}, "&lt;b&gt; &amp; &amp;lt; &#8364; &#x1F600; &nbsp;&copy;", "<b> & &lt; € 😀 \xa0©"),
        ("html", {}, "http://x/?a=1&region=eu&lt=2 &not an entity", "http://x/?a=1&region=eu&lt=2 &not an entity"),
        ("control", {}, "a\x00b\r\nc\rd\te\u00adf\u200bg\ufeffh\x85i\x9fj\x0bk", "ab\nc\nd\tefgh\nij\nk"),
        ("urls", {"by": "url"}, "see http://t.co/a?b=c&d#e, or (www.x.de/y_(z)).", "see url, or (url)."),
        ("urls", {"by": "\\1"}, "看https://t.cn/abc，好 HTTP://A.B http://müller.de/ä!", "看\\1，好 \\1 \\1!"),
        ("mentions", {}, "@a @b_1: .@c 你好@小明 (@d) x@y.z /@path @@ @", " : . 你好 () x@y.z /@path @@ @"),
        ("mentions", {"by": "\\0"}, "＠名前 @a@b.social", "\\0 \\0.social"),
        ("replace", {"pattern": r"(\d+) ?(?P<unit>kg|g)\b", "by": r"\g<unit>:\1"}, "5 kg, 7g", "kg:5, g:7"),
        ("whitespace", {}, "\u3000\n a  b\x85\u2028", "a  b"),
        ("whitespace", {"how": "squeeze"}, " a\xa0\u3000b\x0b\x1c\x85c\u2028d\t", "a b c d"),
        ("lowercase", {}, "ÄÖ ΣΑΣ Ǆ", "äö σασ ǆ"),
        ("stop_words", {"language": "en"}, "The cat sat on the mat; don’t you?", "cat sat mat; ?"),
        ("stop_words", {"language": "hi", "words": ["Über"]}, "हिन्दी में ÜBER überall", "हिन्दी überall"),
    ],
)
def test_each_step_does_what_it_says(kind: str, values: dict[str, object], before: str, after: str) -> None:
    assert changed([before, None, ""], kind, **values) == [after, None, ""]


@pytest.mark.parametrize("kind", ["unicode", "ftfy", "html", "control", "urls", "mentions", "whitespace"])
def test_emoji_directions_and_scripts_are_unharmed(kind: str) -> None:
    assert changed(HARMLESS, kind) == HARMLESS


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.faults
def test_long_texts_and_nulls_go_through_every_step(kind: str) -> None:
    long = ("Ein langer Text, <b>fett</b> &amp; @wer http://t.co/x 😀 शब्द\x00 " * 20_000)[: 2**20]
    hard = ["<" * 2**20, "&" * 2**20, "<a " * 2**18, "http://" * 2**17, "@" * 2**20, "(" * 2**20, "<!--" * 2**18]
    for values in LISTS[kind]:
        after = changed([long, *hard, None, "\x00", ""], kind, **values)
        assert len(after) == 11 and after[8] is None and after[10] == ""
        assert len(after[0] or "") > 2**19 and ("\x00" in (after[0] or "")) == (kind != "control")


LETTERS = "aAbß 1.,:;!?/&#<>()[]@＠_-'’\"=\\%\r\n\t\x00\x0b\x1c\x85\xa0\xad\u0301\u200b\u200d\ufeff\u2028漢é😀Ãâ€İΣﬁ①x"
PIECES = ["http://", "www.", "<b>", "<br>", "</p>", "<!--", "-->", "&amp;", "&lt;", "@ab", "the\xa0", "or", "don't"]
nasty = st.lists(st.sampled_from(LETTERS) | st.sampled_from(PIECES), max_size=14).map("".join)


@pytest.mark.parametrize("kind", [kind for kind in LISTS if kind != "html"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=nasty | st.text(max_size=20))
@pytest.mark.faults
def test_a_step_taken_twice_changes_nothing_more(kind: str, text: str) -> None:
    for values in LISTS[kind]:
        once = changed([text], kind, **values)
        assert changed(once, kind, **values) == once


@settings(max_examples=200, deadline=None)
@given(nasty | st.text(max_size=20))
@example("&amp;lt; <b>")
def test_html_shows_what_was_escaped(text: str) -> None:
    """The exception to the rule above: what a text escapes it gives back once, tags and entities too."""
    assert changed([html.escape(text)], "html") == [text]


fast = [kind for kind in (*CHANGES, *DROPS) if kind not in (steps.LabelErrors, steps.Language, steps.Replace)]
SETTINGS = {
    steps.StopWords: {"words": ["the", "or"]},
    steps.Length: {"min": 2, "max": 6},
    steps.Contradictions: {"action": "majority"},
}
chosen = st.lists(
    st.sampled_from(
        [kind(kind=kind.__dataclass_fields__["kind"].type.__args__[0], **SETTINGS.get(kind, {})) for kind in fast]
    ),
    max_size=6,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(nasty | st.none(), st.sampled_from(["neg", "pos", " ", None])), max_size=12), chosen)
@pytest.mark.faults
def test_rows_are_conserved_by_any_steps(pairs: list[tuple[str | None, str | None]], chosen: list[object]) -> None:
    rows = table([text for text, _ in pairs], [label for _, label in pairs])
    found = cleaned(rows, *chosen)
    conserve(rows["id"], found.rows["id"], found.dropped)
    assert found.dropped["reason"].notna().all() and found.rows["id"].is_unique
    assert sum(done.dropped for done in found.done) == len(found.dropped)
    assert found.dropped["other"].dropna().isin(rows["id"]).all()
    assert describe(found).isprintable() or all(line.isprintable() for line in describe(found).split("\n"))


@pytest.mark.parametrize("absent", [None, "", " \t", "\u3000\xa0\u2028", "\x1c\x85"])
def test_nothing_in_any_form_is_missing(absent: str | None) -> None:
    rows = table(["good", absent, "unlabelled", absent], ["pos", "pos", absent, absent])
    dropped = cleaned(rows, step("missing")).dropped["reason"].tolist()
    assert dropped == ["missing text", "missing label", "missing text"]


def test_exact_and_case_duplicates_name_the_row_they_repeat() -> None:
    rows = table(["Same", "same", "Same", "other", "SAME "], ["pos", "pos", "pos", "pos", "neg"])
    found = cleaned(rows, step("duplicates")).dropped
    assert found[["id", "other"]].to_numpy().tolist() == [[rows["id"][2], rows["id"][0]]]
    found = cleaned(rows, step("lowercase"), step("whitespace"), step("duplicates")).dropped
    assert found["id"].tolist() == rows["id"][[1, 2]].tolist() and set(found["other"]) == {rows["id"][0]}
    assert set(found["reason"]) == {"duplicate"}


def test_planted_duplicates_are_all_found_and_no_other_row(tmp_path: Path) -> None:
    texts, rng = load_rows(EmbeddedSource(kind="embedded"), tmp_path)["text"], random.Random(0)
    copies = [
        rng.choice([str.upper, str.title, lambda t: f"  {t}\n"])(text) for text in texts.sample(100, random_state=0)
    ]
    rows = table([*texts, *copies])
    gone = cleaned(rows, step("lowercase"), step("whitespace", how="squeeze"), step("duplicates")).dropped
    assert set(gone["id"]) == set(rows["id"][len(texts) :])


def contradictory() -> pd.DataFrame:
    texts = ["most"] * 3 + ["tie"] * 2 + ["three"] * 5 + ["fine"] * 2
    labels = ["pos", "neg", "pos", "pos", "neg", "a", "b", "b", "c", "c", "pos", "pos"]
    return table(texts, labels)


def test_contradictory_labels_are_dropped_outvoted_or_fatal() -> None:
    rows = contradictory()
    assert cleaned(rows, step("contradictions")).rows["text"].tolist() == ["fine", "fine"]
    found = cleaned(rows, step("contradictions", action="majority"))
    assert found.rows[["text", "label"]].to_numpy().tolist() == [["most", "pos"]] * 2 + [["fine", "pos"]] * 2
    assert set(found.dropped["reason"]) == {"contradictory label"}
    labels = rows.set_index("id")["label"]
    assert (labels[found.dropped["id"]].to_numpy() != labels[found.dropped["other"]].to_numpy()).all()
    with pytest.raises(
        DataError, match=r"10 rows share a text with a row of another label, such as .*'most': pos, neg"
    ):
        cleaned(rows, step("contradictions", action="fail"))
    unlabelled = table(["x", "x", "y"], ["pos", None, "neg"])
    assert len(cleaned(unlabelled, step("contradictions", action="fail")).dropped) == 0


def test_length_counts_characters_or_words() -> None:
    rows = table(["", "😀😀", "abcd", "a b\u3000c d", None, "word"])
    assert reasons(rows, step("length", min=3, max=4)) == {
        "": "too short",
        "😀😀": "too short",
        "a b\u3000c d": "too long",
    }
    assert reasons(rows, step("length", min=1, max=3, unit="words")) == {"": "too short", "a b\u3000c d": "too long"}


@pytest.mark.faults
def test_other_languages_leave_and_what_cannot_be_told_stays() -> None:
    german, english = "Das Zimmer war sehr klein und leider auch laut", "the room was small and the street was loud"
    rows = table(
        [
            german,
            english,
            "这家酒店的服务非常好，下次还会再来住的，早餐也不错",
            "kurz",
            "😀" * 30,
            "12 345 678 901 234 567 890 123",
            None,
        ]
    )
    assert reasons(rows, step("language", keep=["en", "zh"])) == {german: "language: de"}
    assert "language: zh" in reasons(rows, step("language", keep=["en", "de"])).values()
    with pytest.raises(DataError, match="py3langid knows no qq"):
        cleaned(rows, step("language", keep=["qq"]))


def flipped(texts: pd.Series, labels: pd.Series, share: float = 0.05) -> tuple[pd.DataFrame, set[str]]:
    """Rows of two labels, a share of them with the other label, and the ids of these."""
    rng, names = np.random.default_rng(0), sorted(labels.unique())
    wrong = np.zeros(len(labels), bool)
    wrong[rng.choice(len(labels), round(share * len(labels)), replace=False)] = True
    rows = table(texts.tolist(), labels.mask(wrong, labels.map(dict(zip(names, names[::-1], strict=True)))).tolist())
    return rows, set(rows["id"][wrong])


def found_again(listed: set[str], wrong: set[str]) -> tuple[float, float]:
    """Recall and precision."""
    return len(listed & wrong) / len(wrong), len(listed & wrong) / max(len(listed), 1)


@pytest.mark.faults
def test_flipped_labels_are_listed_and_only_dropped_on_request() -> None:
    """On texts whose label two of a dozen words tell."""
    rng = random.Random(0)
    words = {"pos": ["good", "great", "fine", "lovely"], "neg": ["bad", "awful", "poor", "ugly"]}
    labels = pd.Series([rng.choice(["pos", "neg"]) for _ in range(600)])
    texts = pd.Series(
        [
            " ".join(rng.choices(words[label], k=2) + rng.choices(["room", "bed", "view", str(n)], k=3))
            for n, label in enumerate(labels)
        ]
    )
    rows, wrong = flipped(texts, labels)
    found = cleaned(rows, step("label_errors"))
    listed = found.done[0].listed
    assert listed is not None and len(found.dropped) == 0
    assert (
        list(listed.columns) == ["id", "text", "label", "suggested", "score"]
        and listed["score"].is_monotonic_increasing
    )
    assert found_again(set(listed["id"]), wrong) == (1.0, 1.0)
    assert (listed["label"] != listed["suggested"]).all()
    dropped = cleaned(rows, step("label_errors", action="drop")).dropped
    assert (
        set(dropped["id"]) <= wrong
        and len(dropped) > 0.9 * len(wrong)
        and set(dropped["reason"]) == {"probable label error"}
    )
    again = cleaned(rows, step("label_errors")).done[0].listed
    pd.testing.assert_frame_equal(listed, again)
    assert "agrees with 9" in describe(found)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("name", "recall", "precision"),
    [("sms", 0.75, 0.9), pytest.param("polarity", 0.6, 0.15, marks=pytest.mark.long)],
)
def test_flipped_labels_in_real_texts(
    name: str, recall: float, precision: float, datasets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPER_DATA", str(datasets))
    if name == "sms":
        raw = pd.read_csv(datasets / "sms-spam" / "SMSSpamCollection", sep="\t", names=["label", "text"], quoting=3)
        raw = raw.drop_duplicates(ignore_index=True)
    else:
        files = {"neg": "rt-polarity/rt-polarity.neg", "pos": "rt-polarity/rt-polarity.pos"}
        raw = load_rows(ClassFilesSource(kind="class_files", files=files), Path())
    rows, wrong = flipped(raw["text"], raw["label"])
    listed = cleaned(rows, step("label_errors")).done[0].listed
    dropped = cleaned(rows, step("label_errors", action="drop")).dropped
    for what, ids in (("listed", set(listed["id"])), ("dropped", set(dropped["id"]))):
        recalled, precise = found_again(ids, wrong)
        print(f"{name}: {len(ids)} {what}, recall {recalled:.2f}, precision {precise:.2f}")
    found = found_again(set(listed["id"]), wrong)
    assert found[0] >= recall and found[1] >= precision
    assert found_again(set(dropped["id"]), wrong)[1] > found[1]


def test_no_label_errors_are_listed_where_every_label_is_right() -> None:
    """Found on rows whose last word is their label: cleanlab cannot rank an empty list."""
    listed = cleaned(with_ids(planted(200)), step("label_errors")).done[0].listed
    assert listed is not None and listed.empty and [*listed] == ["id", "text", "label", "suggested", "score"]


def test_label_errors_need_rows_of_every_label() -> None:
    rows = table([f"text {n}" for n in range(20)], ["pos"] * 17 + ["rare"] * 3)
    with pytest.raises(DataError, match=r"two labels of at least 5 rows \(`folds`\), but rare has 3"):
        cleaned(rows, step("label_errors"))
    with pytest.raises(DataError, match="only one label"):
        cleaned(rows.head(9), step("label_errors"))


@pytest.mark.parametrize(
    ("package", "values"),
    [
        ("ftfy", {"kind": "ftfy"}),
        ("stopwordsiso", {"kind": "stop_words", "language": "en"}),
        ("py3langid", {"kind": "language", "keep": ["en"]}),
        ("cleanlab", {"kind": "label_errors"}),
    ],
)
def test_an_absent_package_is_named_with_its_extra(
    package: str, values: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DataError, match=rf"needs the package {package}: pip install 'temper\[clean\]'"):
        cleaned(table(["schön", "text"]), STEP.validate_python(values))
    assert len(cleaned(table(["the"]), step("stop_words", words=["the"])).rows) == 1


def test_a_package_enters_the_key_of_the_recipes_that_need_it_alone() -> None:
    optional = {"ftfy", "stopwordsiso", "py3langid", "cleanlab", "imagehash"}
    assert not optional & set(closure("tasks.clean")[1])

    def libraries(*chosen: object) -> set[str]:
        return set(clean.identify(Clean(steps=chosen), {}, ask=False)[1]["libraries"])  # type: ignore[arg-type]

    assert not optional & libraries("lowercase", step("stop_words", words=["a"]))
    for kind, values, package in (
        ("ftfy", {}, "ftfy"),
        ("stop_words", {"language": "en"}, "stopwordsiso"),
        ("language", {"keep": ["en"]}, "py3langid"),
        ("label_errors", {}, "cleanlab"),
        ("perceptual_duplicates", {}, "imagehash"),
    ):
        assert optional & libraries(step(kind, **values)) == {package}


def test_a_version_that_cannot_be_told_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An absent package is in the key as such; one without a known distribution would change unnoticed."""
    assert versions({"no_such_package", "json", "pandas.core"}) == {
        "no_such_package": "not installed",
        "pandas": pd.__version__,
    }
    (tmp_path / "undistributed.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LookupError, match="no version is known of the package undistributed"):
        versions({"undistributed"})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{kind: replace, pattern: '(a'}", r"'\(a' is no regular expression"),
        (r"{kind: replace, pattern: a, by: '\2'}", "does not fit pattern"),
        (r"{kind: replace, pattern: a, by: '\g<name>'}", "does not fit pattern"),
        ("stop_words", "`language` or `words`"),
        ("{kind: stop_words, language: zh}", "no spaces between words"),
        ("{kind: stop_words, words: [的]}", "use the step `replace`"),
        ("{kind: stop_words, words: [not one]}", "not one word"),
        ("{kind: length, min: 5, max: 4}", "above max"),
        ("{kind: language, keep: [English]}", "pattern"),
    ],
)
def test_a_wrong_step_is_a_wrong_recipe(line: str, message: str, tmp_path: Path) -> None:
    recipe = (ROOT / "configs" / "reviews_demo.yaml").read_text(encoding="utf-8")
    assert "\nclean:" not in recipe
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.replace("\nsplit:", f"\nclean:\n  steps:\n  - {line}\n\nsplit:", 1), encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_an_unknown_stop_list_is_named() -> None:
    with pytest.raises(DataError, match="no stop words are known for 'xx'; there are lists for af, "):
        cleaned(table(["a"]), step("stop_words", language="xx"))
    with pytest.raises(ValidationError, match="no spaces"):
        step("stop_words", language="ja")


def test_steps_for_images_do_not_fit_texts() -> None:
    with pytest.raises(DataError, match=r"has mode, size, for images, but the recipe is about texts"):
        cleaned(table(["a"]), step("mode"), step("size"))


def test_too_much_dropped_is_said() -> None:
    found = clean_rows(table(["a"] * 9 + ["b"]), Clean())
    with pytest.raises(
        DataError,
        match=r"would drop 80% of 10 rows, more than `clean.max_dropped` 0.5: duplicate: 8, such as row \w",
    ):
        require_rest(found, Clean())
    require_rest(found, Clean(max_dropped=0.8))


def stage(tmp_path: Path, lines: list[str], section: Clean) -> Path:
    """The artifact folder of clean on a CSV file with these lines."""
    (tmp_path / "data" / "rows.csv").write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    raw = download.run_or_load(FileSource(kind="file", path="rows.csv"), {}).result
    checked = validate.run_or_load(Validate(max_duplicates=1, min_rows=1, max_missing=1), {"raw": raw}).result
    return clean.run_or_load(section, {"checked": checked}).result.path


@pytest.mark.faults
def test_the_stage_counts_shows_and_keeps_what_it_did(tmp_path: Path) -> None:
    lines = [f"<b>text</b> {n},{'pos' if n % 2 else 'neg'}" for n in range(30)]
    section = Clean(steps=("html", "duplicates", step("contradictions")))  # type: ignore[arg-type]
    folder = stage(tmp_path, [*lines, "text 1,pos", "text 2,pos"], section)
    did = json.loads((folder / "records" / "steps.json").read_text())
    assert [(line["step"], line["changed"], line["dropped"]) for line in did] == [
        ("html", 30, 0),
        ("duplicates", 0, 1),
        ("contradictions", 0, 2),
    ]
    page = (folder / "records" / "summary.md").read_text()
    assert "29 of 32 rows kept" in page and "| `<b>text</b> 0` | `text 0` |" in page and page.count("<b>text</b>") == 5
    assert "Dropped because contradictory label:" in page
    partners = pd.read_parquet(folder / "records" / "partners.parquet")
    ledger = read_ledger(folder / "data" / "ledger.parquet")
    gone = ledger[ledger["stage"] == "clean"]
    assert set(gone["id"]) == set(partners["id"]) and set(gone["reason"]) == {"duplicate", "contradictory label"}
    assert read_rows(folder / "data" / "rows.parquet")["text"].tolist()[:2] == ["text 0", "text 1"]
    assert not (folder / "data" / "images.parquet").exists()


@pytest.mark.faults
def test_the_stage_stops_where_too_little_is_left(tmp_path: Path, home: Path) -> None:
    lines = [f"text number {n},pos" for n in range(20)] + [f"{n},neg" for n in range(5)]
    with pytest.raises(StageError, match=r"left 20 rows with 1 label\(s\)"):
        stage(tmp_path, lines, Clean(steps=(step("length", min=5),)))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"drop 100% of 25 rows, .*too short: 25, such as row "):
        stage(tmp_path, lines, Clean(steps=(step("length", min=99),)))  # type: ignore[arg-type]
    with pytest.raises(StageError, match=r"left 0 rows with 0 label\(s\)"):
        stage(tmp_path, lines, Clean(steps=(step("length", min=99),), max_dropped=1))  # type: ignore[arg-type]
    pages = [path.read_text() for path in (home / ".artifacts" / "clean").glob("*.failed/records/summary.md")]
    assert len(pages) == 3 and any("0 of 25 rows kept" in page for page in pages)


@pytest.mark.parametrize(
    ("steps", "line", "message"),
    [
        (
            ["missing", "urls"],
            "http://t.co/a,pos",
            r"leaves 1 of 31 rows without a text, such as \w{16}-0; put the step",
        ),
        (["unicode"], ",neg", "leaves 1 of 31 rows without a text"),
        ([], "some text,", "leaves 1 of 31 rows without a label"),
        (["urls", "missing"], "http://t.co/a,pos", None),
    ],
)
def test_no_row_leaves_without_text_or_label(
    steps: list[str], line: str, message: str | None, tmp_path: Path, home: Path
) -> None:
    """An emptied text would be trained on, or tested, under its label; a missing one would stop a stage behind."""
    lines = [f"text number {n},{'pos' if n % 2 else 'neg'}" for n in range(30)]
    section = Clean(steps=tuple(steps))  # type: ignore[arg-type]
    if message is None:
        assert len(read_rows(stage(tmp_path, [*lines, line], section) / "data" / "rows.parquet")) == 30
        return
    with pytest.raises(DataError, match=message):
        stage(tmp_path, [*lines, line], section)


def test_silence_of_the_recipe_is_not_no_steps() -> None:
    rows = table([" a ", "a", None])
    assert clean_rows(rows, Clean()).rows["text"].tolist() == ["a"]
    assert len(clean_rows(rows, Clean(steps=())).rows) == 3
