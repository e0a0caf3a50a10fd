"""Users' strings as MLflow's keys: each text becomes one that MLflow takes, no two the same; no parameter is lost."""

import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.entities import Metric
from mlflow.utils.validation import _validate_metric_name, _validate_param, _validate_tag
from tiny import ROOT

from tasks.tracking import keys, runs
from tasks.tracking.wire_format import TRAINING

ODD = [
    "",
    " ",
    ".",
    "..",
    "/",
    "//",
    "a/",
    "/a",
    "a//b",
    "a/../b",
    "./a",
    "cat (tabby)",
    "dog, big",
    "bad!",
    "a:b",
    "a\n",
    "a ",
    " a",
    "a\tb",
    "Größe",
    "Gro\u0308ße",
    "日本",
    "🙂",
    "\ud800",
    "%",
    "x" * 251,
    "x" * 250,
    "x" * 400,
    "con",
    "a\\b",
    "<script>",
    "'; drop",
    "a=b",
    "train.rate",
    "label_words.bad!",
    "labels.\x1b[31m",
]
TEXTS = st.text(max_size=300)


def check(texts: list[str]) -> None:
    made = {text: keys.key(text) for text in texts}
    for text, name in made.items():
        _validate_param(name, "1")
        _validate_tag(name, "1")
        _validate_metric_name(name)
        assert len(name) <= keys.LONGEST and ":" not in name
        assert keys.key(name) != name or name == text  # what was made of one text is never another's own
    assert len(set(made.values())) == len(made)


def test_every_text_is_a_valid_key_of_its_own() -> None:
    check(ODD + [f"train.label_names.{text}" for text in ODD])
    assert keys.key("train.learning_rate") == "train.learning_rate"
    assert keys.key("system/cpu_utilization_percentage") == "system/cpu_utilization_percentage"
    assert keys.key("encode.label_words.bad!").startswith("encode.label_words.bad_-")


@settings(max_examples=300, deadline=None)
@given(st.sets(TEXTS, max_size=8), st.sets(st.text("(), !-/.aA0f", max_size=6), max_size=8))
def test_that_holds_for_any_texts(some: set[str], close: set[str]) -> None:
    every = some | close
    check(sorted(every | {keys.key(text) for text in every}))


def odd_params(count: int) -> dict[str, object]:
    """More parameters than MLflow takes in one request, most of them with names that it refuses."""
    draw = random.Random(5)
    named = ["".join(draw.choice("ab(),: !é") for _ in range(12)) for _ in range(count)]
    return {f"encode.label_words.{name}": "v" * (7000 if number == 3 else 3) for number, name in enumerate(named)}


@pytest.mark.faults
def test_a_run_has_all_its_parameters_whatever_their_names_and_number() -> None:
    client, given = runs.client(), odd_params(230)
    run_id = runs.training_run(client, "one", {}, given)
    kept = client.get_run(run_id).data.params
    assert kept == keys.params(given) and len(kept) == 230
    assert runs.training_run(client, "one", {}, given) == run_id
    runs.log_values(client, run_id, dict.fromkeys(given, 0.5))
    runs.log_values(client, run_id, dict.fromkeys(given, 0.5))  # nothing is written twice
    history = [client.get_metric_history(run_id, keys.key(name)) for name in list(given)[:3]]
    assert [len(one) for one in history] == [1, 1, 1]
    runs.mark(client, run_id, dict.fromkeys(given, "x"))
    assert keys.key(next(iter(given))) in client.get_run(run_id).data.tags
    keys.log_metrics(client, run_id, [Metric(keys.key(f"{n}!"), n, 0, 0) for n in range(150)])
    assert len(client.get_run(run_id).data.metrics) == 380


CUT = """
import os, signal, sys
from tasks.tracking import keys, runs
real = keys.MlflowClient.log_batch
def once(client, run_id, *a, **k):
    real(client, run_id, *a, **k)
    os.kill(os.getpid(), signal.SIGKILL)
keys.MlflowClient.log_batch = once
runs.training_run(runs.client(), "two", {}, {f"p{n}": n for n in range(150)})
"""


@pytest.mark.faults
def test_a_run_that_was_cut_off_before_its_parameters_is_never_trusted() -> None:
    client = runs.client()
    given = {f"p{n}": n for n in range(150)}
    assert subprocess.run([sys.executable, "-c", CUT], cwd=ROOT).returncode == -9
    run_id = runs.training_run(client, "two", {}, given)
    assert len(client.get_run(run_id).data.params) == 150
    # and one that an earlier Temper left half made, with its key, is completed
    half = client.create_run(runs.experiment(client, "temper"), tags={TRAINING: "three"}).info.run_id
    client.log_param(half, "p0", 0)
    assert runs.training_run(client, "three", {}, given) == half
    assert client.get_run(half).data.params == keys.params(given)
