"""A champion and a challenger's report -> both scored on the challenger's test rows, and what a paired test says."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from configs.schema import Register
from configs.scores import sign

from ..artifact import Artifact
from ..data.errors import DataError
from ..data.rows import read_rows, units
from ..kinds import outcomes
from ..kinds.predicting import image_contents, text_contents
from ..kinds.spec import open_kind
from ..learn import champion_test as challenge
from ..learn.resampling import Resampling
from ..store.events import Event, emit
from .decisions import ABSENT, champion, recorded_champion
from .edited import json_object
from .models import has_files, named_version
from .promotion import Evidence, Verdict, decide, decide_against, refuse
from .rescoring import in_place, rescore
from .wire_format import FITTED, PREDICTIONS, REPORT

FITTED_PARTS = ("train", "validation")
"""Parts of the split that a model is trained or chosen on."""


def log_rows(client: MlflowClient, run_id: str, stages: Mapping[str, Artifact]) -> None:
    """Keep in the run what a later challenger needs: the test rows' predictions, and which rows the model was fitted
    on."""
    if "split" not in stages:
        return
    with tempfile.TemporaryDirectory() as scratch:
        named = Path(scratch) / _asked_of(stages)
        named.write_bytes(stages["evaluate"].file("predictions.parquet").read_bytes())
        client.log_artifact(run_id, str(named), PREDICTIONS)
        folder, _, name = FITTED.partition("/")
        parts = [
            pq.read_table(stages["split"].file(f"{part}.parquet"), columns=["id"]).to_pandas().assign(part=part)
            for part in FITTED_PARTS
        ]
        pd.concat(parts).to_parquet(Path(scratch) / name, index=False)
        client.log_artifact(run_id, str(Path(scratch) / name), folder)


def judge(
    client: MlflowClient,
    section: Register,
    version: ModelVersion,
    *,
    stages: Mapping[str, Artifact],
    facts: Mapping[str, Any],
) -> tuple[Verdict, Evidence | None]:
    """The verdict on a version against the champion of its model, if it has one, and what it rests on.

    The champion is scored only where the version's own scores do not refuse it already. One that a person moved in
    MLflow is the champion; where a person took the alias away, no verdict gives it to another version.
    """
    known = champion(client, version.name)
    recorded = recorded_champion(client, version.name)
    if known is None and recorded is not None and (removed := _removed(client, version, recorded)):
        refused = refuse(facts["scores"], section)
        return refused or Verdict("undecided", removed), None
    if known is not None and recorded not in (None, str(known.version)):
        moved = f"the last decision left version {recorded} as champion of {version.name}; now it is {known.version}"
        emit(Event("register", "note", f"{moved}, as somebody set it in MLflow; judged against that one"))
    if known is None:
        return decide(facts["scores"], section, None, facts.get("baselines")), None
    held = Evidence(str(known.version))
    if str(known.version) == str(version.version):  # a registration that was cut off behind its move of the alias
        return Verdict("promoted", "it is the champion already"), held
    refused = refuse(facts["scores"], section)
    if refused is not None:
        return refused, held
    evidence = gather(client, section, known, stages, facts)
    return decide_against(facts["scores"], section, evidence), evidence


def _removed(client: MlflowClient, version: ModelVersion, recorded: str) -> str | None:
    """Why there is no champion, where a person deleted its alias or the version; None where no other version is
    left."""
    name = str(version.name)
    others = {str(known.version) for known in client.search_model_versions(f"name = '{name}'")} - {str(version.version)}
    if not others:
        return None
    what = "its alias" if recorded in {*others, str(version.version)} else "that version"
    return (
        f"version {recorded} was the champion, and {what} was deleted in MLflow; "
        f"name a champion with `temper promote {name} VERSION --why TEXT`"
    )


def gather(
    client: MlflowClient,
    section: Register,
    known: ModelVersion,
    stages: Mapping[str, Artifact],
    facts: Mapping[str, Any],
) -> Evidence:
    """The evidence on a challenger, whose report `stages` ends in. What cannot be compared is stated as an obstacle."""
    kind, version, source = str(facts["kind"]), str(known.version), ""
    try:
        new = pd.read_parquet(stages["evaluate"].file("predictions.parquet"))
        _require_unseen(client, known, new)
        _require_unfitted(stages, new)
        predictions, source = _champions(client, known, stages, new, kind)
        old = outcomes.align(new, predictions, kind)
        rows = _test_rows(stages).loc[new["id"]].reset_index()
        groups = units_of(stages, new)
        rule = _rule(section, stages)
        left, other = (outcomes.outcomes(table, kind, section.metric, facts["labels"]) for table in (new, old))
        fought = challenge.contest(left, other, rule, groups)
        slices = challenge.slices((left, other), rule, groups=groups, rows=rows, smallest=section.slices)
    except DataError as error:
        deleted = f"; its files were deleted: restore them, or use `temper promote {known.name} VERSION --why …`"
        return Evidence(version, source, f"{error}{'' if has_files(client, known) else deleted}")
    classes = _labels(client, known) if open_kind(kind).traits.classes else None
    changed = outcomes.changed(new, old, kind, classes)
    return Evidence(version, source, None, fought, tuple(slices), changed)


def _labels(client: MlflowClient, known: ModelVersion) -> list[str] | None:
    """The classes that the champion's report names; None where it cannot be read."""
    try:
        with tempfile.TemporaryDirectory() as scratch:
            kept = client.download_artifacts(str(known.run_id), REPORT, scratch)
            labels: list[str] | None = json_object(Path(kept)).get("labels")
    except (MlflowException, OSError, ValueError):  # it changes a remark, no verdict
        return None
    return labels


