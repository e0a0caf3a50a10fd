"""A few real steps of a recipe's training, in a process of its own: what a pass costs.

python -m flows.estimates.real_steps reads a Request from stdin and writes what it measured to stdout, as JSON. It
trains a model that it throws away, in a temporary folder: no artifact, key or checkpoint of the recipe is touched.
"""

import importlib
import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TextIO, TypedDict

from tasks.store.peak import peak_memory, process_peak

LOADED = ("great_expectations", "prefect", "tasks.tracking.runs")
"""What the process of a run has loaded when it trains: it takes memory as well."""
STEPS = 10
"""Steps that are measured; the first ones, in which memory is allocated, do not count."""
WARM = 2
SECONDS = 30.0
"""After so long no further step begins."""
VALIDATED = 4
"""Batches of validation rows that are measured."""
INTERVAL = 0.02
"""Seconds between two readings of the memory that this process holds, where that has a limit."""


class Request(TypedDict):
    """recipe: its file and changes; encoded: key of its encoded rows; limit: bytes of memory at which
    measuring ends, if any."""

    recipe: str
    overrides: list[str]
    encoded: str
    limit: int | None


@dataclass(frozen=True)
class Steps:
    """begin: seconds to load the model; each: seconds per pass of a row; validate: seconds per validation row; keep:
    seconds to write a checkpoint; memory: bytes at most; weights and checkpoint: bytes of these; batch_norms: such
    layers that are trained, whose result depends on the rows of one forward pass."""

    begin: float
    each: float
    validate: float
    keep: float
    memory: int
    weights: int
    checkpoint: int
    batch_norms: int


class Ceiling(threading.Thread):
    """Ends this process once it holds more memory than a limit, so that measuring takes no more than the run may.

    `ready` is called before the first row.
    """

    def __init__(self, limit: int, out: TextIO) -> None:
        super().__init__(daemon=True)
        self.limit, self.out, self.turn = limit, out, threading.Lock()
        self.held = {"before": 0, "batch_norms": 0}

    def ready(self, batch_norms: int) -> None:
        """The model is there: what is held from here on is that of rows."""
        self.held = {"before": process_peak(), "batch_norms": batch_norms}

    def run(self) -> None:
        """Watch; a step can take minutes and gigabytes, so that what is asked between steps comes too late."""
        while process_peak() <= self.limit:
            time.sleep(INTERVAL)
        self.turn.acquire()  # never released: whoever is second writes nothing
        json.dump({"exceeded": self.held}, self.out)
        self.out.flush()
        os._exit(0)


class Enough(Exception):
    """Ends the measured training."""


class Watch:
    """Times of what a training reports."""

    def __init__(self, seconds: float) -> None:
        self.until, self.steps, self.validated, self.stopped = time.monotonic() + seconds, [time.monotonic()], 0.0, 0.0

    def progress(self, *_: object) -> None:
        """A step has ended."""
        self.steps.append(time.monotonic())
        if self.steps[-1] > self.until and len(self.steps) > WARM + 2:
            raise Enough

    def report(self, step: int, values: Any) -> None:
        """A validation has ended."""
        if "eval_loss" in values:
            self.validated = time.monotonic()


