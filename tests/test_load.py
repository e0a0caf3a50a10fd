"""Recipes: mistakes are named with file, line, key and fix, before anything is done."""

import json
import os
import subprocess
import sys
from dataclasses import field, make_dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import cleaning, literal, models, schema
from configs.load import RecipeError, load_recipe, parse

CONFIGS = Path(__file__).parent.parent / "configs"
GOOD = """\
name: good
download:
  kind: embedded
validate:
  labels: [neg, pos]
  min_rows: 600
split:
  kind: hash
  seed: 0
encode:
  kind: label_word
  tokenizer:
    kind: train
    vocab_size: 2000
  max_length: 64
train:
  model:
    kind: new
    family: gpt2
    config: {n_layer: 2, n_head: 4}
  learning_rate: 1e-3
  epochs: 5
register:
  model: good
"""
Change = tuple[str, str]
NO_REGISTER = ("register:\n  model: good\n", "")

WRONG: dict[str, tuple[bytes | list[Change], str]] = {
    "a misspelt key": ([("epochs", "epoch")], "{file}:22: `train.epoch` is not a key; did you mean `epochs`?"),
    "a misspelt section": ([("validate:", "validat:")], "{file}:4: `validat` is not a key; did you mean `validate`?"),
    "a key deep below": (
        [("vocab_size", "vocabsize")],
        "{file}:14: `encode.tokenizer.vocabsize` is not a key of kind `train`; did you mean `vocab_size`?",
    ),
    "a key of another kind": (
        [("kind: hash", "kind: given")],
        "{file}:9: `split.seed` is not a key of kind `given`; valid keys: kind, validation",
    ),
    "a key like no other": ([("  seed: 0", "  colour: red")], "{file}:9: `split.colour` is not a key of kind `hash`"),
    "a word for a number": ([("epochs: 5", "epochs: many")], "{file}:22: `train.epochs`: expected a valid integer"),
    "a fraction for a number": ([("epochs: 5", "epochs: 1.5")], "{file}:22: `train.epochs`: expected a valid integer"),
    "truth for a number": ([("epochs: 5", "epochs: true")], "{file}:22: `train.epochs`: expected a number, got true"),
    "a number out of bounds": ([("epochs: 5", "epochs: 0")], "{file}:22: `train.epochs`: expected greater than"),
    "no number at all": ([("1e-3", ".nan")], "{file}:21: `train.learning_rate`: expected a finite number, got nan"),
    "numbers for labels": (
        [("[neg, pos]", "[0, 1]")],
        "{file}:5: `validate.labels.0`: expected a valid string, got 0;",
    ),
    "a list for a number": ([("n_layer: 2", "n_layer: [2]")], "{file}:20: `train.model.config.n_layer`: expected int"),
    "a list for a section": ([("register:\n  model: good", "register: [a]")], "{file}:23: `register`: expected keys"),
    "nothing for a section": ([("register:\n  model: good", "register:")], "{file}:23: `register`: expected keys"),
    "a missing section": ([NO_REGISTER], "{file}: `register` is missing; add it"),
    "a missing key": ([("    family: gpt2\n", "")], "{file}:17: `train.model.family` is missing; add it"),
    "an unknown kind": (
        [("kind: embedded", "kind: embeded")],
        "{file}:3: `download.kind`: expected one of embedded, hub, file, class_files, url, images, torchvision, "
        "crosswoz, sgd, got 'embeded'; did you",
    ),
    "no kind": ([("    kind: train\n", "")], "{file}:12: `encode.tokenizer` needs a `kind`, one of train, files, hub"),
    "an unknown choice": ([("epochs: 5", "schedule: linar")], "got 'linar'; did you mean `linear`?"),
    "a key that stands twice": (
        [("  epochs: 5", "  epochs: 5\n  epochs: 6")],
        "{file}:23: the key `train.epochs` stands",
    ),
    "an anchor": ([("[neg, pos]", "&a [neg, pos]")], "{file}:5: anchors and aliases are not allowed"),
    "an alias": ([("[neg, pos]", "*a")], "{file}:5: anchors and aliases are not allowed"),
    "a merge key": ([("  epochs: 5", "  <<: {epochs: 5}")], "{file}:22: `train.<<` is not a key"),
    "a tag": ([("epochs: 5", "epochs: !!python/object:os.system 5")], "{file}:22: tags are not allowed"),
    "no YAML": ([("[neg, pos]", "[neg, pos")], "{file}:6: not valid YAML: expected ',' or ']'"),
    "a tab": ([("  epochs", "\tepochs")], "{file}:22: not valid YAML: found character '\\t'"),
    "two documents": (
        [NO_REGISTER, ("name", "---\nname: a\n---\nname")],
        "{file}:3: not valid YAML: expected a single",
    ),
    "a list for a key": ([("  epochs: 5", "  [epochs]: 5")], "{file}:22: a key must be one word"),
    "a control character": (GOOD.encode() + b"#\0", "{file}:25: not valid YAML: the character #x0000"),
    "brackets without end": (b"a: " + b"[" * 9999, "{file}:1: so many levels are not allowed"),
    "no UTF-8": (GOOD.encode() + "# caf\xe9".encode("latin-1"), "{file}:25: byte 0xe9 is not UTF-8; save it as UTF-8"),
    "a list": (b"- a\n- b\n", "{file}: not a recipe; a recipe is a mapping of sections"),
    "a word": (b"hello", "{file}: not a recipe; a recipe is a mapping of sections"),
    "nothing": (b"", "{file}: empty; a recipe is a mapping of sections"),
    "shares that do not add up": ([("  seed: 0", "  train: 0.5")], "{file}:9: `split`: train + validation + test must"),
    "labels that are equal": ([("[neg, pos]", "[neg, neg]")], "{file}:5: `validate`: labels must be two or more"),
    "patience without validation": (
        [("  seed: 0", "  train: 0.9\n  validation: 0"), ("epochs: 5", "patience: 2")],
        "{file}:23: train.patience needs validation rows",
    ),
    "class weights for a writer": (
        [("epochs: 5", "class_weights: balanced")],
        "{file}:22: train.class_weights is not read with encode.kind: label_word",
    ),
    "epochs beside phases": (
        [("epochs: 5", "epochs: 5\n  phases: [{trainable: head}]")],
        "epochs is read only without phases",
    ),
    "a step for images on texts": (
        [("split:\n", "clean:\n  steps: [whitespace, size]\n\nsplit:\n")],
        "{file}:8: clean.steps has size, for images, but the recipe is about texts",
    ),
    "words for other labels": (
        [("max_length: 64", "label_words: {neg: bad, good: good}")],
        "{file}:15: encode.label_words names ['good', 'neg'], validate.labels ['neg', 'pos']",
    ),
}
COMMANDS = (
    "a misspelt key",
    "a word for a number",
    "truth for a number",
    "a missing section",
    "an unknown kind",
    "a key that stands twice",
    "an anchor",
    "no YAML",
    "no UTF-8",
    "a list",
    "nothing",
    "brackets without end",
    "patience without validation",
)
"""Those that are also tried with the real command."""


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("clean.steps=[near_duplicates, html]", "has near_duplicates, html, for texts"),
        ("clean.steps=[unreadable, lowercase]", "clean.steps has lowercase, for texts, but the recipe is about images"),
        ("split={kind: time, test_from: 2020-01-01}", "which images do not have"),
        ("split.similarity=0.9", "split.similarity is read only for texts"),
    ],
)
def test_what_is_for_texts_is_refused_for_images(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(Path(__file__).parent.parent / "configs" / "digits_demo.yaml", [override])
    load_recipe(
        Path(__file__).parent.parent / "configs" / "digits_demo.yaml",
        ["clean.steps=[unreadable, duplicates]", "split.similarity=0.8"],
    )


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        (
            "digits_demo",
            ["train.gradient_checkpointing=true"],
            "gradient_checkpointing is not read with",
        ),
        ("digits_demo", ["train.step_factor=0.5"], "step_factor is not read without schedule: step"),
        ("digits_demo", ["train.step_epochs=2"], "step_epochs is not read without schedule: step"),
        ("mnist_mlp", ["train.model.slope=0.3"], "slope is not read without activation: leaky_relu"),
        ("mnist_mlp", ["encode.fit=squash"], "fit is not read without size"),
        ("mnist_mlp", ["train.optimizer={kind: sgd, nesterov: true}"], "nesterov needs a momentum above 0"),
        (
            "mnist_mlp",
            ["evaluate.baselines=[tfidf]"],
            "tfidf is none for encode.kind image",
        ),
        ("reviews_demo", ["evaluate.baselines=[centroid]"], "centroid is none for encode.kind label_word; take of maj"),
        ("reviews_demo", ["split.near_copies=keep", "split.similarity=0.9"], "is not read with near_copies: keep"),
        ("reviews_demo", ["validate.tools={a: [b]}"], "validate.tools is not read with texts"),
        ("reviews_demo", ["validate.severity={turns: warn}"], "validate.severity.turns is not read with texts"),
        ("mnist_mlp", ["validate.max_chars=5"], "validate.max_chars is not read with images"),
        ("hotel_demo", ["validate.severity={nuls: warn}"], "validate.severity.nuls is not read with dialogues"),
        ("hotel_demo", ["validate.max_imbalance=5"], "max_imbalance is not read with dialogues without labels"),
        ("tweets_confidence", ["validate.severity={splits: fail}"], "splits is not read with texts without labels"),
        ("mnist_mlp", ["train.metric=loss"], "train.metric is not read without validation rows"),
        ("mnist_mlp", ["train.group_by_length=true"], "train.group_by_length is not read with encode.kind: image"),
        ("reviews_local_gpt2", ["train.group_by_length=true"], "is not read with encode.padding: max_length"),
        ("hotel_demo", ["encode.packing=true", "train.group_by_length=true"], "is not read with encode.packing"),
    ],
)
def test_what_nothing_would_read_is_refused(name: str, overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(CONFIGS / f"{name}.yaml", overrides)


def test_what_is_read_in_one_phase_is_not_refused() -> None:
    load_recipe(
        CONFIGS / "digits_demo.yaml", ["train.epochs=1", "train.phases=[{schedule: step}]", "train.step_factor=0.5"]
    )
    load_recipe(CONFIGS / "mnist_mlp.yaml", ["train.model.activation=leaky_relu", "train.model.slope=0.3"])
    load_recipe(CONFIGS / "mnist_mlp.yaml", ["train.optimizer={kind: sgd, nesterov: true, momentum: 0.9}"])


def write(path: Path, case: bytes | list[Change]) -> Path:
    text = GOOD
    for old, new in case if isinstance(case, list) else []:
        assert old in text
        text = text.replace(old, new)
    path.write_bytes(text.encode() if isinstance(case, list) else case)
    return path


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write(tmp_path / "good.yaml", [])


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, name: str) -> None:
    case, message = WRONG[name]
    file = write(tmp_path / "wrong.yaml", case)
    with pytest.raises(RecipeError) as caught:
        load_recipe(file)
    assert message.replace("{file}", str(file)) in str(caught.value)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.faults
