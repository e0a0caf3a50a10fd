"""A drill plants each known fault in a small copy of a recipe's pipeline; what no gate catches makes it fail."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from tiny import ROOT

from configs.load import load_recipe
from flows.cli import drill as command
from flows.drill import challenger_faults, data_faults, export_faults, mask_faults, run, store_faults
from flows.drill.children import in_child
from flows.drill.fault import Copy, Fault, NotApplicable
from flows.drill.planting import spoil
from flows.drill.run import every_fault
from flows.drill.small import _sample, small_changes
from flows.report import last_drill
from tasks.learn.labels import IGNORE_INDEX
from tasks.text.segments import Encoded

REVIEWS = ROOT / "configs" / "reviews_demo.yaml"


def encoded(*rows: tuple[list[int], list[int]]) -> Encoded:
    """Rows of (ids, labels)."""
    offsets = np.cumsum([0, *(len(ids) for ids, _ in rows)])
    flat = [np.array([token for row in rows for token in row[side]], np.int32) for side in (0, 1)]
    return Encoded(flat[0], flat[1], offsets, np.zeros(len(rows), np.int32))


X = IGNORE_INDEX
TWO = encoded(([1, 2, 3, 4], [X, X, 3, 4]), ([5, 6], [X, 6]))


def test_masks_are_spoilt_row_by_row() -> None:
    assert mask_faults.shift_mask(TWO).labels.tolist() == [X, 2, 3, X, 5, X]
    assert mask_faults.unmask_end(TWO).labels.tolist() == [X, X, 3, X, X, X]
    cut = mask_faults.cut_supervised(TWO)
    assert (cut.ids.tolist(), cut.labels.tolist()) == ([1, 2, 3, 5], [X, X, 3, X])
    assert cut.offsets.tolist() == [0, 3, 4]
    tags = encoded(([1, 2, 3], [X, 0, 1]))  # class ids of tokens, as tags are
    assert mask_faults.shift_mask(tags).labels.tolist() == [0, 1, X]
    with pytest.raises(NotApplicable):
        mask_faults.unmask_end(encoded(([1, 2], [X, X])))


def test_truths_are_shifted_and_permuted() -> None:
    truth = pd.Series(["a", None, "b", "c"], dtype="str")
    assert mask_faults.shift_truth(truth, "train").dropna().tolist() == ["c", "a", "b"]
    assert mask_faults.permute_in_test(truth.dropna(), "train").tolist() == ["a", "b", "c"]
    assert mask_faults.permute_in_test(truth.dropna(), "test").tolist() == ["b", "c", "a"]


def test_a_child_returns_raises_is_killed_or_takes_too_long(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def fail() -> None:
        raise ValueError("so")

    assert in_child(lambda: {"a": [1]}, log=log).result == {"a": [1]}
    assert in_child(fail, log=log).error == ("ValueError", "so")
    killed = in_child(lambda: os.kill(os.getpid(), signal.SIGKILL), log=log)
    assert killed.killed and killed.error is not None
    late = in_child(lambda: time.sleep(60), log=log, seconds=0.2)
    assert late.error == ("TimeoutError", "it took longer than 0.2 s")


def test_a_sample_has_rows_of_every_class() -> None:
    rows = pd.DataFrame({"id": range(5000), "label": ["rare" if n % 500 == 0 else "common" for n in range(5000)]})
    few = _sample(rows, 400)
    assert few["id"].is_monotonic_increasing and 390 <= len(few) <= 420
    assert (few["label"] == "rare").sum() == 10


@pytest.mark.parametrize("name", ["reviews_demo", "hotel_demo", "digits_demo", "ants_bees_resnet18", "mnist_mlp"])
def test_recipes_are_made_small(name: str) -> None:
    path = ROOT / "configs" / f"{name}.yaml"
    small = load_recipe(path, small_changes(path, []))
    assert small.train.epochs == 1 and not small.train.phases
    if name == "reviews_demo":
        assert small.train.model.config["n_layer"] == 1  # type: ignore[union-attr]


def test_an_exports_weights_are_turned_in_place(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    path, weights = tmp_path / "model.safetensors", torch.arange(6.0).reshape(2, 3)
    save_file({"head.weight": weights, "head.bias": torch.arange(3.0)}, path, {"format": "pt"})
    export_faults.turn_weights(path)
    turned = load_file(path)
    assert turned["head.weight"].tolist() == [[3, 4, 5], [0, 1, 2]] and turned["head.bias"].tolist() == [0, 1, 2]


def in_fresh_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A drill forks, and what other tests have computed in this process has left threads that do not come along."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=1500
    )


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_every_fault_is_caught_in_the_demo(home: Path) -> None:
    ended = in_fresh_process("-m", "flows", "drill", str(REVIEWS))
    document = last_drill("reviews_demo")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert document is not None and document["uncaught"] == 0 and document["caught"] >= 19, ended.stdout
    assert [fault["fault"] for fault in document["faults"]] == [fault.name for fault in every_fault()]
    assert not (home / "mlruns").exists() or not list((home / "mlruns").rglob("MLmodel"))


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["hotel_demo", "digits_demo"])
def test_every_fault_is_caught_in_other_kinds(home: Path, name: str) -> None:
    ended = in_fresh_process("-m", "flows", "drill", str(ROOT / "configs" / f"{name}.yaml"))
    document = last_drill(name)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert document is not None and document["uncaught"] == 0


def without_certificate(copy: Copy) -> str:
    from tasks.text.certificate import Certificate

    Certificate.require = lambda self, part: None  # type: ignore[method-assign]
    return mask_faults.encode_with(copy, mask_faults.Change(encoded=mask_faults.shift_mask))


def without_checksums(copy: Copy) -> str:
    from tasks.store import disk

    spoil(disk, "_check", lambda original: lambda *_: None)
    return store_faults.damage_files(copy)


def without_sealing(copy: Copy) -> str:
    """A store that takes what is half written for whole."""
    from tasks.store import disk

    def begin(original: object) -> object:
        def visible(root: Path, stage: str, key: str) -> Path:
            partial: Path = original(root, stage, key)  # type: ignore[operator]
            (root / stage / key).mkdir()
            return partial

        return visible

    spoil(disk, "begin", begin)
    return store_faults.kill("clean")(copy)


def without_test(copy: Copy) -> str:
    from tasks.tracking import promotion

    spoil(promotion, "decide_against", lambda original: lambda *_: promotion.Verdict("promoted", "so"))
    return challenger_faults.judged(copy, challenger_faults.useless)


def without_export_gate(copy: Copy) -> str:
    from tasks.export import gate

    def pass_all(original: object) -> object:
        return lambda report, checks: {**report, "passed": True, "checks": []}

    spoil(gate, "conclude", pass_all)
    return export_faults.exported_otherwise(copy)


OFF = (without_certificate, without_checksums, without_sealing, without_test, without_export_gate)
"""Gates that let everything through, one at a time; the first fault of the drill below is let through by the recipe."""


def drill_with_gates_off() -> None:
    """For a process of its own: every gate is off, each in its fault's copy alone."""
    planted = [Fault("copies", "split", data_faults.plant_copies), *(Fault(off.__name__, "", off) for off in OFF)]
    spoil(run, "every_fault", lambda original: lambda: planted)
    try:
        command.command(REVIEWS, ["split.near_copies=keep"])
    except typer.Exit as ended:
        sys.exit(ended.exit_code)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_drill_whose_gates_are_off_fails(home: Path) -> None:
    code = "import test_drill; test_drill.drill_with_gates_off()"
    ended = in_fresh_process("-c", code)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    document = last_drill("reviews_demo")
    assert document is not None
    assert [(fault["fault"], fault["outcome"]) for fault in document["faults"]] == [
        (name, "uncaught") for name in ("copies", *(off.__name__ for off in OFF))
    ]
    assert all("Error" not in fault["statement"] for fault in document["faults"])
