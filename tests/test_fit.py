"""fit: killed anywhere or resumed from damaged checkpoints, it ends bit-equal; early stop, best weights, presets."""

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, TrainingArguments

from configs.models import NewModel
from configs.optimizers import Adadelta, Adagrad, Adam, Adamw, Optimizer, Rmsprop, Rprop, Sgd
from configs.schema import Train
from tasks.kinds.text_classification.encoding import LabelWordEncoding
from tasks.kinds.text_classification.feed import collate_rows
from tasks.learn.checkpoints import certify, check, checkpoints
from tasks.learn.fit import Feed, Fitted, TrainingCallbacks, TrainingRun, fit
from tasks.learn.labels import IGNORE_INDEX
from tasks.learn.optimizers import make_optimizer
from tasks.learn.trainer_arguments import training_arguments
from tasks.text.feed import Rows
from tasks.text.models import take_forward
from tasks.text.parts import Part
from tasks.text.segments import Encoded
from tasks.text.supervision import SupervisedTokens

ENCODING = LabelWordEncoding("label_word", ("neg", "pos"), (4, 5), {"eos": 0}, 12, "longest", 1)
TRAIN, VALIDATION = 22, 9
"""With 2 rows a micro-batch and 2 of these a step: 11 micro-batches, 6 steps an epoch, the sixth incomplete."""
WEIGHTS = "model.safetensors"


class Killed(Exception):
    """What ends a training from outside."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def part(rows: int, seed: int, classes: tuple[int, ...] = (0, 1)) -> Part:
    """Rows as T1's: some tokens, end of text, label."""
    draw = np.random.default_rng(seed)
    ids, labels, offsets, found = [], [], [0], []
    for _ in range(rows):
        length, label = int(draw.integers(1, 10)), int(draw.choice(classes))
        ids += [*draw.integers(6, 40, length).tolist(), 0, 4 + label]
        labels += [IGNORE_INDEX] * (length + 1) + [4 + label]
        offsets.append(len(ids))
        found.append(label)
    encoded = Encoded(np.array(ids, np.int32), np.array(labels, np.int32), np.array(offsets), np.zeros(rows, np.int32))
    return Part([str(i) for i in range(rows)], np.array(found), encoded)


FEED = Feed(Rows(part(TRAIN, 1)), Rows(part(VALIDATION, 2)), collate_rows(ENCODING), ENCODING.label_ids)


def tiny() -> Any:
    """Two heads, one layer, dropout 0.1."""
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=40, n_positions=16, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0)
    return take_forward(GPT2LMHeadModel(config), SupervisedTokens)


def section(**changes: Any) -> Train:
    """Validation and checkpoint every 3 steps, which the curve's 2 do not divide."""
    usual = {"epochs": 2, "batch_size": 2, "accumulation": 2, "eval_steps": 3, "logging_steps": 2, "metric": "loss"}
    usual |= {"learning_rate": 1e-2, "schedule": "linear", "clip": 1.0}
    return Train(model=NewModel(kind="new", family="gpt2"), **{**usual, **changes})


@dataclass
class Run:
    """A finished training."""

    weights: dict[str, Tensor]
    fitted: Fitted
    root: Path
    said: list[str]

    @property
    def optimizer(self) -> dict[int, dict[str, Tensor]]:
        last = max(checkpoints(self.root))[1]
        state: dict[int, dict[str, Tensor]] = torch.load(last / "optimizer.pt", weights_only=True)["state"]
        return state


Kill = Callable[[int, dict[str, float]], bool]


def train(root: Path, how: Train | None = None, *, feed: Feed = FEED, kill: Kill | int | None = None) -> Run:
    """Train; `kill` says at which report, or in which forward pass of the training (1 is the first), to stop it."""
    model, said, passes = tiny(), [], 0

    def report(step: int, values: Any) -> None:
        if callable(kill) and kill(step, values):
            raise Killed

    def count(module: Any, *_: Any) -> None:
        nonlocal passes
        passes += module.training
        if passes == kill:
            raise Killed

    model.register_forward_pre_hook(count)
    torch.seed()  # what the process drew before is of no account
    fitted = fit(
        how or section(), model, feed, TrainingRun(root, TrainingCallbacks(report, lambda *a: None, said.append), 1)
    )
    return Run(model.state_dict(), fitted, root, said)


