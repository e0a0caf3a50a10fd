"""The data in a run: parts and their digests as inputs, where the rows came from, test-set evaluations."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mlflow import MlflowClient
from mlflow.entities import DatasetInput, ViewType
from mlflow.exceptions import MlflowException

from configs.settings import settings

from ..artifact import Artifact, Version, read_manifest
from ..data.sources.pretrained import RECORD
from . import datasets, runs
from .edited import json_object
from .wire_format import STAGE_DIGEST, TEST_SPLIT
from .write_locks import turn

if TYPE_CHECKING:
    from ..data.drift import Profile

PROFILE = "2-validate/profile.json"
TRIES = 3
"""Times that datasets are logged before an error counts."""


def log_data(client: MlflowClient, run_id: str, stages: Mapping[str, Artifact]) -> None:
    """Name the parts, with rows, digest and source, as the inputs of a run; and what the model started from."""
    for stage, what in (("train", "weights"), ("encode", "tokenizer")):
        if stage in stages and (path := stages[stage].records / RECORD).is_file():
            for name, value in json.loads(path.read_text(encoding="utf-8")).items():
                client.set_tag(run_id, f"temper.{what}.{name}", value[:5000])
    if "split" not in stages:
        return
    source = datasets.provenance(stages["download"]) if "download" in stages else {}
    licence = source.get("licence")
    sums = "; ".join(f"{file['name']}: {file['sha256']}" for file in source.get("files", ()))
    source_facts = {**source, "licence": f"{licence['says']} ({licence['file']})" if licence else None, "sha256": sums}
    for name in ("kind", "where", "when", "sha256", "licence"):
        if source_facts.get(name):
            client.set_tag(run_id, f"temper.source.{name}", str(source_facts[name])[:5000])
    _log_inputs(client, run_id, datasets.inputs(stages))


def _log_inputs(client: MlflowClient, run_id: str, datasets: list[DatasetInput]) -> None:
    """Log datasets, which MLflow looks up and adds in two steps: one process of this machine at a time, and once more
    where another machine has added them between the two."""
    with turn("store"):
        for tries in range(TRIES):
            try:
                client.log_inputs(run_id, datasets)
                return
            except MlflowException as error:
                if "IntegrityError" not in str(error) or tries == TRIES - 1:
                    raise


def open_test_split(client: MlflowClient, run_id: str, stages: Mapping[str, Artifact]) -> int:
    """Record that the run's model was scored on its test rows; how many models were, this one included.

    One model has one run, so scoring it again is no further test-set evaluation. Counts what this tracking store knows.
    """
    if "split" not in stages:
        return 0
    digest = stages["split"].manifest()["files"]["data/test.parquet"]["sha256"]
    client.set_tag(run_id, TEST_SPLIT, digest)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    count, token = 0, None
    while True:
        page = client.search_runs(
            experiments, f"tags.`{TEST_SPLIT}` = '{digest}'", ViewType.ALL, 1000, page_token=token
        )
        count, token = count + len(page), page.token
        if not token:
            break
    runs.log_values(client, run_id, {"test.evaluations": count})
    return count


def profiles(version: Version) -> "tuple[str, Profile, Profile] | None":
    """Number of the version before, and the profiles of the raw rows of both (see data/drift.py); None for a first."""
    client = runs.client()
    every = client.search_model_versions(f"name = '{version.name}'")
    earlier = [known for known in every if int(known.version) < int(version.version) and known.run_id]
    for known in sorted(earlier, key=lambda known: -int(known.version)):
        before, now = (_profile(client, run_id) for run_id in (str(known.run_id), version.run_id))
        if before is not None and now is not None:
            return str(known.version), before, now
    return None


def rows_before(model: str) -> tuple[str, Artifact] | None:
    """Number of a model's newest version, and the download that it was made of; None where the store has it no more."""
    client = runs.client()
    every = client.search_model_versions(f"name = '{model}'")
    for known in sorted(every, key=lambda known: -int(known.version)):
        digest = known.tags.get(f"{STAGE_DIGEST}download")
        for manifest in (settings().store / "download").glob("*/manifest.json") if digest else ():
            try:
                manifest_before = read_manifest(manifest.parent)
            except ValueError:  # damaged: the next run that meets it states it
                continue
            if manifest_before["digest"] == digest:
                return str(known.version), Artifact("download", manifest.parent.name, str(digest))
    return None


def _profile(client: MlflowClient, run_id: str) -> "Profile | None":
    if not any(item.path == PROFILE for item in client.list_artifacts(run_id, PROFILE.partition("/")[0])):
        return None
    with tempfile.TemporaryDirectory() as folder:
        try:
            profile: Any = json_object(Path(client.download_artifacts(run_id, PROFILE, folder)))
        except ValueError:  # what Temper did not write: no drift is computed
            return None
    return cast("Profile", profile)
