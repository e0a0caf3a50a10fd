"""What a search came to, as a page and as Optuna's pictures."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.visualization import matplotlib as plots

from tasks.data.escape import markdown
from tasks.data.fonts import lettering

from .space import words
from .study import Study, TrialLine, spread

SHOWN = 20
"""Trials in the page's table, the best first."""
DPI = 110


def page(document: Mapping[str, Any]) -> str:
    """The search as markdown: the verdict, what to change, and the best trials."""
    objective, best, trials = document["objective"], document["best"], document["trials"]
    ended = ", ".join(f"{count} {state}" for state, count in spread(trials))
    lines = [
        f"# search: trial {best['number']}: {markdown(document['verdict'])}",
        "",
        f"{len(trials)} trials ({ended}); the best has validation {objective} {best['value']:.4f}.",
        "",
        *(f"- `{change}`" for change in document["changes"]),
        "",
        f"| trial | {objective} | values | seconds |",
        "|---:|---:|---|---:|",
    ]
    lines += [
        f"| {line['number']} | {shown_value(line)} | {markdown(words(line['values']))} | {line['seconds']:.1f} |"
        for line in ranked(trials, objective)[:SHOWN]
    ]
    return "\n".join(lines)


def ranked(trials: Sequence[TrialLine], objective: str) -> list[TrialLine]:
    """The trials with the best first; those without a value last."""
    return sorted(trials, key=lambda line: _rank(line, objective))


def _rank(line: TrialLine, objective: str) -> tuple[bool, float, int]:
    value = line["value"]
    return value is None, (value or 0.0) * (1 if objective == "loss" else -1), line["number"]


def shown_value(line: TrialLine) -> str:
    """The value of a trial, or how it ended without one."""
    return f"{line['value']:.4f}" if line["value"] is not None else line["state"]


def draw(study: Study, folder: Path) -> None:
    """Optuna's history, and with two keys or more and enough complete trials importances, slices and coordinates."""
    from matplotlib import pyplot

    complete = [trial for trial in study.optuna.get_trials(deepcopy=False) if trial.value is not None]
    drawings: dict[str, Callable[[], Any]] = {
        "history": lambda: plots.plot_optimization_history(study.optuna, target_name=study.objective)
    }
    if len(complete) > 1:
        drawings["slices"] = lambda: plots.plot_slice(study.optuna, target_name=study.objective)
        drawings["coordinates"] = lambda: plots.plot_parallel_coordinate(study.optuna, target_name=study.objective)
    if len(complete) > 1 and len({trial.value for trial in complete}) > 1 and _shared(complete):
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        drawings["importances"] = lambda: plots.plot_param_importances(
            study.optuna, evaluator=evaluator, target_name=study.objective
        )
    pyplot.switch_backend("agg")
    for name, drawing in drawings.items():
        with warnings.catch_warnings(), lettering([study.name, *study.search.space]), pyplot.style.context("default"):
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            drawing()
            pyplot.gcf().savefig(folder / f"{name}.png", dpi=DPI, bbox_inches="tight", metadata={"Software": None})
            pyplot.close("all")


def _shared(complete: list[Any]) -> bool:
    """Whether a key varies that all complete trials have: importances are of those."""
    shared = set.intersection(*(set(trial.params) for trial in complete))
    return any(len({str(trial.params[name]) for trial in complete}) > 1 for name in shared)
