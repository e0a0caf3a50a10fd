"""What a stage takes on this machine (seconds, memory at most, bytes written), recorded once it has computed.

For estimates alone: nothing here enters an artifact or a key, and what cannot be recorded costs a line in the log.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from configs.literal import complete
from configs.precision import settled
from configs.schema import Train
from configs.settings import settings

from .artifact import Artifact
from .output import Outcome
from .store import workload
from .store.measurements import Measurement, load, machine, record
from .store.peak import Meter, peak_memory
from .store.shared import Say


@dataclass
class Taken:
    """What a stage took."""

    began: float
    memory: Meter
    load: float
    seconds: float = 0.0


@contextmanager
def taking() -> Iterator[Taken]:
    """Measure what is done inside; complete once it has ended."""
    with peak_memory() as meter:
        taken = Taken(time.monotonic(), meter, load())
        yield taken
        taken.seconds = time.monotonic() - taken.began


@dataclass(frozen=True)
class Computed:
    """A stage that has computed: its name, recipe, pinned section and upstream artifacts, and its log."""

    stage: str
    recipe: str
    section: Any
    inputs: Mapping[str, Artifact]
    say: Say

    def remember(self, outcome: Outcome[Any], taken: Taken) -> None:
        """Record what it took; of a resumed training only a part is known, and nothing is recorded."""
        if outcome.status != "run":
            return
        try:
            record(settings().store, self._measurement(outcome, taken))
        except (OSError, ValueError) as error:  # read-only or full; a damaged manifest upstream
            self.say(f"what it took is not recorded for estimates: {error}")

    def _measurement(self, outcome: Outcome[Any], taken: Taken) -> Measurement:
        artifact = outcome.result if isinstance(outcome.result, Artifact) else None
        manifest = artifact.manifest() if artifact else None
        return Measurement(
            stage=self.stage,
            recipe=self.recipe,
            kind=self._kind(),
            alike=workload.alike(self.stage, self._sections()),
            work=float(self._work(manifest["rows"] if manifest else {}, artifact)),
            seconds=round(taken.seconds, 3),
            memory=taken.memory.bytes,
            disk=outcome.disk,
            load=taken.load,
            machine=machine(),
            at=int(time.time()),
            key=artifact.key if artifact else "",
        )

    def _kind(self) -> str:
        if "encoded" in self.inputs:
            return str(self.inputs["encoded"].manifest()["section"]["kind"])
        if self.stage in ("download", "encode"):
            return str(self.section.kind)
        images = any("data/images.parquet" in item.manifest()["files"] for item in self.inputs.values())
        return "" if self.stage == "register" else "image" if images else "rows"

    def _sections(self) -> Mapping[str, object]:
        upstream = {artifact.stage: artifact.manifest().get("section", {}) for artifact in self.inputs.values()}
        return {**upstream, self.stage: complete(settled(self.section))}

    def _work(self, rows: Mapping[str, int], artifact: Artifact | None) -> float:
        if isinstance(self.section, Train) and artifact is not None:
            return self._passes(self.section, artifact)
        if "encoded" in self.inputs and "in" not in rows:  # what a training asks for: of its rows
            return sum(part_rows(self.inputs["encoded"], part) for part in ("train", "validation"))
        return rows.get("in", rows.get("out", 1))

    def _passes(self, section: Train, model: Artifact) -> float:
        """Of the steps that were done: patience may have ended the training early."""
        parts = [part_rows(self.inputs["encoded"], part) for part in ("train", "validation")]
        done = int(json.loads(model.file("audit.json").read_text(encoding="utf-8"))[-1]["end"])
        return workload.passes(section, *parts) * done / max(workload.steps(section, parts[0]), 1)


def measured(here: Computed, make: Callable[[], Outcome[Artifact]]) -> Outcome[Artifact]:
    """Compute a stage, and record what it took."""
    with taking() as taken:
        outcome = make()
    here.remember(outcome, taken)
    return outcome


def part_rows(encoded: Artifact, part: str) -> int:
    """Rows of a part as they are encoded."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(encoded.path / "data" / f"{part}.parquet").num_rows)
