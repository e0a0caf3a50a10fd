"""export: a registered model comes in, the same in another form goes out, if it predicts the same on real rows."""

import tempfile
from collections.abc import Sequence
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
from tasks.export import gate, gate_page, speed
from tasks.export.build import batches_of, build, preprocessing
from tasks.export.routes import Route, open_route
from tasks.export.write import origin_in
from tasks.kinds.predicting import open_predictor
from tasks.kinds.spec import open_kind
from tasks.learn.champion_test import Rule
from tasks.runtime.net import Net, open_net
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
        "origin": str(origin.version.version),
        "to": to,
        "passed": bool(report["passed"]),
        "again": False,
        "version": None,
        "alias": None,
        "report": report,
    }


def require_exportable(origin: Origin, to: str) -> None:
    """Raise StageError where a model of this kind has no net that scores rows in one pass."""
    kind = open_kind(str(origin.facts["kind"]))
    if not kind.exports:
        raise StageError(
            f"{origin.named} is {kind.noun}, which writes token by token; --to {to} exports models that score a row "
            "in one pass of a net, and no such graph writes text"
        )


def attempt(origin: Origin, route: Route, folder: Path, asked: Asked) -> gate.GateReport:
    """Export into `folder` and judge the result: the gate's report."""
    emit(Event("export", "note", f"{origin.named}: writing {route.name}"))
    try:
        left_out = build(route, origin.folder, folder, digest=origin.digest, contents=origin.validation(CHOSEN_BY))
    except DataError as error:
        raise StageError(f"{origin.named}: {error}") from None
    return {**judge(origin, route, folder, asked), "not_quantized": left_out}


def judge(origin: Origin, route: Route, folder: Path, asked: Asked) -> gate.GateReport:
    """The report of the gate: an exported folder against the registered model on the test rows."""
    every = origin.predictions()
    predictions = _sample(every, asked.rows, int(origin.how()["seed"]))
    rows = origin.asked(predictions)
    kind, predictor = str(origin.facts["kind"]), open_predictor(origin.folder, "cpu")
    tolerance = route.tolerance if asked.tolerance is None else asked.tolerance
    checks = [
        gate.same_files(origin.folder, folder, preprocessing(origin.folder)),
        gate.same_origin(origin_in(folder / route.file), origin.digest),
    ]
    report: gate.GateReport = {
        "rows": len(predictions),
        "of": len(every),
        "tolerance": tolerance,
        "why": asked.why,
        "bytes": {"registered": _weights(origin.folder), "exported": (folder / route.file).stat().st_size},
    }
    net: Net = open_net(folder, _no_weights, "cpu")
    checks.append(gate.same_inputs(_inputs(net), _read_by(predictor, rows)))
    batches = batches_of(predictor, list(rows["content"].head(512)))
    if checks[-1].passed:
        checks.append(gate.free_shapes(predictor.net, net, batches, tolerance))
    if not all(check.passed for check in checks):
        return gate.conclude(report, checks)
    emit(Event("export", "note", f"asking it {len(rows):,} test rows in a process of its own"))
    with tempfile.TemporaryDirectory() as scratch:
        saved = exports.save_model(origin, folder, Path(scratch) / "model", route.serves)
        try:
            table, scores = exports.ask(origin, str(saved), rows, predictions)
        except DataError as error:
            return gate.conclude(report, [*checks, gate.Check("loads", False, str(error))])
        content = rows["content"].iloc[0]
        if isinstance(content, str):
            report["cold_start"] = {
                "registered": exports.cold_start(origin.uri, content),
                "exported": exports.cold_start(str(saved), content),
            }
    sides = gate.Side(predictions, predictor.scores(list(rows["content"]))), gate.Side(table, scores)
    checks += gate.compare(*sides, _rules(origin, route, tolerance=tolerance, asked=predictions))
    report["changed"] = gate.list_changes(*sides, kind)
    emit(Event("export", "note", "measuring both, in turns"))
    some = list(rows["content"].head(32))
    report["milliseconds"] = speed.measure(
        {"registered": predictor.net, "exported": net},
        {1: predictor.inputs(some[:1]), 32: predictor.inputs((some * 32)[:32])},
    )
    return gate.conclude(report, checks)


def _no_weights() -> Any:
    raise StageError("the exported folder has no exported net")


def _inputs(net: Any) -> Sequence[str]:
    return tuple(net.inputs)


def _read_by(predictor: Any, rows: pd.DataFrame) -> list[str]:
    """Names of the inputs that a model's own net reads of real rows."""
    given = predictor.inputs(list(rows["content"].head(2)))
    return [name for name in predictor.net.inputs if name in given]


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