def at(step: int, name: str) -> Kill:
    return lambda now, values: now == step and name in values


def difference(one: Run, other: Run) -> float:
    """Largest absolute difference of weights and of AdamW's moments; histories and steps must be equal."""
    assert one.fitted.history == other.fitted.history
    assert (one.fitted.step, one.fitted.steps) == (other.fitted.step, other.fitted.steps)
    pairs = [(one.weights[name], other.weights[name]) for name in other.weights]
    first, second = one.optimizer, other.optimizer
    assert first.keys() == second.keys() and len(first) > 10
    pairs += [(first[key][name], second[key][name]) for key in first for name in first[key]]
    return max(float((a - b).abs().max()) for a, b in pairs)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The training that nobody disturbs."""
    torch.set_num_threads(1)
    run = train(tmp_path_factory.mktemp("whole"))
    assert (run.fitted.step, run.fitted.steps, run.fitted.resumed_at) == (12, 12, None)
    assert [step for step, _ in sorted(checkpoints(run.root))] == [9, 12], "two newest; the best is among them"
    return run


KILLS: dict[str, tuple[Kill | int, int | None]] = {
    "mid-epoch, no checkpoint yet": (at(2, "loss"), None),
    "mid-epoch, between two logs": (at(4, "loss"), 3),
    "inside accumulation": (8, 3),
    "at the boundary, before validation": (at(6, "loss"), 3),
    "at the boundary, before the checkpoint": (at(6, "eval_loss"), 3),
    "first micro-batch of epoch 2": (12, 6),
    "inside accumulation in epoch 2": (13, 6),
    "epoch 2": (at(8, "loss"), 6),
    "epoch 2, after the third checkpoint": (at(10, "loss"), 9),
    "at the end, before the last checkpoint": (at(12, "eval_loss"), 9),
}


def killed_and_resumed(root: Path, kill: Kill | int, start: int | None, whole: Run) -> None:
    with pytest.raises(Killed):
        train(root, kill=kill)
    again = train(root)
    assert again.fitted.resumed_at == start
    assert again.said == ([f"resumed from the checkpoint at step {start}"] if start else [])
    assert difference(again, whole) == 0.0


def test_f9_a_killed_training_ends_bit_equal(tmp_path: Path, whole: Run) -> None:
    killed_and_resumed(tmp_path, *KILLS["inside accumulation in epoch 2"], whole)


@pytest.mark.faults
@pytest.mark.parametrize("when", [when for when in KILLS if when != "inside accumulation in epoch 2"])
def test_f9_wherever_it_is_killed(when: str, tmp_path: Path, whole: Run) -> None:
    killed_and_resumed(tmp_path, *KILLS[when], whole)


@pytest.mark.faults
def test_f9_killed_again_and_again(tmp_path: Path, whole: Run) -> None:
    for kill in (8, at(6, "eval_loss"), 5, at(8, "loss"), at(12, "loss")):
        with pytest.raises(Killed):
            train(tmp_path, kill=kill)
    assert difference(train(tmp_path), whole) == 0.0
    once_more = train(tmp_path, kill=1)
    assert difference(once_more, whole) == 0.0, "what has ended is not trained on"


def test_f9_the_comparison_sees_a_lost_random_state(tmp_path: Path, whole: Run) -> None:
    """Planted: the random state of another moment in an otherwise right checkpoint."""
    with pytest.raises(Killed):
        train(tmp_path, kill=at(10, "loss"))
    older, newer = (tmp_path / f"checkpoint-{step}" for step in (6, 9))
    shutil.copyfile(older / "rng_state.pth", newer / "rng_state.pth")
    body = check(older, "")
    (newer / "certificate.json").unlink()
    certify(newer, {**{k: v for k, v in body.items() if k != "files"}, "step": 9, "best": 9})
    again = train(tmp_path)
    assert again.fitted.resumed_at == 9
    assert any(not torch.equal(again.weights[name], whole.weights[name]) for name in whole.weights)


# F10: damaged checkpoints

FILES = (
    "certificate.json",
    "config.json",
    "generation_config.json",
    WEIGHTS,
    "optimizer.pt",
    "rng_state.pth",
    "scheduler.pt",
    "trainer_state.json",
    "training_args.bin",
)


def damage(root: Path, how: str, name: str) -> None:
    """Do it to a file of checkpoint 9, the newest."""
    folder = root / "checkpoint-9"
    path = folder / name
    data = path.read_bytes() if path.is_file() else b""
    if how == "missing":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "flipped":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    elif how == "emptied":
        shutil.rmtree(folder)
        folder.mkdir()
    elif how == "added":
        path.write_bytes(b"x")
    elif how == "swapped":
        shutil.copyfile(root / "checkpoint-6" / name, path)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of a training killed at step 12: of steps 6 and 9."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("prepared")
    with pytest.raises(Killed):
        train(root, kill=at(12, "loss"))
    assert {step for step, _ in checkpoints(root)} == {6, 9}
    assert tuple(sorted(path.name for path in (root / "checkpoint-9").iterdir())) == FILES
    return root


def damaged_and_resumed(root: Path, how: str, name: str, prepared: Path, whole: Run) -> None:
    shutil.copytree(prepared, root)
    damage(root, how, name)
    again = train(root)
    assert len(again.said) == 2 and again.said[0].startswith("checkpoint 9 is damaged (")
    assert again.said[0].endswith("falling back to an earlier one")
    assert again.said[1] == "resumed from the checkpoint at step 6" and again.fitted.resumed_at == 6
    if name and name != "certificate.json":
        assert name in again.said[0]
    assert difference(again, whole) == 0.0


@pytest.mark.parametrize(("how", "name"), [("flipped", WEIGHTS), ("truncated", "optimizer.pt"), ("emptied", "")])
@pytest.mark.faults
def test_f10_a_damaged_checkpoint_is_not_resumed_from(
    how: str, name: str, tmp_path: Path, prepared: Path, whole: Run
) -> None:
    damaged_and_resumed(tmp_path / "root", how, name, prepared, whole)


OTHERS = [(how, name) for how in ("missing", "truncated", "flipped") for name in FILES]
OTHERS += [
    ("added", "pytorch_model.bin"),
    ("added", "scaler.pt"),
    ("swapped", "rng_state.pth"),
    ("swapped", "certificate.json"),
]


@pytest.mark.faults
@pytest.mark.parametrize(("how", "name"), OTHERS)
def test_f10_every_file_in_every_way(how: str, name: str, tmp_path: Path, prepared: Path, whole: Run) -> None:
    if (how, name) == ("swapped", "certificate.json"):
        shutil.copytree(prepared, tmp_path / "root")
        damage(tmp_path / "root", how, name)
        with pytest.raises(ValueError, match="other bytes than were written"):
            check(tmp_path / "root" / "checkpoint-9", "")
        shutil.rmtree(tmp_path / "root")
    damaged_and_resumed(tmp_path / "root", how, name, prepared, whole)


@pytest.mark.faults
def test_f10_nothing_but_damage_starts_afresh(tmp_path: Path, prepared: Path, whole: Run) -> None:
    shutil.copytree(prepared, tmp_path / "root")
    for step in (6, 9):
        (tmp_path / "root" / f"checkpoint-{step}" / WEIGHTS).write_bytes(b"")
    again = train(tmp_path / "root")
    assert len(again.said) == 2 and again.fitted.resumed_at is None and difference(again, whole) == 0.0


@pytest.mark.faults
def test_f10_a_stray_aside_folder_is_written_over(tmp_path: Path, prepared: Path, whole: Run) -> None:
    """What a kill in the middle of writing leaves: half a checkpoint that was never renamed."""
    root = tmp_path / "root"
    shutil.copytree(prepared, root)
    for step in (12, 9):
        shutil.copytree(root / "checkpoint-6", root / "aside" / f"checkpoint-{step}", dirs_exist_ok=True)
    (root / "aside" / "checkpoint-12" / WEIGHTS).write_bytes(b"half")
    again = train(root)
    assert again.said == ["resumed from the checkpoint at step 9"] and difference(again, whole) == 0.0
    assert check(root / "checkpoint-12", "")["step"] == 12


# Best weights and early stopping: with a rate of next to nothing every validation scores the same

LEVEL = {"learning_rate": 1e-9, "metric": "accuracy", "epochs": 4}


@pytest.mark.faults
def test_f10_a_damaged_best_checkpoint_is_not_ended_with(tmp_path: Path) -> None:
    """The newest is intact, but the weights that training would end with are not: all is trained anew."""
    how = section(**{**LEVEL, "epochs": 2})
    calm = train(tmp_path / "calm", how)
    assert calm.fitted.step == 3 and {step for step, _ in checkpoints(calm.root)} == {3, 9, 12}
    root = tmp_path / "root"
    with pytest.raises(Killed):
        train(root, how, kill=at(10, "loss"))
    data = bytearray((root / "checkpoint-3" / WEIGHTS).read_bytes())
    data[-1] ^= 64
    (root / "checkpoint-3" / WEIGHTS).write_bytes(data)
    again = train(root, how)
    assert "the best checkpoint, of step 3" in again.said[0] and again.fitted.resumed_at is None
    assert difference(again, calm) == 0.0
    shutil.rmtree(calm.root / "checkpoint-3")
    with pytest.raises(Killed):
        train(calm.root, how, kill=1)
    assert not checkpoints(calm.root), "even when training had ended"


@pytest.mark.faults
def test_early_stopping_survives_a_resume(tmp_path: Path) -> None:
    how = section(**LEVEL, patience=2)
    calm = train(tmp_path / "calm", how)
    assert (calm.fitted.step, calm.fitted.steps) == (3, 9), "best at 3, no better at 6 and 9"
    for name, kill in {"one validation waited": at(8, "loss"), "at the stop": at(9, "eval_loss")}.items():
        with pytest.raises(Killed):
            train(tmp_path / name, how, kill=kill)
        again = train(tmp_path / name, how)
        assert again.fitted.resumed_at == 6 and difference(again, calm) == 0.0
    stopped = train(calm.root, how, kill=1)
    assert stopped.fitted.resumed_at == 9 and difference(stopped, calm) == 0.0, "it stays stopped"
    assert train(tmp_path / "patient", section(**LEVEL)).fitted.steps == 24


@pytest.mark.parametrize("case", ["worse from the start", "all the same", "ever better"])
@pytest.mark.faults
def test_the_model_ends_with_the_best_weights(case: str, tmp_path: Path) -> None:
    """Validation rows of the other class, a rate of nothing, or rows of the same class."""
    other = {"worse from the start": (1,), "all the same": (0, 1), "ever better": (0,)}[case]
    changes: dict[str, Any] = {**LEVEL, "epochs": 2} if case == "all the same" else {}
    feed = Feed(Rows(part(TRAIN, 1, (0,))), Rows(part(VALIDATION, 2, other)), FEED.collate, FEED.class_ids)
    model, seen = tiny(), {}

    def report(step: int, values: Any) -> None:
        if "eval_loss" in values:
            seen[step] = {name: value.clone() for name, value in model.state_dict().items()}

    fitted = fit(
        section(**changes),
        model,
        feed,
        TrainingRun(tmp_path, TrainingCallbacks(report, lambda *a: None, lambda *a: None), 1),
    )
    losses = {row["step"]: row["eval_loss"] for row in fitted.history if "eval_loss" in row}
    scores = {row["step"]: row["eval_accuracy"] for row in fitted.history if "eval_accuracy" in row}
    best = max(scores, key=lambda s: scores[s]) if case == "all the same" else min(losses, key=lambda s: losses[s])
    assert fitted.step == best == {"worse from the start": 3, "all the same": 3, "ever better": 12}[case]
    assert list(losses) == [3, 6, 9, 12] and (case != "all the same" or len(set(scores.values())) == 1)
    assert all(torch.equal(value, seen[best][name]) for name, value in model.state_dict().items())
    assert best == 12 or any(not torch.equal(value, seen[12][name]) for name, value in model.state_dict().items())
    saved = load_file(tmp_path / f"checkpoint-{best}" / WEIGHTS)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in saved.items())


def test_validation_scores_are_those_of_a_plain_loop(whole: Run) -> None:
    model, rows = tiny(), part(VALIDATION, 2)
    model.load_state_dict(whole.weights)
    model.eval()
    losses, right = [], []
    for row in range(VALIDATION):
        ids = torch.from_numpy(rows.encoded.ids[rows.encoded.offsets[row] : rows.encoded.offsets[row + 1]]).long()
        with torch.inference_mode():
            hidden = model.base_model(input_ids=ids[None, :-1])[0][0, -1]
            scores = model.get_output_embeddings()(hidden).log_softmax(0)
        losses.append(-float(scores[ids[-1]]))
        right.append(int(scores[5] > scores[4]) == rows.class_ids[row])
    last = whole.fitted.history[-1]
    assert last["eval_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert last["eval_accuracy"] == pytest.approx(np.mean(right))


@pytest.mark.parametrize("cause", ["weights", "rate"])
def test_a_loss_that_is_no_number_stops_before_a_checkpoint(cause: str, tmp_path: Path) -> None:
    model, how = tiny(), section(logging_steps=100, learning_rate=1e30 if cause == "rate" else 1e-2, clip=None)
    if cause == "weights":
        model.transformer.ln_f.weight.data[0] = math.nan
    with pytest.raises(FloatingPointError, match=r"step 3: .*nan.* is not finite; lower train.learning_rate"):
        fit(
            how,
            model,
            FEED,
            TrainingRun(tmp_path, TrainingCallbacks(lambda *a: None, lambda *a: None, lambda *a: None), 1),
        )
    assert not checkpoints(tmp_path)


@pytest.mark.faults
def test_without_validation_rows_the_last_weights_are_kept(tmp_path: Path) -> None:
    feed = Feed(FEED.train, None, FEED.collate, FEED.class_ids)
    calm = train(tmp_path / "calm", feed=feed)
    assert (calm.fitted.step, calm.fitted.steps) == (12, 12)
    assert not any("eval_loss" in row for row in calm.fitted.history) and len(calm.fitted.history) > 5
    with pytest.raises(Killed):
        train(tmp_path / "killed", feed=feed, kill=at(8, "loss"))
    assert difference(train(tmp_path / "killed", feed=feed), calm) == 0.0


def test_a_resumed_training_keeps_the_thread_count(tmp_path: Path, prepared: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(prepared, root)
    said: list[str] = []
    fit(section(), tiny(), FEED, TrainingRun(root, TrainingCallbacks(lambda *a: None, lambda *a: None, said.append), 2))
    assert torch.get_num_threads() == 1
    assert len(said) == 1 and said[0].endswith(", with 1 thread as it began, in place of 2"), said


MATHEMATICS = ("lr_scheduler_type", "warmup_steps", "max_grad_norm", "label_smoothing_factor", "bf16", "fp16")


def test_the_preset_hf_is_the_trainers_default(tmp_path: Path) -> None:
    model = NewModel(kind="new", family="gpt2")
    theirs = TrainingArguments(output_dir=str(tmp_path))
    ours = training_arguments(Train(model=model, preset="hf"), tmp_path, 100, True)
    assert {name: getattr(ours, name) for name in MATHEMATICS} == {name: getattr(theirs, name) for name in MATHEMATICS}
    assert ours.max_grad_norm == next(f.default for f in fields(TrainingArguments) if f.name == "max_grad_norm")
    assert theirs.optim.value in {"adamw_torch", "adamw_torch_fused"}, "the same AdamW"
    usual = Adamw(
        betas=(theirs.adam_beta1, theirs.adam_beta2), eps=theirs.adam_epsilon, weight_decay=theirs.weight_decay
    )
    assert Train(model=model, preset="hf").optimizer == usual
    plain = training_arguments(Train(model=model), tmp_path, 100, True)
    assert (plain.lr_scheduler_type, plain.max_grad_norm) == ("constant", 0.0)
    mixed = training_arguments(Train(model=model, preset="hf", clip=0.5, warmup=0.1, epochs=3), tmp_path, 100, True)
    assert (mixed.max_grad_norm, mixed.warmup_steps, mixed.lr_scheduler_type) == (0.5, 4, "linear")


OPTIMISERS = [
    (Adamw(weight_decay=0.1), torch.optim.AdamW, {"weight_decay": 0.1, "fused": True}),
    (Adam(kind="adam", eps=1e-7), torch.optim.Adam, {"eps": 1e-7, "fused": True}),
    (
        Sgd(kind="sgd", momentum=0.9, weight_decay=4e-5),
        torch.optim.SGD,
        {"momentum": 0.9, "weight_decay": 4e-5, "fused": True},
    ),
    (Adagrad(kind="adagrad"), torch.optim.Adagrad, {"fused": True}),
    (Rmsprop(kind="rmsprop"), torch.optim.RMSprop, {}),
    (Adadelta(kind="adadelta"), torch.optim.Adadelta, {}),
    (Rprop(kind="rprop"), torch.optim.Rprop, {}),
]


def five_steps(make: Callable[[torch.nn.Linear], torch.optim.Optimizer]) -> Tensor:
    torch.manual_seed(3)
    model = torch.nn.Linear(4, 2, bias=False)
    steps = make(model)
    for _ in range(5):
        steps.zero_grad()
        model(torch.ones(3, 4)).square().sum().backward()
        steps.step()
    return model.weight.detach()


@pytest.mark.parametrize(("chosen", "plain", "options"), OPTIMISERS)
def test_each_optimiser_steps_as_torchs_own(chosen: Optimizer, plain: Any, options: dict[str, Any]) -> None:
    """AdamW spares the bias from decay, so the comparison has none there. Fused, torch's last bits differ."""
    how = section(optimizer=chosen, learning_rate=0.1, clip=None, accumulation=1)
    ours = five_steps(lambda model: make_optimizer(model, how, {"weight": 0.1}, ["weight"]))
    assert torch.equal(ours, five_steps(lambda model: plain(model.parameters(), lr=0.1, **options)))
    unfused = {**options, **({"fused": False} if "fused" in options else {})}
    loop = five_steps(lambda model: plain(model.parameters(), lr=0.1, **unfused))
    assert torch.allclose(ours, loop, rtol=1e-4, atol=1e-6) and not torch.equal(ours, torch.zeros_like(ours))


