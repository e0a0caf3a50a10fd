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

from configs.encodings import CLASSES
from configs.schema import Register
from configs.scores import sign

from ..artifact import Artifact
from ..data.errors import DataError
from ..data.rows import read_rows
from ..learn import challenge, outcomes
from ..learn.resampling import Resampling
from .decisions import ABSENT, champion
from .fresh import run_fresh
from .promotion import Evidence, Verdict, decide, refuse

PREDICTIONS = "predictions"
"""Folder of a run with the model's predictions, a file per test split, named by its digest."""
FITTED = "rows/fitted.parquet"
"""File of a run: ids and parts of the rows that the model was fitted on (train) or chosen by (validation)."""
AGAIN = (*CLASSES, "regression")
"""Kinds of which a registered model can be asked again for what `evaluate` asked it; what writes has other limits
there, and of a dialogue it is given the true history."""
RESCORE = """
import pandas
rows = pandas.read_parquet(sys.argv[2])
told = []
for start in range(0, len(rows), 512):
    given = rows["content"].iloc[start : start + 512]
    asked = pandas.DataFrame({"image": list(given)}) if sys.argv[4] == "image" else list(given)
    told.append(model.predict(asked))
pandas.concat(told, ignore_index=True).to_parquet(sys.argv[3])
"""


def log_rows(client: MlflowClient, run_id: str, stages: Mapping[str, Artifact]) -> None:
    """Keep in the run what a later challenger needs: the test rows' predictions, and which rows the model was fitted
    on."""
    if "split" not in stages:
        return
    with tempfile.TemporaryDirectory() as scratch:
        named = Path(scratch) / f"{_test_digest(stages)}.parquet"
        named.write_bytes(stages["evaluate"].file("predictions.parquet").read_bytes())
        client.log_artifact(run_id, str(named), PREDICTIONS)
        folder, _, name = FITTED.partition("/")
        parts = [pq.read_table(stages["split"].file(f"{part}.parquet"), columns=["id"]).to_pandas().assign(part=part)
                 for part in ("train", "validation")]  # fmt: skip
        pd.concat(parts).to_parquet(Path(scratch) / name, index=False)
        client.log_artifact(run_id, str(Path(scratch) / name), folder)


def judge(
    client: MlflowClient, section: Register, version: ModelVersion, *, stages: Mapping[str, Artifact],
    facts: Mapping[str, Any],
) -> tuple[Verdict, Evidence | None]:  # fmt: skip
    """The verdict on a version against the champion of its model, if it has one, and what it rests on.

    The champion is scored only where the version's own scores do not refuse it already.
    """
    known = champion(client, version.name)
    if known is None:
        return decide(facts["scores"], section, None), None
    held = Evidence(str(known.version))
    if str(known.version) == str(version.version):  # a registration that was cut off behind its move of the alias
        return Verdict("promoted", "it is the champion already"), held
    refused = refuse(facts["scores"], section)
    if refused is not None:
        return refused, held
    found = gather(client, section, known, stages, facts)
    return decide(facts["scores"], section, found), found


def gather(
    client: MlflowClient, section: Register, known: ModelVersion, stages: Mapping[str, Artifact],
    facts: Mapping[str, Any],
) -> Evidence:  # fmt: skip
    """The evidence on a challenger, whose report `stages` ends in. What cannot be compared is said as an obstacle."""
    kind, version, source = str(facts["kind"]), str(known.version), ""
    try:
        new = pd.read_parquet(stages["evaluate"].file("predictions.parquet"))
        _require_unseen(client, known, new)
        found, source = _champions(client, known, stages, new, kind)
        old = outcomes.align(new, found, kind)
        rows = _test_rows(stages).loc[new["id"]].reset_index()
        groups = _groups(stages, new, rows, kind)
        rule = _rule(section, stages)
        one, other = (outcomes.outcomes(table, kind, section.metric, facts["labels"]) for table in (new, old))
        fought = challenge.contest(one, other, rule, groups)
        slices = challenge.slices(one, other, rule, groups=groups, rows=rows, smallest=section.slices)
    except DataError as error:
        return Evidence(version, source, str(error))
    return Evidence(version, source, None, fought, tuple(slices), outcomes.changed(new, old, kind))