def test_the_command_ends_at_once_with_code_2_and_makes_nothing(tmp_path: Path, home: Path, name: str) -> None:
    case, message = WRONG[name]
    file = write(tmp_path / "wrong.yaml", case)
    before = sorted(tmp_path.rglob("*"))
    command = [str(Path(sys.executable).with_name("temper")), "run", str(file)]
    done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message.replace("{file}", str(file)) in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_every_mistake_is_named_not_only_the_first(tmp_path: Path) -> None:
    file = write(tmp_path / "wrong.yaml", [("epochs", "epoch"), ("min_rows: 600", "min_rows: 0"), NO_REGISTER])
    with pytest.raises(RecipeError) as caught:
        load_recipe(file)
    said = str(caught.value)
    assert len(said.splitlines()) == 3
    assert all(key in said for key in ("`train.epoch`", "`validate.min_rows`", "`register`"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "override `train.epochs`: write it as section.key=value"),
        ("=3", "override `=3`: write it as section.key=value"),
        ("train..epochs=3", "override `train..epochs=3`: write it as section.key=value"),
        ("train.epoch=3", "override `train.epoch=3`: `train.epoch` is not a key; did you mean `epochs`?"),
        ("trian.epochs=3", "override `trian.epochs=3`: `trian` is not a key; did you mean `train`?"),
        ("train.epochs=many", "override `train.epochs=many`: `train.epochs`: expected a valid integer, got 'many'"),
        ("train.epochs=yes", "override `train.epochs=yes`: `train.epochs`: expected a valid integer, got 'yes'"),
        ("train.clip=true", "override `train.clip=true`: `train.clip`: expected a number, got true or false"),
        ("train.epochs=[", "override `train.epochs=[`: not valid YAML"),
        ("train.epochs=*a", "override `train.epochs=*a`: anchors and aliases are not allowed"),
        ("train.model={a: 1, a: 2}", "override `train.model={a: 1, a: 2}`: the key `a` stands twice"),
        ("train.epochs.x=3", "override `train.epochs.x=3`: `epochs` is a value, not a section"),
        ("train=3", "override `train=3`: `train`: expected keys below it, got 3"),
        ("evaluate.baselines=[x]", "override `evaluate.baselines=[x]`: `evaluate.baselines.0`: expected 'majority'"),
        ("register.thresholds={acuracy: 0.5}", "or 'perplexity', got 'acuracy'; did you mean `accuracy`?"),
        ("train.patience=0", "override `train.patience=0`: `train.patience`: expected greater than or equal to 1"),
        ("split.train=0.5", "override `split.train=0.5`: `split`: train + validation + test must be 1"),
        ("split.kind=given", "{file}:9: `split.seed` is not a key of kind `given`"),
        ("train.class_weights=balanced", "override `train.class_weights=balanced`: train.class_weights is not read"),
        ("train.phases=[{freeze: {first: 1, last: 1}}]", "give either first or last"),
        ("train.phases=[{freeze: {firt: 1}}]", "`train.phases.0.freeze.firt` is not a key; did you mean `first`?"),
        ("train.phases=[{freeze: {first: 0}}]", "`train.phases.0.freeze.first`: expected greater than or equal to 1"),
        ("train.loss={mse: -1}", "`train.loss.mse`: expected greater than 0, got -1"),
        ("train.phases=[{trainable: head, epoch: 1}]", "did you mean `epochs`?"),
        ("download={kind: url, url: 'https://a.org/b.csv', sha256: no}", "`download.sha256`: should match pattern"),
        ("download={kind: url, url: 'https://a.org/b.csv'}", "`download.sha256` is missing; add it"),
        ("download={kind: url, url: 'ftp://a.org/b.csv', sha256: no}", "`download.url`: should match pattern"),
        ("download={kind: url, url: [b.csv], sha256: no}", "`download.url.0`: should match pattern"),
    ],
)
def test_a_wrong_override_is_named(good: Path, override: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(good, [override])
    assert message.replace("{file}", str(good)) in str(caught.value)


def test_an_override_in_a_section_that_is_wrong_elsewhere_is_not_blamed_alone(tmp_path: Path) -> None:
    file = write(tmp_path / "wrong.yaml", [("  seed: 0", "  train: 0.5")])
    with pytest.raises(RecipeError, match=f"{file}:9: `split`"):
        load_recipe(file, ["split.seed=3"])


def test_overrides_reach_every_depth_and_the_last_one_wins(good: Path) -> None:
    recipe = load_recipe(
        good,
        [
            "train.epochs=2",
            "train.epochs=3",
            "train.model.config.n_layer=4",
            "evaluate.bootstrap=100",
            "validate.labels=[a, b]",
            "train.clip=1e-1",
        ],
    )
    assert recipe.train.epochs == 3
    assert recipe.train.model == models.NewModel(kind="new", family="gpt2", config={"n_layer": 4, "n_head": 4})
    assert recipe.evaluate.bootstrap == 100
    assert recipe.validate.labels == ("a", "b")
    assert recipe.train.clip == pytest.approx(0.1)


def test_an_override_fills_a_section_that_is_empty(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", [("register:\n  model: good", "register:")])
    assert load_recipe(file, ["register.model=other"]).register.model == "other"


def test_a_recipe_that_is_not_there_names_the_nearest(tmp_path: Path, good: Path) -> None:
    with pytest.raises(RecipeError, match=r"god\.yaml: no such recipe; did you mean .*good\.yaml\?"):
        load_recipe(tmp_path / "god.yaml")
    with pytest.raises(RecipeError, match=r"did you mean .*configs/reviews_demo\.yaml\?"):
        load_recipe(Path("reviews_demo"))
    with pytest.raises(RecipeError, match="no such recipe"):
        load_recipe(Path())


def test_words_that_older_yaml_takes_for_truth_or_dates_stay_words(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", [("[neg, pos]", "[no, on, 2024-01-01, 0x1f, 1:30, '1']")])
    assert load_recipe(file).validate.labels == ("no", "on", "2024-01-01", "0x1f", "1:30", "1")


def test_keys_are_always_words(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.yaml", [("[neg, pos]", "['0', '1']"), ("max_length: 64", "label_words: {0: bad, 1: ok}")]
    )
    assert getattr(load_recipe(file).encode, "label_words", None) == {"0": "bad", "1": "ok"}


def test_a_byte_order_mark_is_no_part_of_the_recipe(tmp_path: Path, good: Path) -> None:
    assert load_recipe(write(tmp_path / "a.yaml", b"\xef\xbb\xbf" + GOOD.encode())) == load_recipe(good)


WORDS = st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs")), max_size=20)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS


@settings(deadline=None)
@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner), max_leaves=10))
def test_json_is_read_as_json(value: object) -> None:
    assert parse(json.dumps(value, ensure_ascii=False), str, {}) == value


