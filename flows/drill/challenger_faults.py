"""Faults of the decision: challengers that are worse, no better, or were judged on rows that a model has seen.

The champion is the small model itself, in the drill's own registry; what a challenger predicts is what is planted.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.kinds.drilling import open_drill

from .fault import Copy, Fault, NotApplicable, Uncaught
from .planting import planted

if TYPE_CHECKING:
    import pandas as pd

    from tasks.artifact import Artifact

NAME = "drill"
PREDICTIONS = "predictions.parquet"
Edit = Callable[["pd.DataFrame", str], "pd.DataFrame"]
"""Predictions and the kind of task -> other predictions."""


def useless(table: "pd.DataFrame", kind: str) -> "pd.DataFrame":
    """As bad as they can be."""
    return open_drill(kind).useless(table)


def perfect(table: "pd.DataFrame", kind: str) -> "pd.DataFrame":
    """As good as they can be, as those of a model that has seen the rows."""
    return open_drill(kind).perfect(table)


def same(table: "pd.DataFrame", kind: str) -> "pd.DataFrame":
    """The champion's own."""
    return table


def judged(copy: Copy, edit: Edit, *, champion: "Artifact | None" = None, challenger: "Artifact | None" = None) -> str:
    """What the judge states about a challenger with these predictions. champion, challenger: the splits that they were
    made from, where these are not the pipeline's."""
    from tasks.tracking import evidence, runs

    client = runs.client()
    client.create_registered_model(NAME)
    _version(client, {**copy.artifacts, **({"split": champion} if champion else {})})
    client.set_registered_model_alias(NAME, "champion", "1")
    stages = dict(copy.artifacts) | ({"split": challenger} if challenger else {})
    stages["evaluate"] = planted(copy.artifacts["evaluate"], lambda data: _rewrite(data, edit, copy))
    version = _version(client, stages)
    section = replace(copy.recipe.register, model=NAME, thresholds={}, slices={})
    facts = json.loads(copy.artifacts["evaluate"].file("report.json").read_text(encoding="utf-8"))
    gathered = evidence.gather(client, section, client.get_model_version(NAME, "1"), stages, facts)
    if gathered.contest is not None:  # the report of such a model states what it predicts
        facts["scores"][section.metric] = gathered.contest.challenger
    verdict, _ = evidence.judge(client, section, version, stages=stages, facts=facts)
    if verdict.decided == "promoted":
        raise Uncaught(verdict.text)
    return verdict.text


def _version(client: Any, stages: "Mapping[str, Artifact]") -> Any:
    from configs.settings import settings
    from tasks.tracking import evidence, runs

    folder = settings().home / "model"
    folder.mkdir(exist_ok=True)
    (folder / "MLmodel").touch()  # it is never loaded: its predictions are planted
    run_id = client.create_run(runs.experiment(client, NAME)).info.run_id
    evidence.log_rows(client, run_id, stages)
    return client.create_model_version(NAME, str(folder), run_id)


def _rewrite(data: Path, edit: Edit, copy: Copy) -> None:
    import pandas as pd

    table = pd.read_parquet(data / PREDICTIONS)
    edit(table, copy.recipe.encode.kind).to_parquet(data / PREDICTIONS, index=False)


def leaking_split(copy: Copy) -> "Artifact":
    """The splits as they would be where every test row stood among the training rows too."""
    import pandas as pd

    from tasks.data.rows import read_rows, write_rows

    def edit(data: Path) -> None:
        both = [read_rows(data / f"{part}.parquet") for part in ("train", "test")]
        write_rows(pd.concat(both, ignore_index=True), data / "train.parquet")

    return planted(copy.artifacts["split"], edit)


def equal(copy: Copy) -> str:
    """A challenger that predicts what the champion does."""
    if copy.recipe.register.rule == "not_worse":
        raise NotApplicable("register.rule: not_worse lets a model in that is as good")
    return judged(copy, same)


def faults() -> list[Fault]:
    """In order."""
    compared = "register: paired test against the champion"
    unseen = "register: no test row was trained on"
    return [
        Fault("a worse challenger", compared, lambda copy: judged(copy, useless)),
        Fault("an equal challenger", compared, equal),
        Fault(
            "a leaking challenger: trained on its test rows",
            unseen,
            lambda copy: judged(copy, perfect, challenger=leaking_split(copy)),
        ),
        Fault(
            "a challenger judged on rows that the champion was trained on",
            unseen,
            lambda copy: judged(copy, perfect, champion=leaking_split(copy)),
        ),
    ]
