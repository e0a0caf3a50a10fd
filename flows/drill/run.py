"""The drill of a recipe: its small pipeline once, then each fault in a copy of that; what caught it, if anything."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

from configs.load import load_recipe
from configs.stages import CACHED

from ..stage_graph import stage
from . import challenger_faults, data_faults, export_faults, mask_faults, store_faults
from .children import Ended, in_child
from .fault import Copy, Fault, Finding
from .small import sampled, small_changes

ELSEWHERE = ("TEMPER_ARTIFACTS", "TEMPER_REMOTE", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
"""Settings that would lead a drill to the user's own stores."""
AHEAD = ("great_expectations", "tasks.learn.fit", "tasks.tracking.evidence", "tasks.tracking.runs", "tasks.cached")
"""What most children need, loaded once."""
PATIENCE = 900.0
"""Seconds that one fault may take."""


def every_fault() -> list[Fault]:
    """All faults, in the order of the pipeline."""
    parts = (data_faults, mask_faults, store_faults, challenger_faults, export_faults)
    return [fault for part in parts for fault in part.faults()]


def drill(path: Path, changes: list[str], report: Callable[[Finding], None]) -> list[Finding]:
    """What became of each fault, which `report` takes as it comes. Raises StageError where the small pipeline fails."""
    from tasks.artifact import StageError

    _load_ahead()
    with tempfile.TemporaryDirectory(prefix="temper-drill-") as folder:
        place = Path(folder)
        log = place / "drill.log"
        pipeline = in_child(lambda: _pipeline(path, changes, place / "pipeline"), log=log, seconds=PATIENCE * 4)
        if pipeline.error:
            raise StageError(f"the recipe's small pipeline fails, so nothing can be planted in it: {pipeline.error[1]}")
        findings = []
        for finding in _findings(path, pipeline.result, place):
            report(finding)
            findings.append(finding)
    return findings


def _load_ahead() -> None:
    """Load what children need; nothing may be computed with it here."""
    import importlib

    for name in AHEAD:
        importlib.import_module(name)


class Pipeline(TypedDict):
    """The small pipeline, as JSON has it: the recipe's changes, and stage, key and digest of each artifact."""

    changes: list[str]
    artifacts: dict[str, list[str]]


def _pipeline(path: Path, changes: list[str], home: Path) -> Pipeline:
    """What the small pipeline is and makes below `home`, as JSON: the recipe's changes, and stage, key and digest of
    each artifact. Its data come through the user's own store."""
    from configs.settings import settings

    small = small_changes(path, changes)
    recipe = load_recipe(path, small)
    raw = stage("download").run_or_load(recipe.download, {}).result
    source = settings().store
    _move_to(home)
    shutil.copytree(source / raw.stage / raw.key, settings().store / raw.stage / raw.key)
    copy = Copy(recipe, {"download": sampled(raw, recipe.encode.traits.content)})
    for name in CACHED[1:]:
        copy = Copy(recipe, {**copy.artifacts, name: copy.run(name).result})
    from tasks.tracking import runs

    runs.client()  # its database is copied with the rest
    pipeline = {name: [artifact.stage, artifact.key, artifact.digest] for name, artifact in copy.artifacts.items()}
    return {"changes": small, "artifacts": pipeline}


def _move_to(home: Path) -> None:
    """Let this process work in a home of its own, on the processor."""
    for name in ELSEWHERE:
        os.environ.pop(name, None)
    home.mkdir(parents=True, exist_ok=True)
    os.environ |= {"TEMPER_HOME": str(home), "CUDA_VISIBLE_DEVICES": ""}


def _findings(path: Path, pipeline: Pipeline, place: Path) -> Iterator[Finding]:
    for number, fault in enumerate(every_fault()):
        began, home = time.monotonic(), place / f"fault {number}"
        shutil.copytree(place / "pipeline", home)

        def work(fault: Fault = fault, home: Path = home) -> str:
            from tasks.artifact import Artifact

            _move_to(home)
            parts = pipeline["artifacts"].items()
            artifacts = {name: Artifact(stage_name, key, digest) for name, (stage_name, key, digest) in parts}
            return fault.work(Copy(load_recipe(path, pipeline["changes"]), artifacts))

        ended = in_child(work, log=place / "drill.log", seconds=PATIENCE)
        outcome, statement = _outcome(ended)
        shutil.rmtree(home, ignore_errors=True)
        yield Finding(fault.name, fault.gate, outcome, statement, time.monotonic() - began)


def _outcome(ended: Ended) -> tuple[str, str]:
    """In words; an error that no gate raised catches nothing."""
    if ended.error is None:
        return "caught", str(ended.result)
    kind, message = ended.error
    if kind == "NotApplicable":
        return "not applicable", message
    return "uncaught", message if kind == "Uncaught" else f"{kind}: {message}"


def document(recipe: str, findings: list[Finding]) -> Mapping[str, Any]:
    """The drill as JSON."""
    counts = {
        name: sum(finding.outcome == name for finding in findings) for name in ("caught", "uncaught", "not applicable")
    }
    return {"recipe": recipe, "at": int(time.time()), **counts, "faults": [finding.document() for finding in findings]}


def keep(recipe: str, drill_document: Mapping[str, Any]) -> Path:
    """Keep the drill where `temper report` finds it; the file."""
    from ..report import drill_place

    place = drill_place(recipe)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(drill_document, ensure_ascii=False, indent=1), encoding="utf-8")
    return place
