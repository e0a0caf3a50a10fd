"""Limits of a run: refused or made smaller before anything is computed; smaller batches make the same updates."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from test_models import WRITER, part, writer
from tiny import ROOT, TINY
from torch import nn

from configs.models import NewModel
from configs.optimizers import Sgd
from configs.phases import Phase
from configs.schema import Train
from flows.cli import load_command, run
from flows.estimates import memory_limit
from flows.estimates.amounts import parse_duration, parse_size, typed_duration
from flows.estimates.budget import check_budget
from flows.estimates.limits import Limits, keep_within
from flows.estimates.memory_limit import check_stages, fit_training, smaller_sizes
from flows.estimates.planned_run import PlannedRun, due, plan_run
from flows.estimates.real_steps import trained_batch_norms
from flows.estimates.steps import Exceeded, Source, ask
from tasks.artifact import StageError
from tasks.learn.fit import Feed, TrainingCallbacks, TrainingRun, fit, plain_layout
from tasks.store.events import listeners
from tasks.store.measurements import machine, record
from tasks.store.workload import alike
from tasks.text.feed import Rows, collate_rows
from tasks.text.models import take_forward
from tasks.text.supervision import SupervisedTokens

MIB = 2**20
RECIPE = ROOT / "configs" / "reviews_demo.yaml"


def planned(*changes: str) -> PlannedRun:
    return plan_run(Source(RECIPE, [*TINY, *changes]))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), ("2h30m", 9000), (" 1H1M1s ", 3661), ("0.5s", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert seconds <= parse_duration(typed_duration(seconds)) < seconds + 60


@pytest.mark.parametrize(
    "text", ["", "10", "m", "0m", "-5m", "10 minutes", "30m2h", "1e3s", "٣m", "1,5h", "9" * 400 + "h"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 90s, "):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("8GiB", 8 * 2**30), ("500MiB", 500 * MIB), ("2GB", 2 * 10**9), ("1.5 gib", 3 * 2**29)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "8", "8G", "GiB", "0MiB", "-1GiB", "8 GiBs", "1e3MiB", "9" * 400 + "GiB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size such as 8GiB, "):
        parse_size(text)


@pytest.mark.parametrize(("option", "value"), [("--budget", "10"), ("--memory", "8G")])
def test_on_the_command_line_that_is_a_mistake_of_usage(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        load_command("run").main([str(RECIPE), option, value], prog_name="temper")
    assert ended.value.code == 2 and f"got '{value}'" in " ".join(capsys.readouterr().err.replace("│", "").split())


def test_batches_are_divided_so_that_accumulating_makes_up_for_it() -> None:
    assert [list(smaller_sizes(rows)) for rows in (1, 7, 12, 64)] == [[], [1], [6, 3, 1], [32, 16, 8, 4, 2, 1]]


def test_a_run_is_refused_where_it_is_expected_to_take_longer(home: Path) -> None:
    tiny = planned("train.epochs=40")
    total = tiny.foreseen().total.seconds
    with pytest.raises(StageError) as refused:
        check_budget(tiny, total.expected / 2, measure=False)
    first, *named, last = str(refused.value).splitlines()
    assert "more than --budget" in first and "nothing was begun" in first
    assert named[0].startswith("  train: ") and named[0].endswith("from defaults, which are wide: no run here yet")
    ways = re.findall(r"[a-z]+\.[a-z_]+=\d+", last)
    assert [way.partition("=")[0] for way in ways] == ["train.epochs", "split.train_rows"]
    assert all(tiny.changed(way).foreseen().total.seconds.expected <= total.expected / 2 for way in ways)
    needed = last.partition("--budget ")[2]
    assert "but may take" in check_budget(tiny, parse_duration(needed), measure=False)
    assert check_budget(tiny, total.high, measure=False) == ""


def test_what_no_number_of_epochs_makes_fit_has_no_such_advice(home: Path) -> None:
    with pytest.raises(StageError) as refused:
        check_budget(planned(), 3, measure=False)
    assert str(refused.value).splitlines()[-1].startswith("it needs --budget ")


def test_what_is_cached_is_within_every_limit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report is there, and the registry is asked when the run asks."""
    lines = [{**line, "status": "cached"} for line in planned().plan[0][:-1]]
    register = {**planned().plan[0][-1], "status": "unknown"}
    done = replace(planned(), plan=([*lines, register], [], {}))  # type: ignore[list-item]
    assert due(done.foreseen()) == []
    assert keep_within(done, Limits(0.001, 1)) == (done, [])
    lines[6]["status"] = "run"
    evaluated = replace(done, plan=([*lines, register], [], {}))  # type: ignore[list-item]
    with pytest.raises(StageError, match="more than --budget"):
        keep_within(evaluated, Limits(0.001))


