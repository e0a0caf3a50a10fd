"""Estimates: what stages took is recorded, and foresees later runs; nothing of it changes a key or fails a run."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tiny import ROOT, perform, recipe

from configs.load import load_recipe
from configs.settings import settings
from configs.stages import CACHED, STAGES
from flows.cli.estimate_table import forecast_lines
from flows.estimates import disk_space
from flows.estimates import forecast as forecasts
from flows.estimates.defaults import default_cost
from flows.estimates.disk_space import lack_for
from flows.estimates.document import metrics, tags
from flows.estimates.forecast import Cost, Forecast, StageForecast, forecast
from flows.estimates.foreseen import foresee
from flows.estimates.outcome import Compared, compared, totals
from flows.estimates.past_runs import UNMEASURED
from flows.estimates.three_numbers import Range, exactly, predicted
from flows.estimates.words import duration, durations, size, sizes
from flows.plan import planned
from tasks.store import measurements as store
from tasks.store import workload
from tasks.store.events import Event, listeners
from tasks.store.measurements import FILE, OLDER, Measurement, machine, measurements, record, written
from tasks.store.peak import CLEAR, peak_memory

MIB, GIB = 2**20, 2**30


def line(**changes: Any) -> Measurement:
    usual = {"stage": "train", "recipe": "r", "kind": "image", "alike": "a", "work": 100.0, "seconds": 10.0}
    usual |= {"memory": 500 * MIB, "disk": MIB, "load": 0.0, "machine": machine(), "at": 1, "key": "k"}
    return Measurement(**{**usual, **changes})  # type: ignore[arg-type]


def test_of_one_sample_the_fixed_part_stays_and_the_rest_grows_with_the_work() -> None:
    found = predicted([(100, 10.0)], exactly(300), (4.0, 0.0), 1.5)
    assert found.expected == pytest.approx(4 + 3 * 6)
    assert (found.low, found.high) == (pytest.approx(22 / 1.5), pytest.approx(33))


def test_the_range_holds_all_samples_and_narrows_with_their_number() -> None:
    samples = [(100, 8.0), (100, 10.0), (100, 14.0), (100, 9.0)]
    found = predicted(samples, exactly(100), (0.0, 0.0), 1.5)
    assert all(found.holds(seconds) for _, seconds in samples)
    assert found.expected == 9.5
    assert found.high == pytest.approx(14 * 1.25)
    wide = predicted(samples, Range(50, 100, 400), (0.0, 0.0), 1.5)
    assert wide.low < found.low and wide.high > 4 * 14


def test_measurements_are_read_back_and_a_cut_line_or_another_machine_does_not_count(home: Path) -> None:
    root = home / ".artifacts"
    record(root, line())
    with (root / FILE).open("a") as handle:
        handle.write('{"stage": "tra')  # a kill
    record(root, line(seconds=11.0))
    record(root, line(machine="another"))
    for planted in ('{"stage": 1}', "[]", json.dumps({**line().__dict__, "seconds": -1}), "\x00"):
        with (root / FILE).open("a") as handle:
            handle.write(planted + "\n")
    assert [item.seconds for item in measurements(root)] == [10.0, 11.0]


def test_the_file_of_measurements_has_a_limit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = home / ".artifacts"
    monkeypatch.setattr(store, "LARGEST", 1000)
    for number in range(30):
        record(root, line(at=number))
    assert max((root / name).stat().st_size for name in (FILE, OLDER)) < 1500
    assert [item.at for item in measurements(root)][-1] == 29


@pytest.mark.skipif(not CLEAR.exists(), reason="only Linux resets the peak of a process")
def test_the_peak_of_nested_work_counts_for_what_is_around_it_and_not_for_what_follows() -> None:
    with peak_memory() as outer:
        with peak_memory() as inner:
            held = bytearray(200 * MIB)
            del held
        with peak_memory() as later:
            pass
    assert inner.bytes - later.bytes > 150 * MIB
    assert outer.bytes >= inner.bytes


def test_a_hard_link_takes_no_space_again(tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(b"x" * 100)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "first").write_bytes(b"x" * 1000)
    (tmp_path / "a" / "second").hardlink_to(tmp_path / "a" / "first")
    assert written(tmp_path) == 100


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ("train.seed=7", True),
        ("train.epochs=3", True),
        ("train.learning_rate=0.5", True),
        ("train.batch_size=3", False),
        ("train.model.config.n_layer=2", False),
        ("encode.max_length=33", False),
    ],
)
def test_what_decides_the_cost_of_a_pass_makes_trainings_unlike(change: str, same: bool) -> None:
    from configs.literal import complete

    both = [
        workload.alike("train", {name: complete(getattr(loaded, name)) for name in ("encode", "train")})
        for loaded in (recipe(), recipe(change))
    ]
    assert (both[0] == both[1]) is same


def test_the_work_of_a_training_is_its_epochs_and_a_third_of_its_validations() -> None:
    section = replace(recipe().train, epochs=2, batch_size=4, accumulation=2, eval_steps=5)
    assert workload.steps(section, 81) == 22
    assert workload.passes(section, 81, 30) == pytest.approx(162 + 4 * 30 / 3)


@pytest.mark.faults
def test_stages_are_recorded_once_and_foresee_the_next_run(home: Path) -> None:
    empty = foresee(recipe(), planned(recipe()))
    assert empty is not None and {stage.basis for stage in empty.stages} == {UNMEASURED}
    first = perform(recipe(), [])
    assert set(first.values()) == {"run"}
    lines = measurements(home / ".artifacts")
    assert [item.stage for item in lines] == list(CACHED)
    assert all(item.seconds > 0 and item.memory > 50 * MIB and item.disk > 0 for item in lines)
    assert set(perform(recipe(), []).values()) == {"cached"}
    assert measurements(home / ".artifacts") == lines

    again = foresee(recipe("train.epochs=3"), planned(recipe("train.epochs=3")))
    assert again is not None
    by_stage = {stage.stage: stage for stage in again.stages}
    assert [by_stage[name].status for name in STAGES[:6]] == ["cached"] * 5 + ["run"]
    assert by_stage["train"].basis == "1 run of this recipe"[:5] + " with these settings"
    took = next(item for item in lines if item.stage == "train")
    assert by_stage["train"].work.expected == pytest.approx(took.work * 3, rel=0.1)
    assert by_stage["register"].basis == UNMEASURED
    assert all(stage.cost.disk.low <= stage.cost.disk.expected <= stage.cost.disk.high for stage in again.stages)


def test_a_file_of_measurements_that_cannot_be_written_fails_no_run(home: Path) -> None:
    (home / ".artifacts" / FILE).mkdir(parents=True)
    notes: list[Event] = []
    with listeners(notes.append):
        from flows.stage_graph import perform_until

        perform_until(recipe(), "download")
    (note,) = [event.text for event in notes if event.kind == "note"]
    assert note.startswith("what it took is not recorded for estimates: ")


def test_every_recipe_has_an_estimate_without_any_measurement(home: Path) -> None:
    lines = [{"stage": name, "key": "", "status": "unknown", "changed": [], "seconds": 0.0} for name in STAGES]
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        foreseen = forecast(load_recipe(path), lines, {})  # type: ignore[arg-type]
        for stage in foreseen.stages:
            for part in (stage.cost.seconds, stage.cost.memory):
                assert 0 <= part.low <= part.expected <= part.high, (path.name, stage)
            assert stage.cost.seconds.high > 0


def test_what_a_training_asks_for_counts_before_its_rows_are_encoded(home: Path) -> None:
    given = load_recipe(ROOT / "configs" / "hotel_preferences.yaml")
    plan = planned(given)
    assert plan is not None
    stages = {stage.stage: stage for stage in forecast(given, plan[0], plan[2]).stages}
    assert list(stages)[5:7] == ["train", "reference"] and stages["reference"].status == "unknown"
    assert stages["reference"].cost.seconds.expected > 1


def test_replies_are_expected_to_take_longer_than_labels(home: Path) -> None:
    """Where nothing is known of either."""
    read, written_out = (default_cost("evaluate", kind, exactly(100))[0] for kind in ("label_word", "dialogue"))
    assert written_out.expected > 4 * read.expected and written_out.high > read.high


def test_a_busy_machine_takes_longer_and_an_idle_one_does_not(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.estimates import past_runs

    task = past_runs.Task("train", "r", "image", "a", exactly(100))
    past = [line(load=0.0)]
    found = []
    for now in (0.0, 0.5, 400.0):
        monkeypatch.setattr(past_runs, "load", lambda now=now: now)
        found.append(past_runs.cost_of(task, past)[0].seconds.expected)
    assert found[0] == found[1] == 10.0
    assert found[2] == pytest.approx(10.0 * store.slowdown(400.0)) and found[2] > 20


@pytest.mark.parametrize(
    ("free", "basis", "said"),
    [
        (8 * GIB, "1 run of this recipe", ""),
        (2 * GIB, "1 run of this recipe", "may not fit on its disk"),
        (2 * GIB, UNMEASURED, ""),
        (GIB // 2, UNMEASURED, "is not expected to fit on its disk"),
    ],
)
def test_a_run_that_would_not_fit_on_the_disk_states_it_first(
    free: int, basis: str, said: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the tables of `run` and `plan --estimate`, and in the line that scheduled runs log and notebooks print."""
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    cost = Cost(exactly(1), exactly(1), Range(0, GIB, 4 * GIB))
    foreseen = Forecast((StageForecast("train", "run", cost, basis),))
    shown = str(forecast_lines(foreseen)[-1])
    assert shown.startswith(f"The run {said}: it writes 1.0 (0–4.0) GiB, and ") if said else "disk" not in shown
    monkeypatch.setattr(disk_space, "foresee", lambda *_: foreseen)
    assert lack_for(recipe(), None) == (shown if said else "")


