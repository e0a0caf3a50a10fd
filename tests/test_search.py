"""temper search: repeatable samplers, a study that is killed, what pruning costs, luck against gain."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import ROOT, TINY

from configs.load import RecipeError
from configs.search import Search
from tasks.artifact import StageError
from tasks.store import studies
from tasks.store.events import Event, Stopped, listeners

pytest.importorskip("optuna", reason="the extra `search` is not installed (make search)")
pytestmark = pytest.mark.faults

import stub_search  # noqa: E402

from tasks.search.samplers import sampler_of  # noqa: E402
from tasks.search.space import drawn  # noqa: E402
from tasks.search.study import open_study  # noqa: E402

DIGITS = ROOT / "configs" / "digits_demo.yaml"
REVIEWS = ROOT / "configs" / "reviews_demo.yaml"


class Killed(BaseException):
    """As SIGKILL, without the process."""


def storage(folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    return f"sqlite:///{folder / 'studies.db'}"


def facts(study: Any) -> list[tuple[Any, ...]]:
    trials = study.optuna.get_trials(deepcopy=False)
    return [(t.number, t.state, t.params, t.value, t.intermediate_values) for t in trials]


@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [
        ("tpe", "median"),
        pytest.param("random", "hyperband", marks=pytest.mark.long),
        pytest.param("grid", "none", marks=pytest.mark.long),
    ],
)
def test_a_killed_study_ends_equal_to_an_undisturbed_one(
    tmp_path: Path, sampler: str, pruner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at random calls of the storage: while a trial is drawn, measured, or ended."""
    monkeypatch.setattr(stub_search, "SPACE", {**stub_search.SPACE, "train.learning_rate": [1e-3, 1e-2, 1e-1]})
    monkeypatch.setitem(
        stub_search.SPACE, "train.optimizer.momentum", {"values": [0.5, 0.9], "when": {"train.optimizer": "sgd"}}
    )
    undisturbed = stub_search.study_of(storage(tmp_path / "a"), sampler, pruner)
    stub_search.run(undisturbed, tmp_path / "a")
    assert len(facts(undisturbed)) == 16
    draw, kills = random.Random(f"{sampler} {pruner}"), 0
    while True:
        study = stub_search.study_of(storage(tmp_path / "b"), sampler, pruner)
        left = draw.randrange(1, 25)

        def dying(call: Any) -> Any:
            def counted(*args: Any, **kwargs: Any) -> Any:
                nonlocal left
                left -= 1
                if left <= 0:
                    raise Killed
                return call(*args, **kwargs)

            return counted

        backend = study.optuna._storage._backend
        for name in ("create_new_trial", "set_trial_param", "set_trial_intermediate_value", "set_trial_user_attr"):
            monkeypatch.setattr(backend, name, dying(getattr(backend, name)))
        monkeypatch.setattr(backend, "set_trial_state_values", dying(backend.set_trial_state_values))
        try:
            stub_search.run(study, tmp_path / "b")
            break
        except Killed:
            kills += 1
    assert kills >= 3
    assert facts(study) == facts(undisturbed)


@pytest.mark.parametrize("most", [5, pytest.param(20, marks=pytest.mark.long)])
def test_sigkills_lose_no_trial_double_none_and_train_none_again(most: int, tmp_path: Path) -> None:
    undisturbed = stub_search.study_of(storage(tmp_path / "a"), trials=stub_search.MANY)
    stub_search.run(undisturbed, tmp_path / "a")
    place, draw, kills, command = storage(tmp_path / "b"), random.Random(5), 0, [sys.executable, stub_search.__file__]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    trace = tmp_path / "b" / "trace"
    while kills < most:
        before = trace.stat().st_size if trace.exists() else 0
        process = subprocess.Popen([*command, place, str(tmp_path / "b")], env=environment)
        while process.poll() is None and (not trace.exists() or trace.stat().st_size == before):
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 0.06))
        process.kill()
        if process.wait() == 0:
            break
        kills += process.returncode == -signal.SIGKILL
    assert kills == most, "the search was over before"
    study = stub_search.study_of(place, trials=stub_search.MANY)
    stub_search.run(study, tmp_path / "b")
    assert facts(study) == facts(undisturbed)
    steps = trace.read_text().split("\n")[:-1]
    assert len(steps) - len(set(steps)) <= kills, "at most the step at which it was killed is done again"