class Bench:
    """A recipe's training, ready to be tried with rows and batches of one's choice."""

    def __init__(self, request: Request) -> None:
        from configs.load import load_recipe
        from configs.settings import settings
        from tasks.kinds.spec import open_training
        from tasks.pins import pin
        from tasks.store import disk

        recipe = load_recipe(Path(request["recipe"]), request["overrides"])
        encoded = disk.find(settings().store, "encode", request["encoded"])
        assert encoded is not None, "the caller found it"
        pinned, _ = pin(recipe.train, ask=False)
        phases = tuple(replace(phase, epochs=1, patience=None) for phase in pinned.phases[-1:])
        self.section = replace(pinned, epochs=1, phases=phases, patience=None)
        self.training = open_training(encoded.file("encoding.json").parent)
        self.parts = {name: self.training.read(encoded.file(f"{name}.parquet")) for name in ("train", "validation")}
        began = time.monotonic()
        self.model = self.training.model(self.section, self.parts["train"])
        self.begin = time.monotonic() - began
        self.feed = self.training.feed(self.parts, self.section.seed)
        self.batch_norms = trained_batch_norms(self.model, pinned, self.training.layout(self.model))

    def fit(self, watch: Watch, rows: list[int], validated: list[int]) -> int:
        """Train on these rows for an epoch, validate and keep a checkpoint at its end; bytes of the checkpoint."""
        from torch.utils.data import Subset

        from tasks.learn.fit import TrainingCallbacks, TrainingRun, fit
        from tasks.learn.trainer_arguments import optimizer_steps
        from tasks.store.measurements import written

        lengths = None if self.feed.lengths is None else self.feed.lengths[rows]
        given: Any = Subset(self.feed.validation, validated) if self.feed.validation and validated else None
        feed = replace(self.feed, train=Subset(self.feed.train, rows), validation=given, lengths=lengths)
        last = optimizer_steps(self.section, len(rows))
        section = replace(self.section, eval_steps=last, logging_steps=last)
        with tempfile.TemporaryDirectory() as scratch:
            callbacks = TrainingCallbacks(watch.report, watch.progress, lambda line: None)
            try:
                fit(section, self.model, feed, TrainingRun(Path(scratch), callbacks), self.training.layout(self.model))
            except Enough:
                return 0
            finally:
                watch.stopped = time.monotonic()
            return max((written(folder) for folder in Path(scratch).rglob("checkpoint-*")), default=0)

    def spread(self, part: str, count: int) -> list[int]:
        """Numbers of so many rows of a part, at equal distances."""
        of = len(self.parts[part])
        count = min(count, of)
        return [number * of // count for number in range(count)]

    def longest(self, part: str, count: int) -> list[int]:
        """Numbers of the longest rows of a part; of the first ones where rows have no length."""
        rows: Any = self.feed.train if part == "train" else self.feed.validation
        lengths = getattr(rows, "lengths", None)
        of = range(len(self.parts[part]))
        return (list(of) if lengths is None else sorted(of, key=lambda row: -int(lengths[row])))[:count]


def measure(bench: Bench) -> Steps:
    """What passes, validations and checkpoints cost."""
    section = bench.section
    batch, step = section.batch_size, section.batch_size * section.accumulation
    rows = bench.spread("train", STEPS * step)
    validated = bench.spread("validation", VALIDATED * section.eval_batch_size)
    with peak_memory() as meter:
        watch = Watch(SECONDS)
        checkpoint = bench.fit(watch, rows, validated)
        longest = bench.longest("validation", section.eval_batch_size)
        bench.fit(Watch(SECONDS), bench.longest("train", batch), longest)
    gaps = [later - sooner for sooner, later in zip(watch.steps[1:], watch.steps[2:], strict=False)]
    usual = sorted(gaps[WARM - 1 :] or gaps or [watch.steps[-1] - watch.steps[0]])
    each = usual[len(usual) // 2] / min(step, len(rows))
    ended = watch.steps[-1]
    validate = (watch.validated - ended) / len(validated) if watch.validated and validated else each / 3
    keep = max(watch.stopped - (watch.validated or ended), 0.0) if checkpoint else 0.0
    weights = sum(value.numel() * value.element_size() for value in bench.model.parameters())
    written, norms = checkpoint or 3 * weights, bench.batch_norms
    return Steps(bench.begin, each, max(validate, 0.0), keep, meter.bytes, weights, written, norms)


def trained_batch_norms(model: Any, section: Any, layout: Any) -> int:
    """Batch norms that some phase trains; `hold_still` keeps the others as they are."""
    from torch.nn.modules.batchnorm import _BatchNorm

    from tasks.learn.phases import plan_phases

    trained = frozenset[str]().union(*(plan.trained for plan in plan_phases(section, layout)))
    return sum(
        any(f"{name}.{own}" in trained for own, _ in module.named_parameters())
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm)
    )


def main() -> None:
    """Measure what stdin asks for."""
    from configs.environment import quiet_tools

    quiet_tools()
    out, sys.stdout = sys.stdout, sys.stderr
    request: Request = json.load(sys.stdin)
    ceiling = Ceiling(request["limit"], out) if request["limit"] else None
    if ceiling:
        ceiling.start()
    for name in LOADED:
        importlib.import_module(name)
    bench = Bench(request)
    if ceiling:
        ceiling.ready(bench.batch_norms)
    taken = asdict(measure(bench))
    if ceiling:
        ceiling.turn.acquire()
    json.dump(taken, out)


if __name__ == "__main__":
    main()
