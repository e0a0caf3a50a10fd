"""export: a registered model comes in, the same in another form goes out, if it predicts the same on real rows."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd
from prefect import flow
from prefect.artifacts import create_markdown_artifact

from configs.scores import sign
from tasks.artifact import StageError
from tasks.data.errors import DataError
from tasks.export import gate, gate_page
from tasks.export.build import build
from tasks.export.judge import Judged, judge_net
from tasks.export.plain import card
from tasks.export.plain.judge_folder import judge_plain
from tasks.export.plain.write_folder import write_plain
from tasks.export.routes import MERGED, Route, open_route
from tasks.kinds.predicting import open_predictor
from tasks.kinds.spec import open_kind
from tasks.learn.champion_test import Rule
from tasks.store.events import Event, emit
from tasks.tracking import decisions, exports, runs
from tasks.tracking.evidence import resampling
from tasks.tracking.exports import Origin

from .hooks import watched

MARGIN = 0.01
"""By how much the metric of an exported model may be worse: of a score of which more is better as it is, of the others
as a share of the registered model's."""
CHOSEN_BY = 64
"""Validation rows by which layers are left out of quantisation."""


class Exported(TypedDict):
    """What became of an export. version, alias: None where it was refused, or its origin is not the champion."""

    model: str
    kind: str
    origin: str
    to: str
    passed: bool
    again: bool
    version: str | None
    alias: str | None
    report: gate.GateReport


@dataclass(frozen=True)
class Asked:
    """How a person wants an export: tolerance in place of the route's, with why; rows: of the test, None for all."""

    tolerance: float | None = None
    why: str = ""
    rows: int | None = None


@flow(name="export", flow_run_name="{model} to {to}", persist_result=False, **watched())
def export(model: str, to: str, tolerance: float | None = None, why: str = "", rows: int | None = None) -> Exported:
    """Export a registered version and register the result as a version of its own, where its gate lets it pass.

    Raises StageError where the kind or the version cannot be exported.
    """
    route, origin = open_route(to), exports.find_origin(model)
    require_exportable(origin, to)
    asked = Asked(tolerance, why, rows)
    if tolerance is not None and not why.strip():
        raise StageError("a tolerance of one's own needs a reason: --why TEXT")
    client = runs.client()
    known = exports.registered(client, origin, to)
    if known is not None and tolerance is None:
        alias = exports.follow_champion(client, origin, known, route.name)
        emit(Event("export", "note", f"exported already as version {known.version}"))
        before = _unregistered(origin, to, {"passed": True})
        return {**before, "again": True, "version": str(known.version), "alias": alias}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "exported"
        report = attempt(origin, route, folder, asked)
        text = gate_page.describe(origin.named, route, report)
        create_markdown_artifact(text, key="export", description=f"{origin.named} to {to}")
        exports.keep_report(client, origin, to, report, text)
        if not report["passed"]:
            return _unregistered(origin, to, report)
        summary = f"{len(report['checks'])} checks hold on {report['rows']:,} test rows"
        version = exports.register(client, origin, folder, form=exports.Form(to, route.serves), gate=summary)
    if tolerance is not None:
        _record(client, origin, str(version.version), asked)
    alias = exports.follow_champion(client, origin, version, route.name)
    return {**_unregistered(origin, to, report), "version": str(version.version), "alias": alias}


def _record(client: Any, origin: Origin, version: str, asked: Asked) -> None:
    """Keep a tolerance of one's own as the decision that it is."""
    name = str(origin.version.name)
    now = decisions.champion(client, name)
    current = None if now is None else str(now.version)
    decided = f"exported with tolerance {asked.tolerance:g}"
    entry = decisions.Entry("export", version, before=current, after=current, decided=decided, why=asked.why)
    decisions.keep(client, client.get_model_version(name, version), entry)