def test_more_trials_go_on_with_the_same_study(tmp_path: Path) -> None:
    first = stub_search.study_of(storage(tmp_path / "a"), trials=5)
    stub_search.run(first, tmp_path / "a")
    more = stub_search.study_of(storage(tmp_path / "a"), trials=9)
    stub_search.run(more, tmp_path / "a")
    assert facts(more)[:5] == facts(first)[:5]
    assert len(facts(more)) == 9


def test_what_is_drawn_is_what_the_recipe_states() -> None:
    space = {"train.learning_rate": {"low": 0.001, "high": 0.1, "log": True}, "train.model.dropout": [0.0, 0.5]}
    numbers = {"train.learning_rate": 0.0123456, "train.model.dropout": "0.5"}
    values = drawn(Search(space=space), lambda key, _: numbers[key])
    assert values == {"train.learning_rate": 0.01235, "train.model.dropout": 0.5}


def test_samplers_that_are_not_there_are_named() -> None:
    with pytest.raises(RecipeError, match="no sampler of Optuna; take one of grid, random, tpe"):
        sampler_of(Search(space=stub_search.SPACE, sampler="tree"))
    assert sampler_of(Search(space=stub_search.SPACE, sampler="QMCSampler"))


def test_resume_begins_no_study_and_a_dead_storage_is_named(tmp_path: Path) -> None:
    search = Search(space=stub_search.SPACE)
    with pytest.raises(StageError, match="no study x was begun"):
        open_study("x", search, "loss", storage(tmp_path / "a"), begun=True)
    with pytest.raises(StageError, match="TEMPER_STUDIES"):
        open_study("x", search, "loss", f"sqlite:///{tmp_path}/no/such/folder.db", begun=False)


def outcome(effect: float, draw: np.random.Generator) -> str:
    """The verdict on a search of 8 trials over two values, of which the second raises the accuracy by `effect`."""
    from tasks.learn.comparison import Side, weigh

    values = draw.integers(0, 2, 8)
    validated = draw.normal(0.8 + effect * values, 0.02)  # of seeds and of 400 validation rows
    best = int(values[validated.argmax()])
    if best == 0:
        return "same"
    rows, seeds = 600, 5
    hard = draw.normal(0, 1.5, rows)

    def tested(accuracy: float) -> Any:
        level = np.log(accuracy / (1 - accuracy)) * 2 + draw.normal(0, 0.05, (seeds, 1))
        return draw.random((seeds, rows)) < 1 / (1 + np.exp(-(level + hard)))

    sides = [
        Side(name, tuple(range(seeds)), tested(0.8 + effect * value), ()) for name, value in (("a", 0), ("b", best))
    ]
    return str(weigh(sides, np.arange(rows), 0.95, first_is_new=False)["pairs"][0]["verdict"])


def test_a_useless_key_is_called_useless_and_a_useful_one_is_found() -> None:
    """200 searches each: at most 5 % of the useless ones (with three standard errors) are called better or worse."""
    draw = np.random.default_rng(0)
    useless = [outcome(0.0, draw) for _ in range(200)]
    useful = [outcome(0.06, draw) for _ in range(200)]
    wrong = sum(verdict in ("helped", "hurt") for verdict in useless) / 200
    found = sum(verdict == "helped" for verdict in useful) / 200
    print(f"false alarms {wrong:.3f}, power {found:.3f}")
    assert wrong <= 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5
    assert found >= 0.8


SMALL = "n_layer: 1, n_head: 2, n_embd: 16, n_positions: 64"


