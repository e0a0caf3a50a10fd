"""What a training asks of its machine (processor, memory, disk, network, GPU), as MLflow's system metrics of a run."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric

from configs.settings import settings

PREFIX = "system/"
"""Under which MLflow's interface looks for system metrics."""
EVERY = 10.0
"""Seconds between two measurements."""
PATIENCE = 15.0
"""Seconds that the end of a training waits for the last measurement."""
UNMEASURED = "temper.system_metrics"
"""Tag of a run that says why measuring ended early."""


@contextmanager
def measured(client: MlflowClient, run_id: str) -> Iterator[None]:
    """Measure the machine for as long as this lasts; the setting TEMPER_SYSTEM_METRICS=false keeps it from it.

    What goes wrong in here ends the measuring, never the training, and is stated in the run's tag UNMEASURED.
    """
    if not settings().system_metrics:
        yield
        return
    meter = Meter(client, run_id)
    meter.start()
    try:
        yield
    finally:
        meter.over.set()
        meter.join(PATIENCE)


class Meter(threading.Thread):
    """A thread of its own, not MLflow's SystemMetricsMonitor: that one writes nothing for a training shorter than its
    interval, begins with a processor at 0 %, and lets a failing measurement end in a traceback."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        super().__init__(name="system-metrics", daemon=True)
        self.client, self.run_id = client, run_id
        self.over = threading.Event()

    def run(self) -> None:
        """Measure until it is over, and once more then."""
        try:
            monitors, step = _monitors(), _next_step(self.client, self.run_id)
            _measure(monitors)  # the processor's load is that since the measurement before
            while True:
                ended = self.over.wait(EVERY)
                self._log(_measure(monitors), step)
                step += 1
                if ended:
                    return
        except Exception as error:
            with suppress(Exception):  # the store itself may be what fails
                self.client.set_tag(self.run_id, UNMEASURED, f"ended early: {type(error).__name__}: {error}"[:500])

    def _log(self, values: dict[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        self.client.log_batch(self.run_id, [Metric(PREFIX + name, value, now, step) for name, value in values.items()])


def _monitors() -> list[Any]:
    """MLflow's monitors; that of the GPU where there is one and nvidia-ml-py is installed."""
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    monitors = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    with suppress(ImportError, RuntimeError):
        monitors.append(GPUMonitor())
    return monitors


def _measure(monitors: list[Any]) -> dict[str, float]:
    values: dict[str, float] = {}
    for monitor in monitors:
        monitor.collect_metrics()
        values |= monitor.aggregate_metrics()
        monitor.clear_metrics()
    return values


def _next_step(client: MlflowClient, run_id: str) -> int:
    """One behind the last measurement of a run that goes on; never 0, of which MLflow gives all values to the model."""
    known = next((name for name in client.get_run(run_id).data.metrics if name.startswith(PREFIX)), None)
    return 1 if known is None else 1 + max(point.step for point in client.get_metric_history(run_id, known))
