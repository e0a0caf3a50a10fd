"""Pictures of a model's answers: readable for any number of classes, in any script, with or without its font."""

import sys
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from configs.load import load_recipe
from tasks.data import fonts as letters
from tasks.data.fonts import columns, drawable, lettering, shorten, spell
from tasks.learn.curves import draw_curves
from tasks.learn.metrics import Confusion
from tasks.learn.pictures import (
    COUNTED,
    MOST_BARS,
    MOST_CLASSES,
    Answer,
    draw_answers,
    draw_calibration,
    draw_confusion,
    draw_grid,
)

CHINESE = list("零一二三四五六七八九十百千万亿")
FONT = "Planted Sans"
PACKAGES = letters.PACKAGES
"""Those that are really searched."""


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No fonts but matplotlib's own, whatever this machine has."""
    monkeypatch.setattr(fontManager, "ttflist", [font for font in fontManager.ttflist if "mpl-data" in font.fname])
    monkeypatch.setattr(letters, "findSystemFonts", list)
    monkeypatch.setattr(letters, "PACKAGES", ())
    search = letters._font_of
    search.cache_clear()
    yield
    search.cache_clear()


def write_font(path: Path, characters: str) -> None:
    """A font that draws each of these characters as a square."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 700), (800, 700), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    names = {ord(letter): f"uni{ord(letter):04X}" for letter in characters}
    order = [".notdef", *names.values()]
    font = FontBuilder(1000)
    font.setupGlyphOrder(order)
    font.setupCharacterMap(names)
    font.setupGlyf(dict.fromkeys(order, square))
    font.setupHorizontalMetrics(dict.fromkeys(order, (900, 100)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": FONT, "styleName": "Regular"})
    font.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    font.setupPost()
    font.save(path)


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python package that brings a font with the Chinese labels."""
    folder = tmp_path / "planted_font"
    (folder / "fonts").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('searched, never imported')\n")
    write_font(folder / "fonts" / "planted.ttf", "".join(CHINESE))
    (folder / "fonts" / "broken.ttf").write_bytes(b"no font")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(letters, "PACKAGES", ("not_there", "planted_font"))


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every figure that is saved."""
    kept: list[Any] = []
    save = Figure.savefig

    def keep(figure: Figure, *args: Any, **options: Any) -> None:
        kept.append(figure)
        save(figure, *args, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return kept


def answers(count: int, classes: int, text: str = "") -> list[Answer]:
    draw = np.random.default_rng(0)
    probabilities = draw.dirichlet(np.full(classes, 0.2), count)
    pixels = draw.integers(0, 256, (count, 12, 9), np.uint8)
    return [Answer(f"r{n}-0", text or pixels[n], n % classes, probabilities[n]) for n in range(count)]


def cells(counts: np.ndarray) -> Confusion:
    """The confusion that a matrix [true, predicted] shows."""
    true, predicted = np.nonzero(counts)
    return Confusion(true, predicted, counts[true, predicted], len(counts))


def draw_all(labels: list[str], folder: Path) -> list[bytes]:
    """Every picture that has labels in it."""
    counts = np.random.default_rng(0).integers(0, 50, (len(labels), len(labels)))
    draw_confusion(cells(counts), labels, folder / "a.png")
    draw_grid(answers(7, len(labels)), labels, folder / "b.png")
    draw_answers(answers(3, len(labels)), labels, folder / "c.png")
    draw_answers(answers(1, len(labels), f"{labels[0]} und so weiter {labels[-1]} " * 90), labels, folder / "d.png")
    return [(folder / f"{name}.png").read_bytes() for name in "abcd"]


def test_the_package_that_temper_asks_for_has_the_recipes_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(Path(__file__).parent.parent / "configs" / "chinese_mnist_cnn.yaml")
    labels = [str(label) for label in recipe.validate.labels or ()]
    with lettering(labels):
        plain = draw_all(drawable(labels), tmp_path)
        assert spell(labels[0]) == "U+96F6"
    monkeypatch.setattr(letters, "PACKAGES", PACKAGES)
    letters._font_of.cache_clear()
    with lettering(labels):
        assert drawable(labels) == labels == CHINESE
        assert all(one != other for one, other in zip(draw_all(labels, tmp_path), plain, strict=True))


def test_without_a_font_labels_are_code_points(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Warnings are errors here, among them matplotlib's of a missing glyph."""
    with lettering(CHINESE):
        assert drawable(["零", "ants", "一x", "零亿"]) == [
            "U+96F6",
            "ants",
            "U+4E00x",
            "U+96F6 U+4EBF",
        ]
    draw_all(CHINESE, tmp_path)
    assert not caplog.records