def test_what_lies_outside_of_its_range_is_stated(home: Path) -> None:
    cost = Cost(Range(1, 2, 3), Range(100 * MIB, 200 * MIB, 300 * MIB), Range(MIB, 2 * MIB, 3 * MIB))
    foreseen = forecasts.Forecast(
        (StageForecast("train", "run", cost, "x"), StageForecast("encode", "cached", cost, ""))
    )
    record(settings().store, line(seconds=9.0, memory=250 * MIB, disk=2 * MIB, at=50))
    record(settings().store, line(seconds=9.0, at=1, recipe="other"))
    record(settings().store, line(stage="encode", at=60))
    (stage,) = compared(foreseen, "r", 10)
    assert [stage.held(name) for name in ("seconds", "memory", "disk")] == [False, True, True]
    assert metrics([stage])["estimate.share_within"] == pytest.approx(2 / 3)
    assert metrics([stage])["estimate.seconds.took"] == 9.0
    assert tags([stage])["temper.estimate.train"].startswith("2.0 (1.0–3.0) s, took 9.0 s; memory 200 (100–300) MiB")
    both = totals([stage, replace(stage, took={"seconds": 1.0, "memory": 1.0, "disk": 1.0})])
    assert both.took == {"seconds": 10.0, "memory": 250.0 * MIB, "disk": 2.0 * MIB + 1}
    assert isinstance(both, Compared) and both.forecast.seconds == Range(2, 4, 6)