def test_a_stage_that_was_measured_is_refused_and_a_guess_is_stated(home: Path) -> None:
    tiny = planned()
    assert "evaluate 1.2 (0.5–6.0) GiB, from no run here yet" in check_stages(tiny, 1000 * MIB)
    assert check_stages(tiny, 16 * 2**30) == ""
    from configs.literal import complete

    sections = {name: complete(getattr(tiny.recipe, name)) for name in ("encode", "train", "evaluate")}
    same = {"kind": tiny.recipe.encode.kind, "alike": alike("evaluate", sections), "machine": machine()}
    from test_estimates import line

    record(home / ".artifacts", line(stage="evaluate", recipe=tiny.recipe.name, memory=1800 * MIB, **same))
    with pytest.raises(StageError, match=r"(?s)evaluate 1.\d .*from 1 run of this recipe.*lower evaluate.batch_size"):
        check_stages(tiny, 1000 * MIB)


def test_the_command_ends_with_1_and_nothing_is_computed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        run.command(RECIPE, list(TINY), budget=2.0)
    assert ended.value.exit_code == 1
    assert "the run is expected to take" in capsys.readouterr().err
    assert not (home / ".artifacts").exists() or not list((home / ".artifacts").glob("*/*/manifest.json"))


def test_a_plan_that_cannot_be_made_ends_a_run_with_limits(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = "download={kind: file, path: nowhere.csv, columns: {text: text, label: label}}"
    with pytest.raises(typer.Exit) as ended:
        run.command(RECIPE, [*TINY, nowhere], budget=3600.0)
    assert ended.value.exit_code == 1 and "nowhere.csv" in capsys.readouterr().err


@pytest.fixture(scope="module")
def encoded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which rows are encoded once."""
    from flows.stage_graph import perform_until

    place = tmp_path_factory.mktemp("encoded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPER_HOME", str(place))
        perform_until(planned().recipe, "encode")
    return place


@pytest.fixture
def notes(encoded_home: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is reported, with encoded rows and no measurements."""
    monkeypatch.setenv("TEMPER_HOME", str(encoded_home))
    for path in (encoded_home / ".artifacts").glob("measurements*"):
        path.unlink()
    said: list[str] = []
    with listeners(lambda event: said.append(event.text) if event.kind == "note" else None):
        yield said


def planted(monkeypatch: pytest.MonkeyPatch, *, norms: int = 0, base: int = 100, each: int = 20) -> list[int]:
    """In place of the child: a training that holds `base` MiB, and `each` MiB per row of a batch; batches asked for."""
    asked: list[int] = []

    def answer(source: Source, encoded: Any, limit: int) -> Any:
        assert encoded.stage == "encode"
        rows = plan_run(source).recipe.train.batch_size
        asked.append(rows)
        if (base + each * rows) * MIB > limit:
            raise Exceeded(0 if base * MIB > limit else base * MIB, norms)
        times = {"begin": 1.0, "each": 0.01, "validate": 0.01, "keep": 0.1, "weights": 1, "checkpoint": 3}
        return {**times, "memory": (base + each * rows) * MIB, "batch_norms": norms}

    monkeypatch.setattr(memory_limit, "ask", answer)
    return asked


@pytest.mark.faults
def test_a_training_is_divided_until_it_fits(notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked, whole = planted(monkeypatch), planned("train.accumulation=3")
    fitted = fit_training(whole, 200 * MIB)
    assert asked == [16, 8, 4]
    section = fitted.recipe.train
    assert (section.batch_size, section.accumulation) == (4, 12)
    assert replace(section, batch_size=16, accumulation=3) == whole.recipe.train
    assert notes[-2:] == [
        "real steps with train.batch_size 4: 180 MiB",
        "train.batch_size 16 → 4, train.accumulation 3 → 12: the same 48 rows per update and the same gradient",
    ]
    assert "train.accumulation=3" not in fitted.source.overrides and "train.accumulation=12" in fitted.source.overrides
    assert fitted.plan[0][5]["key"] != whole.plan[0][5]["key"] and fitted.plan[0][4] == whole.plan[0][4]
    (train,) = [stage for stage in fitted.foreseen().stages if stage.stage == "train"]
    assert train.basis == "a few real steps" and train.cost.memory.expected == 180 * MIB
    assert fit_training(whole, 16 * 100 * MIB) is whole and asked[-1] == 16
    assert keep_within(whole, Limits(3600 * 24, 16 * 100 * MIB))[0] is whole


@pytest.mark.faults
@pytest.mark.parametrize(
    ("how", "changes", "message"),
    [
        (
            {"each": 150},
            (),
            "even with train.batch_size 1 .of which 100 MiB before the first row.*gradient_checkpointing",
        ),
        ({"base": 300}, (), "more than --memory 200 MiB before its first row: libraries and model"),
        ({"norms": 7}, (), "7 batch norms learn from the rows of one forward pass"),
        ({}, ("train.optimizer={kind: lbfgs}", "train.clip=null"), "lbfgs evaluates a batch several times"),
    ],
)
def test_what_cannot_be_made_smaller_is_refused(
    notes: list[str], monkeypatch: pytest.MonkeyPatch, how: dict[str, int], changes: tuple[str, ...], message: str
) -> None:
    asked = planted(monkeypatch, **how)
    with pytest.raises(StageError, match=f"(?s){message}"):
        fit_training(planned(*changes), 200 * MIB)
    assert asked == ([16, 8, 4, 2, 1] if "each" in how else [16])


@pytest.mark.faults
def test_where_no_steps_are_measured_it_is_refused(notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = planted(monkeypatch)
    monkeypatch.setattr(memory_limit, "why_unmeasured", lambda recipe: "it reads scores of another model")
    with pytest.raises(StageError, match=r"(?s)smaller batches cannot be tried: it reads scores.*by hand"):
        fit_training(planned(), 200 * MIB)
    tiny = planned()
    assert fit_training(tiny, 8 * 2**30) is tiny and "not measured: it reads scores" in notes[-1]
    assert asked == []


@pytest.mark.long
def test_the_child_keeps_within_the_limit_that_it_measures(notes: list[str]) -> None:
    """Batches of 251 of a net with 128 units hold more than a single row: 251 is divided by itself alone."""
    net = "train.model.config={n_layer: 2, n_head: 4, n_embd: 128, n_positions: 64}"
    large = planned(net, "train.batch_size=251")
    with pytest.raises(Exceeded) as loading:
        ask(large.source, large.cached["encode"], 50 * MIB)
    assert loading.value.before == 0
    least = ask(planned(net, "train.batch_size=1").source, large.cached["encode"])["memory"]
    fitted = fit_training(large, least + 80 * MIB)
    assert (fitted.recipe.train.batch_size, fitted.recipe.train.accumulation) == (1, 251)
    assert notes[0].startswith("real steps with train.batch_size 251: more than ")


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), nn.Linear(3, 2)


@pytest.mark.parametrize(
    ("phases", "count"),
    [((), 1), ((Phase(trainable=("head",)),), 0), ((Phase(trainable=("head",)), Phase(trainable="all")), 1)],
)
def test_batch_norms_count_where_a_phase_trains_them(phases: tuple[Phase, ...], count: int) -> None:
    net = Normed()
    section = Train(model=NewModel(kind="new", family="gpt2"), phases=phases)
    assert trained_batch_norms(net, section, plain_layout(net)) == count


def updates(root: Path, rows: int, passes: int, grouped: bool) -> tuple[list[list[int]], torch.Tensor]:
    """Rows of each update of two epochs over 13 rows of unequal length, and the weights that come of them."""
    trained, batches = part(13), []

    def collate(some: Any) -> Any:
        batches.append([number for _, number in some])
        return collate_rows(WRITER)(some)

    section = Train(
        model=NewModel(kind="new", family="gpt2"), optimizer=Sgd(kind="sgd"), learning_rate=0.1, epochs=2,
        batch_size=rows, accumulation=passes, group_by_length=grouped,
    )  # fmt: skip
    model = take_forward(writer(), SupervisedTokens)
    feed = Feed(Rows(trained), None, collate, WRITER.label_ids, lengths=trained.encoded.lengths)
    fit(section, model, feed, TrainingRun(root, TrainingCallbacks(*[lambda *a: None] * 3), 1))
    step, found = rows * passes, [number for batch in batches for number in batch]
    epochs = [found[:13], found[13:]]
    return [epoch[start : start + step] for epoch in epochs for start in range(0, 13, step)], torch.cat(
        [value.detach().reshape(-1) for value in model.parameters()]
    )


@pytest.mark.faults
@pytest.mark.parametrize("grouped", [False, True])
def test_equal_products_make_equal_updates(tmp_path: Path, grouped: bool) -> None:
    """8 × 1 and 2 × 4, the last update of 5 rows, with unequal numbers of targets; float32, no dropout."""
    first = writer()
    started = torch.cat([value.detach().reshape(-1) for value in first.parameters()])
    whole_rows, whole = updates(tmp_path / "whole", 8, 1, grouped)
    rows, divided = updates(tmp_path / "divided", 2, 4, grouped)
    assert rows == whole_rows and [len(update) for update in rows] == [8, 5, 8, 5]
    assert float((divided - whole).abs().max()) <= 1e-5 < 1e-3 < float((whole - started).abs().max())
    _, other = updates(tmp_path / "other", 4, 1, grouped)
    assert float((other - whole).abs().max()) > 1e-4, "another product is another training"
