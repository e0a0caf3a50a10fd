"""An exported folder with a net of another form -> the checks of its gate, its sizes and times."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..artifact import StageError
from ..data.errors import DataError
from ..kinds.spec import Kind
from ..runtime import speed
from ..runtime.net import Net, open_net
from ..store.events import Event, emit
from ..tracking import exports
from ..tracking.exports import Origin
from . import gate
from .build import batches_of, preprocessing
from .write import origin_in


@dataclass(frozen=True)
class Judged:
    """What is judged. predictions: of the test rows that are asked, as `evaluate` kept them; rows: the same with their
    contents (see `Origin.asked`); rules: what is allowed."""

    origin: Origin
    kind: Kind
    predictor: Any
    folder: Path
    predictions: pd.DataFrame
    rows: pd.DataFrame
    rules: gate.Rules


def judge_net(judged: Judged, report: gate.GateReport) -> gate.GateReport:
    """The report on a folder whose net has another form than the registered one's."""
    origin, folder, predictor, rows = judged.origin, judged.folder, judged.predictor, judged.rows
    route, tolerance = judged.rules.route, judged.rules.tolerance
    checks = [
        gate.same_files(origin.folder, folder, preprocessing(origin.folder)),
        gate.same_origin(origin_in(folder / route.file), origin.digest),
    ]
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
            table, scores = exports.ask(origin, str(saved), rows, judged.predictions)
        except DataError as error:
            return gate.conclude(report, [*checks, gate.Check("loads", False, str(error))])
        content = rows["content"].iloc[0]
        if isinstance(content, str):
            report["cold_start"] = {
                "registered": exports.cold_start(origin.uri, content),
                "exported": exports.cold_start(str(saved), content),
            }
    sides = gate.Side(judged.predictions, predictor.scores(list(rows["content"]))), gate.Side(table, scores)
    checks += gate.compare(*sides, judged.rules)
    report["changed"] = gate.list_changes(sides[0].table, sides[1].table, judged.rules.kind)
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
