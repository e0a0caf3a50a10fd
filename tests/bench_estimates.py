"""How often what a run took lay within its estimate: `python tests/bench_estimates.py [RECIPE …] [KEY=VALUE …]`.

Each recipe of configs/ (or those named) is run twice in one home that begins empty, by the command that a person
types: once as nothing of it is known here, and once with another seed of the training, as its settings are known then.
Trainings are cut to one epoch of TEMPER_BENCH_ROWS (400) rows, where a recipe has epochs; the data, the models and the
evaluation are the recipes' own, but for what KEY=VALUE changes in each. Recipes whose data or weights are not on this
machine are left out, by name. A stage's seconds, memory and disk count one each; the goal is nine of ten.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from configs.load import load_recipe  # noqa: E402
from flows.estimates.outcome import QUANTITIES, TOLERANCE, within  # noqa: E402

ROWS = int(os.environ.get("TEMPER_BENCH_ROWS", "400"))
GOAL = 0.9
LONGEST = 1800
"""Seconds of one run, after which a recipe is left out."""
ROUNDS = ("nothing known", "another seed")


@dataclass(frozen=True)
class Seen:
    """A quantity of a stage: what was expected, from low to high, and what it took."""

    recipe: str
    stage: str
    quantity: str
    low: float
    expected: float
    high: float
    took: float

    @property
    def held(self) -> bool:
        return within(self.quantity, self.low, self.high, self.took)

    @property
    def error(self) -> float:
        """What it took by what was expected, the larger by the smaller."""
        least = TOLERANCE[self.quantity]
        both = max(self.took, least), max(self.expected, least)
        return max(both) / min(both)


def changes(path: Path) -> list[str]:
    """What makes a recipe end within minutes."""
    phased = load_recipe(path).train.phases
    return [f"split.train_rows={ROWS}", *([] if phased else ["train.epochs=1"])]


def ran(path: Path, home: Path, given: Sequence[str]) -> list[Seen] | str:
    """What a run took next to its estimate; why there is none, in a line."""
    env = {**os.environ, "TEMPER_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "flows", "run", str(path), *given, "--json"]
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=ROOT, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return f"takes more than {LONGEST} s"
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return next((line for line in lines if line.startswith("error")), "".join(lines[-1:]))
    stages: list[dict[str, Any]] = json.loads(done.stdout)["estimates"]
    return [
        Seen(path.stem, stage["stage"], name, *(stage["forecast"][name][each] for each in ("low", "expected", "high")),
             stage["took"][name])
        for stage in stages
        for name in QUANTITIES
    ]  # fmt: skip


def table(by_round: dict[str, list[Seen]]) -> Iterator[str]:
    """Lines of Markdown: how often, and by how much, of each quantity."""
    yield "| | " + " | ".join(QUANTITIES) + " | all |"
    yield "|---|" + "---:|" * (len(QUANTITIES) + 1)
    for name, seen in by_round.items():
        cells = []
        for quantity in (*QUANTITIES, None):
            those = [each for each in seen if quantity in (None, each.quantity)]
            errors = sorted(each.error for each in those)
            inside = sum(each.held for each in those)
            cells.append(f"{inside} of {len(those)}, median × {errors[len(errors) // 2]:.2f}" if those else "")
        yield f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Run, print and judge."""
    named, given = [[word for word in sys.argv[1:] if ("=" in word) is each] for each in (False, True)]
    paths = [Path(name) for name in named] or sorted((ROOT / "configs").glob("*.yaml"))
    by_round: dict[str, list[Seen]] = {name: [] for name in ROUNDS}
    with tempfile.TemporaryDirectory() as scratch:
        for path in paths:
            for name, seed in zip(ROUNDS, (1, 2), strict=True):
                result = ran(path, Path(scratch), [*changes(path), *given, f"train.seed={seed}"])
                if isinstance(result, str):
                    print(f"{path.stem}, {name}: left out: {result}", flush=True)
                    break
                by_round[name] += result
                out = [f"{each.stage} {each.quantity} × {each.error:.1f}" for each in result if not each.held]
                total = sum(each.took for each in result if each.quantity == "seconds")
                said = ", ".join(out) or "all within"
                print(
                    f"{path.stem}, {name}: {len(result) - len(out)} of {len(result)}, {total:.0f} s; {said}", flush=True
                )
    print("\n".join(table(by_round)))
    every = [each.held for seen in by_round.values() for each in seen]
    if not every or sum(every) / len(every) < GOAL:
        raise SystemExit(f"{sum(every)} of {len(every)} are within their ranges; the goal is {GOAL:.0%}")


if __name__ == "__main__":
    main()