def test_the_guard_against_missing_glyphs_can_fail(tmp_path: Path) -> None:
    """Drawn as it is, a letter that the font lacks is a warning, and so an error."""
    figure = Figure()
    figure.text(0.5, 0.5, "零")
    with pytest.raises(UserWarning, match="Glyph 38646"):
        figure.savefig(tmp_path / "x.png")


@pytest.mark.usefixtures("planted")
@pytest.mark.faults
def test_a_packaged_font_is_found_and_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with lettering(CHINESE):
        assert spell("零 ants 亿") == "零 ants 亿"
        assert spell("龜") == "U+9F9C", "which the planted font lacks"
    assert spell("零") == "U+96F6", "outside everything is as it was"
    drawn = draw_all(CHINESE, tmp_path)
    assert not caplog.records and "planted_font" not in sys.modules
    letters._font_of.cache_clear()
    letters.fontManager.ttflist = [font for font in fontManager.ttflist if font.name != FONT]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(letters, "PACKAGES", ())
        assert all(one != other for one, other in zip(drawn, draw_all(CHINESE, tmp_path), strict=True))


def test_a_text_in_a_script_without_a_font_is_not_drawn_as_code_points(tmp_path: Path, figures: list[Any]) -> None:
    text = "这部电影真的很好看，我非常喜欢。" * 9
    shown = []
    for seen in (text, f"{'a plain text with one odd letter ' * 3}零"):
        draw_answers([Answer("r", seen, 0, np.array([0.9, 0.1]))], ["a", "b"], tmp_path / "x.png")
        shown.append(" ".join(figures[-1].axes[0].texts[0].get_text().split()))
    assert shown[0].startswith("No installed font has") and shown[1].endswith("odd letter U+96F6")


@pytest.mark.usefixtures("planted")
def test_a_font_that_has_only_some_of_the_letters_is_not_taken() -> None:
    with lettering([*CHINESE, "龜"]):
        assert spell("零") == "U+96F6"


def test_what_matplotlibs_font_has_needs_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    def search(lacking: frozenset[int]) -> str | None:
        raise AssertionError

    monkeypatch.setattr(letters, "_font_of", search)
    with lettering(["αβγ", "жизнь", "naïve →"]):
        assert spell("αβγ") == "αβγ"


def test_labels_may_hold_anything(tmp_path: Path) -> None:
    """A $ that is no formula, a line break, emptiness, a paragraph, an emoji."""
    draw_all(["$a_", r"b$\frac{$", "two\nlines", "", "long " * 30, "\U0001f40c", "\x07"], tmp_path)


@given(st.text(max_size=60), st.integers(1, 30))
def test_a_shortened_label_keeps_its_ends_and_never_its_control_characters(text: str, width: int) -> None:
    short = shorten(text, width)
    head, mark, tail = short.partition("…") if short != text else (text, "", text)
    assert columns(short) <= width and text.startswith(head) and text.endswith(tail) and (mark or short == text)
    assert not any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in spell(text))