def test_preset_hf_fills_what_the_recipe_leaves_open_and_nothing_else(good: Path) -> None:
    temper, hf = load_recipe(good).train, load_recipe(good, ["train.preset=hf"]).train
    assert (temper.schedule, temper.clip) == ("constant", None)
    assert (hf.schedule, hf.clip, hf.warmup, hf.optimizer.weight_decay) == ("linear", 1.0, 0.0, 0.0)
    assert hf.learning_rate == temper.learning_rate
    own = load_recipe(good, ["train.preset=hf", "train.clip=null", "train.schedule=cosine"]).train
    assert (own.schedule, own.clip) == ("cosine", None)


def test_defaults_json_has_every_field_that_a_recipe_can_leave_open() -> None:
    assert literal.unrecorded(schema.Recipe) == {}, "run `python -m configs.literal`"
    text = literal.DEFAULTS.read_text(encoding="utf-8")
    known = json.loads(text)
    assert text == json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert (known["Validate.min_rows"], known["Adamw.betas"], known["Recipe.split"]) == (
        10,
        [0.9, 0.999],
        {"kind": "hash"},
    )


def test_a_field_that_nobody_recorded_is_found() -> None:
    planted = make_dataclass("Planted", [("old", int), ("new", int, field(default=3))])
    assert literal.unrecorded(planted) == {"Planted.new": 3}
    twice = make_dataclass("Clean", [("steps", cleaning.Clean, field(default=cleaning.Clean()))])
    with pytest.raises(ValueError, match="two dataclasses are called Clean"):
        literal.unrecorded(twice)


def test_a_new_option_changes_no_key_and_a_changed_default_does() -> None:
    grown = make_dataclass("Unicode", [("form", str, field(default="NFC")), ("accents", str, field(default="keep"))])
    assert literal.literal(grown()) == literal.literal(cleaning.Clean()) == {}
    changed = make_dataclass("Unicode", [("form", str, field(default="NFKC"))])
    assert literal.literal(changed()) == {"form": "NFKC"}


def test_recording_again_changes_nothing() -> None:
    before = literal.DEFAULTS.read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "configs.literal"],
        cwd=literal.DEFAULTS.parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "every default is recorded\n"
    assert literal.DEFAULTS.read_bytes() == before
