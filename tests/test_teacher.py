"""Students that learn a teacher's scores: the loss, the labels' order, what is asked and what is refused."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tiny import ROOT, recipe
from torch.nn import functional

from configs.load import RecipeError, load_recipe
from configs.models import RegisteredModel
from configs.teacher import Teacher, TeacherScores, scores_of
from flows import teachers
from tasks.artifact import StageError
from tasks.data.errors import DataError
from tasks.kinds.teaching import label_order, require_same_content
from tasks.learn.distillation import Distillation
from tasks.learn.losses import Criterion
from tasks.store.kept_arrays import keep, read_kept


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_loss_is_that_of_the_papers() -> None:
    """KL as Hinton et al. write it, cross entropy with the teacher's softened probabilities less their entropy, times
    temperature squared; the logits' squares of Ba and Caruana; the recipe's own with its weight."""
    logits, scored, labels, heat = numbers(5, 3), numbers(5, 2, 3, seed=1), torch.tensor([0, 1, 2, 1, 0]), 4.0
    wanted = (scored / heat).softmax(2).mean(1)
    own = functional.cross_entropy(logits.float(), labels)
    kl = heat**2 * (wanted * (wanted.log() - (logits / heat).log_softmax(1))).sum() / 5
    squares = (logits - (scored[:, 0] + scored[:, 1]) / 2).square().mean()
    for weights, due in [
        ({"kl": 0.7}, 0.7 * kl),
        ({"mse": 2.0}, 2 * squares),
        ({"kl": 1.0, "mse": 0.5}, kl + squares / 2),
    ]:
        loss = Distillation(Criterion(), 0.3, weights, heat)(logits, labels, None, scored)
        assert loss.item() == pytest.approx((0.3 * own + due).item(), rel=1e-5)


def test_rows_without_a_teacher_have_the_recipes_loss_alone() -> None:
    logits, labels = numbers(4, 3), torch.tensor([0, 1, 2, 1])
    loss = Distillation(Criterion(), 0.0, {"kl": 1.0}, 2.0)(logits, labels, 7)
    assert loss == Criterion()(logits, labels, 7)


def test_a_batch_in_two_halves_gives_the_gradient_of_the_whole() -> None:
    scored, labels = numbers(6, 1, 3, seed=1), torch.tensor([0, 1, 2, 1, 0, 2])
    loss = Distillation(Criterion(), 0.5, {"kl": 0.5, "mse": 0.1}, 2.0)
    gradients = []
    for halves in ([slice(0, 6)], [slice(0, 2), slice(2, 6)]):
        logits = numbers(6, 3).requires_grad_()
        sum(loss(logits[half], labels[half], 6, scored[half]) for half in halves).backward()  # type: ignore[union-attr]
        gradients.append(logits.grad)
    assert torch.allclose(*gradients, rtol=1e-6)  # type: ignore[arg-type]


def test_a_student_of_its_own_logits_has_nothing_to_learn() -> None:
    logits = numbers(4, 3).requires_grad_()
    loss = Distillation(Criterion(), 0.0, {"kl": 1.0, "mse": 1.0}, 3.0)
    loss(logits, torch.zeros(4, dtype=torch.long), None, logits.detach()[:, None]).backward()
    assert logits.grad is not None and logits.grad.abs().max() < 1e-6


def test_scores_stand_in_the_students_order_of_labels() -> None:
    assert label_order(("b", "a", "c"), ("a", "b", "c")) == [1, 0, 2]
    with pytest.raises(DataError, match="has no label 'c'; its labels: a, b"):
        label_order(("a", "b"), ("a", "b", "c"))
    with pytest.raises(DataError, match="label 'c' is none of the student's: a, b"):
        label_order(("a", "b", "c"), ("a", "b"))


def test_a_teacher_of_other_contents_or_without_classes_is_refused() -> None:
    require_same_content("label_word", "classifier")
    with pytest.raises(DataError, match="reads images, the student texts"):
        require_same_content("image", "classifier")
    for kind in ("regression", "dialogue", "multi_label", "token_classification"):
        with pytest.raises(DataError, match="a teacher scores classes"):
            require_same_content(kind, "classifier")


def test_kinds_whose_students_learn_no_classes_do_not_read_it() -> None:
    teacher = "train.teacher={models: [{kind: registered, name: a}]}"
    with pytest.raises(RecipeError, match=r"teacher is not read with encode\.kind: label_word"):
        recipe(teacher)
    read = load_recipe(ROOT / "configs" / "digits_demo.yaml", [teacher])
    assert [*scores_of(read.train.teacher)] == [TeacherScores(RegisteredModel(kind="registered", name="a"))]
    for wrong in ("{models: []}", "{models: [{kind: registered, name: a}], losses: {}}", "{models: [{name: a}]}"):
        with pytest.raises(RecipeError, match=r"train\.teacher"):
            load_recipe(ROOT / "configs" / "digits_demo.yaml", [f"train.teacher={wrong}"])


def test_losses_and_temperature_are_not_of_the_scores() -> None:
    teacher = Teacher(models=(RegisteredModel(kind="registered", name="a"),))
    assert [*scores_of(replace(teacher, temperature=9.0, labels=0.0, losses={"mse": 1.0}))] == [*scores_of(teacher)]


def test_a_torn_array_is_computed_again(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float16).reshape(3, 2)
    keep(tmp_path / "scratch" / "0.npy", values)
    assert np.array_equal(read_kept(tmp_path / "scratch" / "0.npy", (3, 2)), values)
    assert read_kept(tmp_path / "scratch" / "0.npy", (2, 3)) is None
    (tmp_path / "scratch" / "0.npy").write_bytes(b"\x93NUMPY\x01\x00")
    assert read_kept(tmp_path / "scratch" / "0.npy", (3, 2)) is None


class Splits:
    """A split whose held-out rows are these."""

    def __init__(self, folder: Path, **parts: list[str]) -> None:
        self.folder = folder
        for name, ids in parts.items():
            pd.DataFrame({"id": ids}).to_parquet(folder / f"{name}.parquet")

    def file(self, name: str) -> Path:
        return self.folder / name


SEEN: Mapping[str, tuple[dict[str, list[str]] | None, str]] = {
    "alike": ({"train": ["a", "b"], "validation": ["v"]}, ""),
    "trained on test": ({"train": ["a", "t"], "validation": []}, "1 of the 2 test rows, such as t,"),
    "chosen on test": ({"train": ["a"], "validation": ["u"]}, "1 of the 2 test rows, such as u,"),
    "trained on validation": ({"train": ["v"], "validation": []}, "1 of the 1 validation rows, such as v,"),
    "unknown": (None, "does not state which rows it was trained on"),
}


@pytest.mark.parametrize("name", SEEN)
def test_a_teacher_may_not_know_held_out_rows(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.tracking import evidence, models, runs

    fitted, refusal = SEEN[name]
    known = None if fitted is None else {part: frozenset(ids) for part, ids in fitted.items()}
    monkeypatch.setattr(runs, "client", lambda: None)
    monkeypatch.setattr(models, "version_number", lambda *asked: "3")
    monkeypatch.setattr(evidence, "fitted_ids", lambda *asked: known)
    student = load_recipe(
        ROOT / "configs" / "digits_demo.yaml", ["train.teacher={models: [{kind: registered, name: a}]}"]
    )
    splits: Any = Splits(tmp_path, train=["a", "b"], validation=["v"], test=["t", "u"])
    if not refusal:
        teachers.require_unseen(student, splits)
        return
    with pytest.raises(StageError, match=refusal):
        teachers.require_unseen(student, splits)
