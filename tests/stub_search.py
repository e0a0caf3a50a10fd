"""A search whose trainings are a formula: `python stub_search.py STORAGE FOLDER` runs it until it is done or killed.

Checkpoints are files, as those of a real training: what was reached before a kill is not computed again.
"""

import math
import sys
import time
from pathlib import Path
from typing import Any

from configs.search import Search
from tasks.search.study import Study, open_study

SPACE: dict[str, Any] = {
    "train.optimizer": {"options": {"sgd": {"kind": "sgd"}, "adam": {"kind": "adam"}}},
    "train.optimizer.momentum": {"low": 0.0, "high": 0.95, "when": {"train.optimizer": "sgd"}},
    "train.learning_rate": {"low": 1e-4, "high": 1.0, "log": True},
    "train.batch_size": [16, 32, 64],
}
STEPS = 6
MANY = 60
"""Trials of the search that is killed."""


def study_of(storage: str, sampler: str = "tpe", pruner: str = "median", trials: int = 16) -> Study:
    search = Search(space=SPACE, sampler=sampler, pruner=pruner, trials=trials)
    return open_study(f"stub-{sampler}-{pruner}", search, "accuracy", storage, begun=False)


def accuracy(values: dict[str, Any], step: int) -> float:
    """Higher for rates near 0.01 and for adam, and growing with the steps."""
    near = math.exp(-abs(math.log10(values["train.learning_rate"]) + 2))
    kind = 0.1 if values["train.optimizer"] == "adam" else 0.1 * values["train.optimizer.momentum"]
    return (near + kind) * step / STEPS


def train(study: Study, trial: Any, folder: Path, pause: float) -> float | None:
    """The last accuracy; None where the pruner ended it. Each step is written to the trace before it counts."""
    values = study.values(trial)
    if study.pruned_before(trial):
        return None
    checkpoint = folder / f"{trial.number}.step"
    reached = int(checkpoint.read_text()) if checkpoint.exists() else 0
    for step in range(reached + 1, STEPS + 1):
        time.sleep(pause)
        with (folder / "trace").open("a") as trace:
            trace.write(f"{trial.number} {step}\n")
        if study.measure(trial, step, accuracy(values, step)):
            return None
        aside = checkpoint.with_suffix(".new")
        aside.write_text(str(step))
        aside.rename(checkpoint)
    return accuracy(values, STEPS)


def run(study: Study, folder: Path, pause: float = 0.0) -> None:
    while trial := study.next():
        study.end(trial, train(study, trial, folder, pause), {"key": str(trial.number)})


if __name__ == "__main__":
    run(study_of(sys.argv[1], trials=MANY), Path(sys.argv[2]), 0.01)
