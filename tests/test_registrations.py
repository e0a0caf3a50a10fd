"""What MLflow's pages say of a training that is registered twice, of its end, of classes that a champion never knew."""

import pandas as pd
import pytest

from tasks.kinds import outcomes
from tasks.learn.champion_test import Rule, contest
from tasks.learn.resampling import Resampling


def table(predicted: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"id": ["1", "2", "3"], "label": ["new", "new", "old"], "predicted": predicted})


def test_a_verdict_names_classes_that_the_champion_never_knew() -> None:
    from tasks.tracking.promotion import Evidence, _summary

    new, old = table(["new", "new", "old"]), table(["old", "old", "old"])
    found = outcomes.changed(new, old, "classifier", ["old", "older"])
    assert found["unknown"] == ["new"] and found["fixed"] == 2
    mixed = table(["old", "old", "new"])  # one of the rows that are fixed is of a class that it knew
    for other, known in ((old, ["old", "new"]), (mixed, ["old"]), (new, ["old"]), (old, None)):
        assert "unknown" not in outcomes.changed(new, other, "classifier", known)
    sides = (outcomes.outcomes(side, "classifier", "accuracy") for side in (new, old))
    fought = contest(*sides, Rule(Resampling(200, 0.95, 0), None, 1), None)
    summary = _summary("accuracy", Evidence("4", "", None, fought, (), found))
    assert "2 rows fixed, 0 broken; every fixed row is of a class that version 4 never knew (new)" in summary


@pytest.mark.faults
def test_a_second_registration_moves_no_end_and_keeps_what_was_said_of_the_first() -> None:
    from registered import register_texts

    from tasks.artifact import Artifact
    from tasks.tracking import descriptions, model_package, models, runs
    from tasks.tracking.wire_format import VERDICT

    register_texts("first")
    client = runs.client()
    run_id = str(client.get_model_version("first", "1").run_id)
    client.set_terminated(run_id, "FINISHED", 4_000)
    client.set_model_version_tag("first", "1", VERDICT, "promoted: the first champion")
    key = next(path.name for path in (runs.settings().store / "train").iterdir())
    facts = {
        "kind": "classifier",
        "content": "text",
        "labels": ["neg", "pos"],
        "shown": ["accuracy"],
        "scores": {"accuracy": 0.5},
        "intervals": {},
        "baselines": {},
        "confidence": 0.95,
    }
    two = models.log_version(
        client, "second", run_id, Artifact("train", key, "x" * 64), model_package.Evaluated(facts, [{"text": "good"}])
    )
    info = client.get_run(run_id).info
    assert (info.status, info.end_time) == ("FINISHED", 4_000)
    descriptions.describe(client, descriptions.Registration(two, {}, facts), "kept: worse")
    note = client.get_run(run_id).data.tags[descriptions.NOTE]
    assert "registered as `second` version 1: **kept: worse**." in note
    assert "Registered as `first` version 1 too: promoted: the first champion." in note


def test_links_open_mlflow_where_trainings_and_models_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.tracking.pages import version_page

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert version_page("a b", "3") == ("http://127.0.0.1:5000/#/models/a%20b/versions/3?workflowType=machine_learning")