def test_control_characters_are_code_points_and_hide_no_font(tmp_path: Path) -> None:
    assert spell("a\nb\x00\u202ec\u2028") == "aU+000AbU+0000 U+202EcU+2028"
    assert spell("a\u200db") in ("a\u200db", "aU+200Db")
    with lettering(["\x07", "a"]):
        assert spell("\x07a") == "U+0007a"
    draw_all(["new\nline", "\x1b[31mred", "\u202eabc", "\u2028", "x" * 300], tmp_path)


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "a…d"),
        ("n02085620-Chihuahua", 12, "n02085…uahua"),
        ("an owl at night", 1, "…"),
        ("零一二", 6, "零一二"),
        ("零一二三", 6, "零…三"),
        ("a零一", 4, "a…"),
        ("", 1, ""),
    ],
)
def test_labels_are_shortened_by_columns(text: str, width: int, short: str) -> None:
    assert shorten(text, width) == short and columns(short) <= width


@pytest.mark.parametrize("classes", [1, 2, 15, COUNTED, COUNTED + 1, 3 * MOST_CLASSES])
@pytest.mark.parametrize("name", ["{}", "一个很长的类别名称 {}"])
@pytest.mark.faults
def test_a_confusion_matrix_is_readable(tmp_path: Path, figures: list[Any], classes: int, name: str) -> None:
    """No label covers another or is cut off, and the picture stays below 2,000 pixels a side."""
    counts = np.eye(classes, dtype=np.int64) * 1234
    draw_confusion(cells(counts), [name.format(n) for n in range(classes)], tmp_path / "x.png")
    figure = figures[0]
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert max(figure.get_size_inches()) * 90 < 2000
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        boxes = [label.get_window_extent() for label in labels]
        assert len(boxes) == min(classes, MOST_CLASSES)
        assert not any(one.overlaps(other) for one, other in pairwise(boxes))
        assert all(figure.bbox.x0 <= box.x0 and figure.bbox.y0 <= box.y0 for box in boxes)
    cell = abs(axes.transData.transform((1, 0))[0] - axes.transData.transform((0, 0))[0])
    assert all(text.get_window_extent().width <= cell for text in axes.texts)
    assert len(axes.texts) == (classes if classes <= COUNTED else 0)


def test_of_very_many_classes_those_with_mistakes_are_shown(tmp_path: Path, figures: list[Any]) -> None:
    counts = np.eye(300, dtype=np.int64) * 9
    counts[7, 299] = counts[123, 5] = 1
    draw_confusion(cells(counts), [f"c{n}" for n in range(300)], tmp_path / "x.png")
    shown = [label.get_text() for label in figures[0].axes[0].get_yticklabels()]
    assert {"c5", "c7", "c123", "c299"} <= set(shown) and len(shown) == MOST_CLASSES
    assert figures[0].axes[0].get_title() == "the 100 of 300 classes with the most mistakes"


def test_each_class_has_a_bar_and_of_many_the_likeliest_and_the_true_one(tmp_path: Path, figures: list[Any]) -> None:
    few = Answer("r", "text", 3, np.full(MOST_BARS, 1 / MOST_BARS))
    assert few.bars() == list(range(MOST_BARS))
    values = np.arange(1, 101) / 5050
    many = Answer("r", "text", 0, values)
    assert many.bars() == [*range(99, 89, -1), 0] and many.predicted == 99
    assert Answer("r", "text", 95, values).bars() == list(range(99, 89, -1))
    draw_answers([many], [f"c{n}" for n in range(100)], tmp_path / "x.png")
    chart = figures[0].axes[1]
    assert [label.get_text() for label in chart.get_yticklabels()] == [*(f"c{n}" for n in range(99, 89, -1)), "c0"]
    assert chart.get_title() == "predicted: c99"
    assert chart.get_xlabel() == f"89 other classes share {1 - values[-10:].sum() - values[0]:.3f}"
    assert [bar.get_width() for bar in chart.patches] == pytest.approx(values[many.bars()].tolist())


def test_the_true_class_is_green_and_a_wrong_answer_red(tmp_path: Path, figures: list[Any]) -> None:
    draw_answers([Answer("r", "x", 1, np.array([0.6, 0.3, 0.1]))], ["a", "b", "c"], tmp_path / "x.png")
    reds, greens, _, _ = zip(*(bar.get_facecolor() for bar in figures[0].axes[1].patches), strict=True)
    assert reds[0] > 0.8 and greens[1] > 0.6 and reds[2] == greens[2]


