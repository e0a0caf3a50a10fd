"""A classifier that starts from a registered masked language model of Temper's own, as tweets_masked.yaml says."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from registered import register_images, register_texts
from safetensors.torch import load_file
from tiny import ROOT, run

from configs.load import load_recipe
from configs.models import LocalModel, RegisteredModel
from configs.schema import Recipe
from tasks.artifact import Artifact, StageError
from tasks.data.errors import DataError
from tasks.pins import pin
from tasks.store.events import Event
from tasks.text.tokenizer import load_tokenizer

pytestmark = pytest.mark.faults
SIZE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
MASKED = [
    "name=words",
    "encode={kind: masked, tokenizer: {kind: train, vocab_size: 420}, max_length: 64}",
    f"train.model={json.dumps({'kind': 'new', 'family': 'bert', 'config': SIZE})}",
    "train.metric=loss",
    "train.learning_rate=1e-2",
    "register={model: words, metric: perplexity}",
]
REGISTERED = "{kind: registered, name: words}"
CLASSIFIER = [
    f"encode={{kind: classifier, tokenizer: {REGISTERED}, max_length: 64}}",
    f"train.model={REGISTERED}",
    "register.model=stars",
]


def recipe(*changes: str) -> Recipe:
    """Each model starts here from 670 embedded reviews."""
    short = ["train.epochs=1", "train.eval_steps=20", "evaluate.bootstrap=100"]
    return load_recipe(ROOT / "configs" / "reviews_demo.yaml", [*short, *changes])


def folder(made: dict[str, Any], stage: str = "train") -> Path:
    found: Artifact = made[stage].result
    return found.file("encoding.json").parent


@pytest.fixture
def words(harness: None, heard: list[Event]) -> Path:
    """The files of a masked language model in the registry, made once for the module."""
    asked = RegisteredModel(kind="registered", name="words", version="1")
    try:
        model, _ = pin(asked, ask=True)
    except StageError:
        run(recipe(*MASKED), heard)
        model, _ = pin(asked, ask=True)
    assert isinstance(model, LocalModel)
    return Path(model.path)


def test_the_encoder_is_the_registered_one_and_the_head_is_new(words: Path) -> None:
    """Of the classifier the head alone is trained, so that afterwards the rest is what it started from."""
    from flows.stage_graph import perform_until

    made = perform_until(recipe(*CLASSIFIER, "train.phases=[{trainable: head}]"), "evaluate")
    start, found = (load_file(place / "model.safetensors") for place in (words, folder(made)))
    encoder = [name for name in start if name.startswith("bert.")]
    assert len(encoder) > 30 and all(torch.equal(start[name], found[name]) for name in encoder)
    new = {name for name in found if name not in start}
    assert new == {"classifier.weight", "classifier.bias", "bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    assert found["classifier.bias"].abs().min() > 0, "it is trained"


def test_the_tokenizer_is_the_registered_one(words: Path) -> None:
    from flows.stage_graph import perform_until

    place = folder(perform_until(recipe(*CLASSIFIER), "encode"), "encode")
    assert (place / "tokenizer.json").read_bytes() == (words / "tokenizer.json").read_bytes()
    special = json.loads((place / "encoding.json").read_text())["special"]
    texts = ["Would come back any time.", "good [MASK]", ""]
    assert load_tokenizer(place, special).ids(texts) == load_tokenizer(words, special).ids(texts)


@pytest.mark.long
def test_all_of_it_trains_and_is_registered(words: Path, heard: list[Event]) -> None:
    version, status = run(recipe(*CLASSIFIER, "train.learning_rate=1e-2"), heard)
    model, _ = pin(RegisteredModel(kind="registered", name="stars", version=version.version), ask=True)
    start, found = (load_file(Path(place) / "model.safetensors") for place in (words, model.path))
    name = "bert.encoder.layer.0.output.dense.weight"
    assert not torch.equal(start[name], found[name]) and status["register"] == "run"


@pytest.fixture
def others(words: Path) -> None:
    """A model of images and a classifier with another vocabulary in the same registry."""
    try:
        pin(RegisteredModel(kind="registered", name="pictures"), ask=True)
    except StageError:
        register_images("pictures")
        register_texts("judge")


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["train.model.name=pictures"], "train.model was trained with encode.kind image and reads no text"),
        (["encode.tokenizer.name=pictures"], "encode.tokenizer: a model of encode.kind image has no tokenizer"),
        (["train.model.name=judge"], "tokenizer has 420 tokens, the model's embedding only 216"),
        (
            [
                *MASKED,
                "encode.tokenizer={kind: registered, name: judge}",
                "train.model={kind: registered, name: judge}",
            ],
            r"trained with encode.kind classifier\): .* weights are absent .* such as cls.predictions",
        ),
        (["encode.kind=label_word"], "lets a token see later ones"),
        (["train.model.name=nobody"], "the registered model nobody champion cannot be had"),
    ],
)
def test_a_start_that_does_not_fit_is_refused_in_a_line(changes: list[str], says: str) -> None:
    from flows.stage_graph import perform_until

    with pytest.raises((DataError, StageError), match=says) as error:
        perform_until(recipe(*CLASSIFIER, *changes), "train")
    assert "\n" not in str(error.value)