def fitted_ids(client: MlflowClient, name: str, version: str) -> dict[str, frozenset[str]] | None:
    """By part of its split, ids of the rows that a registered version was trained or chosen on; None where its run does
    not state them. Raises DataError, MlflowException."""
    table = _artifact(client, named_version(client, name, version), FITTED)
    if table is None or "part" not in table:
        return None
    return {part: frozenset(table.loc[table["part"] == part, "id"]) for part in FITTED_PARTS}


def _require_unseen(client: MlflowClient, known: ModelVersion, new: pd.DataFrame) -> None:
    """Raise DataError where the champion has seen rows that it is to be tested on, or nobody knows."""
    fitted = _artifact(client, known, FITTED)
    if fitted is None:
        raise DataError("its run does not say which rows it was trained on")
    seen = new.loc[new["id"].isin(fitted["id"]), "id"].unique()
    if len(seen):
        raise DataError(f"it was trained or chosen on {len(seen)} of the test rows, such as {seen[0]}")


def _require_unfitted(stages: Mapping[str, Artifact], new: pd.DataFrame) -> None:
    """Raise DataError where the challenger has itself seen rows that it is tested on."""
    for part in FITTED_PARTS:
        fitted = pq.read_table(stages["split"].file(f"{part}.parquet"), columns=["id"]).column("id").to_pylist()
        seen = new.loc[new["id"].isin(fitted), "id"].unique()
        if len(seen):
            raise DataError(f"{len(seen)} of the test rows, such as {seen[0]}, are {part} rows of its challenger too")


def _champions(
    client: MlflowClient, known: ModelVersion, stages: Mapping[str, Artifact], new: pd.DataFrame, kind: str
) -> tuple[pd.DataFrame, str]:
    """The champion's predictions of the challenger's test rows, and where they are from. Raises DataError."""
    kept = _artifact(client, known, f"{PREDICTIONS}/{_asked_of(stages)}")
    if kept is not None and new["id"].isin(kept["id"]).all():
        return kept, "its own test of the same rows"
    asked = asked_rows(stages, new, kind)
    how = stages["evaluate"].manifest()["section"]
    rescored = rescore(f"models:/{known.name}/{known.version}", kind, asked, how)
    return in_place(new, rescored), "scored again, on its own"


def part_contents(stages: Mapping[str, Artifact], part: str, kind: str, count: int) -> list[Any]:
    """Contents of the first `count` rows of a part of the split."""
    return _contents(read_rows(stages["split"].file(f"{part}.parquet")).head(count), stages, kind)


def asked_rows(stages: Mapping[str, Artifact], predictions: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The rows of a table of predictions as a registered model is asked them: keys, and content (see rescoring)."""
    rows = _test_rows(stages).loc[predictions["id"]]
    return predictions[outcomes.keys(kind)].assign(content=_contents(rows, stages, kind))


def _contents(rows: pd.DataFrame, stages: Mapping[str, Artifact], kind: str) -> list[Any]:
    if "image" not in rows:
        return text_contents(rows, open_kind(kind).traits.content)
    return image_contents(rows, stages["split"].file("images.parquet"))


def resampling(stages: Mapping[str, Artifact]) -> Resampling:
    """evaluate's bootstrap."""
    asked = stages["evaluate"].manifest()["section"]
    return Resampling(asked["bootstrap"], asked["confidence"], asked["seed"])


def _rule(section: Register, stages: Mapping[str, Artifact]) -> challenge.Rule:
    """The recipe's rule, with evaluate's bootstrap."""
    tolerance = section.tolerance if section.rule == "not_worse" else None
    return challenge.Rule(resampling(stages), tolerance, sign(section.metric))


def units_of(stages: Mapping[str, Artifact], new: pd.DataFrame) -> list[str] | None:
    """The independent unit of each scored row: its dialogue, or its group where the split keeps groups together; None
    where each row is one."""
    if stages["split"].manifest()["section"].get("by") == "group":
        rows = _test_rows(stages).loc[new["id"]].reset_index()
        return units(rows["group"], rows["id"])
    return new["id"].tolist() if "turn" in new else None


def _test_rows(stages: Mapping[str, Artifact]) -> pd.DataFrame:
    return read_rows(stages["split"].file("test.parquet")).set_index("id")


def _asked_of(stages: Mapping[str, Artifact]) -> str:
    """Name of the file with the predictions for what `evaluate` asked."""
    rows = str(stages["split"].manifest()["files"]["data/test.parquet"]["sha256"])
    if not open_kind(stages["encode"].manifest()["section"]["kind"]).traits.generates:
        return f"{rows}.parquet"
    return f"{rows}-{stages['evaluate'].manifest()['section']['max_new_tokens']}.parquet"


def _artifact(client: MlflowClient, version: ModelVersion, path: str) -> pd.DataFrame | None:
    """A table among the artifacts of a version's run; None where it, or the run, is not there. Raises DataError."""
    if not version.run_id:
        return None
    try:
        kept = {item.path for item in client.list_artifacts(str(version.run_id), path.rpartition("/")[0])}
        if path not in kept:
            return None
        with tempfile.TemporaryDirectory() as scratch:
            return pd.read_parquet(client.download_artifacts(str(version.run_id), path, scratch))
    except MlflowException as error:
        if error.error_code in ABSENT:
            return None
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"{path} in its run cannot be read ({type(error).__name__})") from None