def _unregistered(origin: Origin, to: str, report: gate.GateReport) -> Exported:
    """What became of an export that is no version yet."""
    return {
        "model": str(origin.version.name),
        "kind": str(origin.facts["kind"]),
        "origin": str(origin.version.version),
        "to": to,
        "passed": bool(report["passed"]),
        "again": False,
        "version": None,
        "alias": None,
        "report": report,
    }


def require_exportable(origin: Origin, to: str) -> None:
    """Raise StageError where a model of this kind has no net that scores rows in one pass, or, merged, where
    transformers has no class that answers alone."""
    kind = open_kind(str(origin.facts["kind"]))
    if to == MERGED and not kind.plain:
        raise StageError(
            f"{origin.named} is {kind.noun}, for which transformers has no class that answers without Temper; take "
            "--to onnx or torch-export"
        )
    if to != MERGED and not kind.exports:
        raise StageError(
            f"{origin.named} is {kind.noun}, which writes token by token; --to {to} exports models that score a row "
            "in one pass of a net, and no such graph writes text; take --to merged"
        )


def attempt(origin: Origin, route: Route, folder: Path, asked: Asked) -> gate.GateReport:
    """Export into `folder` and judge the result: the gate's report."""
    emit(Event("export", "note", f"{origin.named}: writing {route.name}"))
    try:
        left_out = write(origin, route, folder, origin.folder)
    except DataError as error:
        raise StageError(f"{origin.named}: {error}") from None
    return {**judge(origin, route, folder, asked), "not_quantized": left_out}


def write(origin: Origin, route: Route, folder: Path, model: Path) -> list[str]:
    """Write `folder` from a model's files, which are the origin's; the layers that were left out of quantisation.
    Raises DataError where the model cannot be exported."""
    if route.name != MERGED:
        return build(route, model, folder, digest=origin.digest, contents=origin.validation(CHOSEN_BY))
    kind, predictor = open_kind(str(origin.facts["kind"])), open_predictor(model, "cpu")
    write_plain(kind, predictor, model, folder, card.describe(origin, kind, predictor))
    return []


def judge(origin: Origin, route: Route, folder: Path, asked: Asked) -> gate.GateReport:
    """The report of the gate: an exported folder against the registered model on the test rows."""
    every = origin.predictions()
    predictions = _sample(every, asked.rows, int(origin.how()["seed"]))
    rows, predictor = origin.asked(predictions), open_predictor(origin.folder, "cpu")
    tolerance = route.tolerance if asked.tolerance is None else asked.tolerance
    rules = _rules(origin, route, tolerance=tolerance, asked=predictions)
    exported = _weights(folder) if route.name == MERGED else (folder / route.file).stat().st_size
    report: gate.GateReport = {
        "rows": len(predictions),
        "of": len(every),
        "tolerance": tolerance,
        "why": asked.why,
        "bytes": {"registered": _weights(origin.folder), "exported": exported},
    }
    judged = Judged(origin, open_kind(str(origin.facts["kind"])), predictor, folder, predictions, rows, rules)
    return (judge_plain if route.name == MERGED else judge_net)(judged, report)


def _weights(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def _sample(predictions: pd.DataFrame, rows: int | None, seed: int) -> pd.DataFrame:
    """All test rows, or so many of them, drawn by the seed."""
    if rows is None or rows >= len(predictions):
        return predictions
    chosen = np.sort(np.random.default_rng(seed).permutation(len(predictions))[:rows])
    return predictions.iloc[chosen].reset_index(drop=True)


def _rules(origin: Origin, route: Route, *, tolerance: float, asked: pd.DataFrame) -> gate.Rules:
    metric, facts = origin.metric(), origin.facts
    way = sign(metric)
    margin = MARGIN if way > 0 else MARGIN * abs(float(facts["scores"][metric]))
    rule = Rule(resampling(origin.stages), margin, way)
    of_model = (str(facts["kind"]), metric, facts["labels"])
    return gate.Rules(route, tolerance, rule, *of_model, origin.units(asked))