def quick(*changes: str) -> list[str]:
    large = SMALL.replace("16", "32")
    sizes = f"train.model.config: {{options: {{small: {{{SMALL}}}, large: {{{large}}}}}}}"
    search = f"search={{space: {{train.learning_rate: [1e-3, 1e-2], {sizes}}}, sampler: grid, pruner: none, seeds: 2}}"
    return [*TINY, "evaluate.baselines=[majority]", search, *changes]


def run(path: Path, changes: list[str], begun: bool = False) -> dict[str, Any]:
    from flows.search import search
    from flows.searched_recipe import read_subject

    return dict(search(read_subject(path, changes), begun))


def test_a_search_from_recipe_to_verdict(harness: None, heard: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    """Four trials, then four trainings that are compared; one parent run in MLflow; a second call trains nothing."""
    from configs.settings import settings
    from tasks.tracking.runs import client

    found = run(REVIEWS, quick())
    assert [line["state"] for line in found["trials"]] == ["complete"] * 4
    trained = [event for event in heard if event.stage == "train" and event.kind == "finished"]
    assert found["best"]["value"] == max(line["value"] for line in found["trials"])
    keys = [line["key"] for line in found["trials"]]
    assert len(set(keys)) == 4 and {event.key for event in trained} >= set(keys)
    api = client()
    parent = api.get_run(found["mlflow_run_id"])
    assert parent.data.tags["temper.verdict"] == found["verdict"]
    names = {item.path for item in api.list_artifacts(parent.info.run_id)}
    assert names >= {"summary.md", "search.json", "history.png", "slices.png", "coordinates.png"}
    children = api.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert len(children) == 4
    assert api.search_registered_models() == []
    assert list(studies.begun(settings().store)) == [], "it is over: gc keeps what its last runs used"
    heard.clear()
    again = run(REVIEWS, quick(), begun=True)
    assert again["trials"] == found["trials"] and again["mlflow_run_id"] == found["mlflow_run_id"]
    assert not [event for event in heard if event.stage == "train" and event.status == "run"]
    with pytest.raises(StageError, match="no study"):
        run(REVIEWS, quick("train.clip=2.0"), begun=True)


def test_no_trial_reads_a_test_row(harness: None, heard: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    """With test parts that cannot be read every trial is trained, and the comparison alone fails."""
    from flows import search as flow
    from tasks.artifact import Artifact

    whole = Artifact.file

    def unreadable(self: Artifact, name: str) -> Path:
        if self.stage in ("split", "encode") and name.startswith("test."):
            raise PermissionError(f"{self.stage}/{name} is read")
        return whole(self, name)

    prepare = flow.prepare

    def prepared(recipe: Any) -> Any:
        rows = prepare(recipe)
        monkeypatch.setattr(Artifact, "file", unreadable)
        return rows

    monkeypatch.setattr(flow, "prepare", prepared)
    with pytest.raises(PermissionError, match=r"test\.parquet is read"):
        run(REVIEWS, quick("train.clip=1.5"))
    trials = [event for event in heard if event.kind == "trial"]
    assert len(trials) == 4 and all("accuracy" in event.text for event in trials)


def test_a_search_that_is_not_over_keeps_what_its_trials_made(harness: None, heard: list[Event]) -> None:
    """It is killed in its second training: with no place left gc keeps the model and the unfinished one."""
    from configs.settings import settings
    from flows.collect import Rules, decisions
    from tasks.store.sweep import Catalogue

    root, trained = settings().store, list[Event]()
    before = {search.study for search in studies.begun(root)}

    def kill(event: Event) -> None:
        trained.extend([event] if event.stage == "train" and event.kind in ("finished", "measured") else [])
        if event.kind == "measured" and sum(each.kind == "finished" for each in trained) == 1:
            raise Killed

    with listeners(kill), pytest.raises(Killed):
        run(REVIEWS, quick("train.clip=1.7"))
    (search,) = (search for search in studies.begun(root) if search.study not in before)
    keys = {key for stage, key in search.artifacts if stage == "train"}
    assert {each.key for each in trained if each.kind == "finished"} < keys and len(keys) == 2
    decided = decisions(Rules(1, 1, 0.0), Catalogue.read(root), print)
    ours = {each.entry.form: each for each in decided if each.entry.key in keys}
    assert {*ours} == {"artifact", "unfinished"}
    assert not [each for each in decided if each.entry.key in keys and each.delete]
    assert ours["unfinished"].why == f"the search {search.study} is not over"


def test_what_a_trial_cannot_do_ends_the_trial_alone(harness: None, heard: list[Event]) -> None:
    odd = SMALL.replace("16", "17")
    space = f"{{train.model.config: {{options: {{one: {{{SMALL}}}, odd: {{{odd}}}}}}}}}"
    with pytest.raises(RecipeError):
        run(REVIEWS, [*TINY, "search={space: {train.epochs: [1, 0]}, sampler: grid}"])
    changes = [*TINY, "evaluate.baselines=[majority]", f"search={{space: {space}, sampler: grid, seeds: 2}}"]
    found = run(REVIEWS, changes)
    states = [line["state"] for line in found["trials"]]
    assert states == ["complete", "failed"]
    assert found["trials"][1]["reason"]
    assert found["verdict"] == "the recipe's own values are the best that were tried"


def test_a_stopped_training_leaves_nothing_and_is_no_failure(harness: None, heard: list[Event]) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client

    from configs.load import load_recipe
    from configs.settings import settings
    from flows.compare import prepare
    from flows.trial import trial_run
    from tasks.tracking.runs import TRAINING, client

    recipe = load_recipe(REVIEWS, [*TINY, "train.eval_steps=5"])
    steps: list[int] = []
    unfinished = {*(settings().store / "train").glob("*.partial")}

    def stop(event: Event) -> None:
        if event.kind == "measured" and "eval_loss" in event.values:
            steps.append(event.done)
            raise Stopped("enough")

    @flow(name="both", persist_result=False)
    def both() -> Any:
        with listeners(stop):
            studies.begin("stopped", REVIEWS, [])
            return trial_run("stopped early", recipe, recipe, prepare(recipe), "stopped")

    key, model = both()
    assert (steps, model) == ([5], None), "it ends at the first validation"
    assert {*(settings().store / "train").glob("*.partial")} == unfinished
    with get_client(sync_client=True) as api:
        assert "Stopped" in {run.state_name for run in api.read_task_runs() if run.name == "train"}
        assert {run.state_name for run in api.read_flow_runs() if run.name == "stopped early"} == {"Completed"}
    experiments = [each.experiment_id for each in client().search_experiments()]
    (logged,) = client().search_runs(experiments, f"tags.`{TRAINING}` = '{key}'")
    assert logged.info.status == "FINISHED"
    assert not [event for event in heard if event.kind == "failed"]


@pytest.mark.long
def test_a_pruned_trial_costs_what_it_ran(harness: None, heard: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pruner that ends the second trial at its first validation: two validations fewer, and it stays so."""
    from optuna.pruners import BasePruner

    from tasks.search import study

    class Second(BasePruner):
        def prune(self, study: Any, trial: Any) -> bool:
            return bool(trial.number == 1)

    monkeypatch.setattr(study, "pruner_of", lambda *_: Second())
    found = run(REVIEWS, quick("train.eval_steps=6", "train.clip=1.6"))
    assert [line["state"] for line in found["trials"]] == ["complete", "pruned", "complete", "complete"]
    pruned = found["trials"][1]
    assert pruned["step"] == 6 and pruned["value"] is None and pruned["key"]
    measured = [event.done for event in heard if event.kind == "measured" and "eval_loss" in event.values]
    assert measured.count(6) == measured.count(12) + 1


def test_the_document_is_json(harness: None, heard: list[Event]) -> None:
    found = run(REVIEWS, quick())
    assert json.loads(json.dumps(found)) == found