def test_words() -> None:
    assert [duration(seconds) for seconds in (0.42, 95, 150, 9000)] == ["0.4 s", "95 s", "2.5 min", "2.5 h"]
    assert durations(Range(60, 150, 300)) == "2.5 (1.0–5.0) min"
    assert durations(Range(1, 19, 2832)) == "19 s (1.0 s–47 min)"
    assert (size(1536), sizes(Range(1e9, 2e9, 3e9))) == ("1.5 KiB", "1.9 (0.9–2.8) GiB")
    assert sizes(Range(0, 0, 0)) == "0 (0–0) B"


def test_plan_estimates_without_heavy_libraries(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'prefect', 'mlflow', 'pandas', 'sklearn', 'great_expectations'):\n"
        "    sys.modules[name] = None\n"
        f"sys.argv = ['temper', 'plan', {str(ROOT / 'configs' / 'reviews_demo.yaml')!r}, '--estimate', '--json']\n"
        "from flows.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [entry["stage"] for entry in document["estimates"]] == [*STAGES, "all"]
    assert document["notes"] == ["once its rows are encoded, a few real steps of the training are measured"]


def test_a_stage_that_no_flow_runs_loads_no_prefect(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from configs.load import load_recipe\n"
        "from flows.stage_graph import perform_until\n"
        "from tasks.store.measurements import measurements\n"
        "from configs.settings import settings\n"
        f"perform_until(load_recipe(Path({str(ROOT / 'configs' / 'reviews_demo.yaml')!r})), 'download')\n"
        "assert [line.stage for line in measurements(settings().store)] == ['download'], 'it was not measured'\n"
        "print(*(name for name in ('prefect', 'mlflow') if name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr


@pytest.mark.faults
def test_real_steps_are_measured_once_and_change_no_training(home: Path, tmp_path: Path) -> None:
    from tiny import TINY

    from flows.estimates.steps import STAGE, Source
    from flows.plan import plan
    from flows.stage_graph import perform_until

    perform_until(recipe(), "encode")
    before = sorted(path.relative_to(home) for path in (home / ".artifacts").rglob("*"))
    source = Source(ROOT / "configs" / "reviews_demo.yaml", TINY)
    lines, _, cached = plan(recipe(), ask=False)
    foreseen = forecast(recipe(), lines, cached, source=source)
    (train,) = [stage for stage in foreseen.stages if stage.stage == "train"]
    assert train.basis == "a few real steps"
    assert 0 < train.cost.seconds.low < train.cost.seconds.expected < 600
    assert 100 * MIB < train.cost.memory.expected < 4096 * MIB
    assert [item.stage for item in measurements(settings().store)].count(STAGE) == 1
    assert sorted(path.relative_to(home) for path in (home / ".artifacts").rglob("*")) == before
    forecast(recipe(), lines, cached, source=Source(tmp_path / "gone.yaml", []))  # no child: it is known
    digest = perform_until(recipe(), "train")["train"].result.digest
    (home / ".artifacts").rename(home / "with estimate")
    assert perform_until(recipe(), "train")["train"].result.digest == digest


@pytest.mark.faults
def test_both_stand_on_the_mlflow_run(home: Path) -> None:
    from flows.estimates.document import took_document
    from tasks.tracking import runs
    from tasks.tracking.estimates import log_estimates

    client = runs.client()
    run_id = client.create_run(runs.experiment(client, "r")).info.run_id
    cost = Cost(Range(1, 2, 3), Range(100, 200, 300), Range(1, 2, 3))
    stage = Compared("train", cost, {"seconds": 2.5, "memory": 250.0, "disk": 2.0})
    log_estimates(run_id, took_document([stage]), metrics([stage]), tags([stage]))
    data = client.get_run(run_id).data
    assert data.metrics["estimate.seconds.expected"] == 2 and data.metrics["estimate.seconds.took"] == 2.5
    assert data.metrics["estimate.share_within"] == 1.0
    assert data.tags["temper.estimate.train"].startswith("2.0 (1.0–3.0) s, took 2.5 s")
    assert [item.path for item in client.list_artifacts(run_id)] == ["estimates.json"]