def _require_unseen(client: MlflowClient, known: ModelVersion, new: pd.DataFrame) -> None:
    """Raise DataError where the champion has seen rows that it is to be tested on, or nobody knows."""
    fitted = _artifact(client, known, FITTED)
    if fitted is None:
        raise DataError("its run does not say which rows it was trained on")
    seen = new.loc[new["id"].isin(fitted["id"]), "id"].unique()
    if len(seen):
        raise DataError(f"it was trained or chosen on {len(seen)} of the test rows, such as {seen[0]}")


def _champions(
    client: MlflowClient, known: ModelVersion, stages: Mapping[str, Artifact], new: pd.DataFrame, kind: str
) -> tuple[pd.DataFrame, str]:
    """The champion's predictions of the challenger's test rows, and where they are from. Raises DataError."""
    kept = _artifact(client, known, f"{PREDICTIONS}/{_test_digest(stages)}.parquet")
    if kept is not None and new["id"].isin(kept["id"]).all():
        return kept, "its own test of the same rows"
    if kind not in AGAIN:
        raise DataError(f"it was not scored on these test rows, and a {kind} model is not asked again")
    rows = _test_rows(stages).loc[new["id"]]
    told = rescore(f"models:/{known.name}/{known.version}", _contents(rows, stages), "image" in rows)
    answer = outcomes.TOLD.get(kind, "label")
    if answer not in told or len(told) != len(new):
        raise DataError(f"it answers {list(told.columns)} and {len(told)} rows, not a {answer} for each of {len(new)}")
    return new.assign(**{outcomes.TOLD.get(kind, "predicted"): told[answer].to_numpy()}), "scored again, on its own"


def rescore(uri: str, contents: list[Any], images: bool) -> pd.DataFrame:
    """A registered model's answers to texts, or to the bytes of image files, from a process of its own.

    Raises DataError where it does not load or cannot read them.
    """
    with tempfile.TemporaryDirectory() as scratch:
        given, told = Path(scratch) / "given.parquet", Path(scratch) / "told.parquet"
        pd.DataFrame({"content": contents}).to_parquet(given)
        done = run_fresh(RESCORE, uri, str(given), str(told), "image" if images else "text")
        if done.returncode or not told.is_file():
            raise DataError(f"it cannot be scored again: {''.join(done.stderr.strip().splitlines()[-1:])}")
        return pd.read_parquet(told)


def _contents(rows: pd.DataFrame, stages: Mapping[str, Artifact]) -> list[Any]:
    if "image" not in rows:
        return rows["text"].tolist()
    from ..vision.images import read_bytes

    found = dict(read_bytes(stages["split"].file("images.parquet"), set(rows["image"])))
    return [found[name] for name in rows["image"]]


def _rule(section: Register, stages: Mapping[str, Artifact]) -> challenge.Rule:
    """The recipe's rule, with evaluate's bootstrap."""
    asked = stages["evaluate"].manifest()["section"]
    how = Resampling(asked["bootstrap"], asked["confidence"], asked["seed"])
    tolerance = section.tolerance if section.rule == "not_worse" else None
    return challenge.Rule(how, tolerance, sign(section.metric))


def _groups(stages: Mapping[str, Artifact], new: pd.DataFrame, rows: pd.DataFrame, kind: str) -> list[str] | None:
    """The unit of each scored row: its dialogue, or its group where the split keeps groups together."""
    if stages["split"].manifest()["section"].get("by") == "group":
        return [str(unit) for unit in rows["group"].fillna(rows["id"])]
    return new["id"].tolist() if kind == "dialogue" else None


def _test_rows(stages: Mapping[str, Artifact]) -> pd.DataFrame:
    return read_rows(stages["split"].file("test.parquet")).set_index("id")


def _test_digest(stages: Mapping[str, Artifact]) -> str:
    return str(stages["split"].manifest()["files"]["data/test.parquet"]["sha256"])


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