def test_a_sheet_of_images_says_what_each_was_taken_for(tmp_path: Path, figures: list[Any]) -> None:
    drawn = answers(7, 3)
    draw_grid(drawn, ["cat", "dog", "a name of some length"], tmp_path / "x.png")
    axes = figures[0].axes
    assert len(axes) == 10 and [len(one.images) for one in axes] == [1] * 7 + [0] * 3
    names = ["cat", "dog", "a name of…e length"]
    for one, answer in zip(axes, drawn, strict=False):
        title = one.get_title().replace("\n", " ")
        expected = f"{names[answer.truth]} → {names[answer.predicted]}  {answer.probabilities.max():.3f}"
        assert title.split() == expected.split() and one.texts[0].get_text() == answer.id
    draw_grid(drawn[:1], ["cat", "dog", "x"], tmp_path / "one.png")


def test_pictures_of_one_report_are_equal_byte_for_byte(tmp_path: Path) -> None:
    """No time and no version in them."""
    assert draw_all(["a", "b", "c"], tmp_path) == draw_all(["a", "b", "c"], tmp_path)


def test_calibration_and_curves(tmp_path: Path, figures: list[Any]) -> None:
    draw_calibration([(0.35, 1.0, 1), (0.9, 0.8, 99)], 0.1, tmp_path / "x.png")
    draw_calibration([(1.0, 1.0, 5)], 0.0, tmp_path / "x.png")
    history: list[dict[str, float]] = [{"step": n, "loss": 10.0**-n} for n in range(4)]
    history += [{"step": 3, "eval_loss": 0.5, "eval_accuracy": 0.5, "eval_macro_f1": 0.4}]
    draw_curves(history, 3, tmp_path / "x.png", [1, 2])
    draw_curves([], 0, tmp_path / "x.png")
    losses, scores = figures[2].axes
    named = ["training loss", "validation loss", "kept: step 3", "next phase"]
    assert [text.get_text() for text in losses.get_legend().get_texts()] == named and losses.get_yscale() == "log"
    assert scores.get_yscale() == "linear" and len(figures) == 4


def test_the_report_keeps_the_most_confident_errors_and_random_rows(tmp_path: Path) -> None:
    from configs.schema import Evaluate
    from tasks.data.predictions import Predictions
    from tasks.data.sources.image_sets import png
    from tasks.kinds.classification import Scored, worst_mistakes
    from tasks.kinds.classification_report import save
    from tasks.kinds.image_classification.report import ImageClassifier
    from tasks.kinds.image_classification.training import ImageClassification
    from tasks.vision.encoding import ImageEncoding

    encoding = ImageEncoding("image", ("a", "b"), "L", 8, 8, False, "crop", (0.5,), (0.25,))
    sure = np.array([0.9, 0.6, 0.99, 0.7])
    rows = pd.DataFrame({"id": list("wxyz"), "label": ["a", "b", "b", "a"]})
    found = Predictions(np.stack([sure, 1 - sure], 1), np.ones(4, bool))
    scored = Scored(
        rows,
        [png(np.eye(8, dtype=np.uint8))] * 4,
        np.array([0, 1, 1, 0]),
        found,
        ImageClassifier(ImageClassification(encoding)),
        {},
    )
    assert worst_mistakes(scored, 10).tolist() == [2, 1] and worst_mistakes(scored, 1).tolist() == [2]
    for name, section, expected in (
        ("some", Evaluate(), {"confusion", "calibration", "random_rows", "mistakes"}),
        ("none", Evaluate(worst=0), {"confusion", "calibration", "random_rows"}),
    ):
        folder = tmp_path / name
        folder.mkdir()
        save(scored, section, folder, folder)
        assert {path.stem for path in folder.glob("*.png")} == expected