def test_an_optimiser_is_fused_where_every_parameter_can_be() -> None:
    """Planted: weights that lie on a device for which torch has no such kernel."""
    how, rates = section(), {"weight": 1e-2, "bias": 1e-2}
    here, elsewhere = torch.nn.Linear(4, 2), torch.nn.Linear(4, 2, device="meta")
    assert make_optimizer(here, how, rates, ["weight"]).defaults["fused"] is True
    assert not make_optimizer(elsewhere, how, rates, ["weight"]).defaults["fused"]


def test_a_checkpoint_of_an_unfused_optimiser_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its state says how it was stepped, and is stepped on that way: bit-equal to a run of before."""
    with monkeypatch.context() as before:
        before.setattr("tasks.learn.optimizers.FUSED", {})
        calm = train(tmp_path / "calm")
        with pytest.raises(Killed):
            train(tmp_path / "killed", kill=at(10, "loss"))
    again = train(tmp_path / "killed")
    assert again.fitted.resumed_at == 9 and difference(again, calm) == 0.0


def test_decay_spares_what_is_not_named() -> None:
    rates = {"weight": 1e-2, "bias": 1e-2}
    adamw = section(optimizer=Adamw(weight_decay=0.1))
    groups = make_optimizer(torch.nn.Linear(4, 2), adamw, rates, ["weight"]).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.1), (1, 0.0)]
    groups = make_optimizer(
        torch.nn.Linear(4, 2), section(optimizer=Sgd(kind="sgd", weight_decay=0.1)), rates, []
    ).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(2, 0.1)]


def test_the_rate_falls_to_nothing_and_the_curve_shows_it(whole: Run) -> None:
    rates = {row["step"]: row["learning_rate"] for row in whole.fitted.history if "learning_rate" in row}
    assert list(rates) == [2, 3, 4, 6, 8, 9, 10, 12], "every second step, and before each checkpoint"
    assert all(rate == pytest.approx(1e-2 * (12 - step + 1) / 12) for step, rate in rates.items())
