"""What `temper up` shows of scheduled runs: no library's lines between Temper's, but every warning."""

import logging
from pathlib import Path

import prefect
import pytest

from flows.services.run_lines import RunLines

PREFECT = str(Path(prefect.__file__).parent / "flow_engine.py")
QUEUES = str(Path(prefect.__file__).parent / "_internal" / "concurrency" / "services.py")
TEMPER = str(Path(__file__).resolve().parent.parent / "tasks" / "published.py")


@pytest.mark.parametrize(
    ("name", "place", "level", "shown"),
    [
        ("prefect.flow_runs", TEMPER, logging.INFO, True),
        ("prefect.flow_runs", PREFECT, logging.INFO, False),  # "Beginning flow run …"
        ("prefect.task_runs", PREFECT, logging.INFO, False),  # "Finished in state …"
        ("prefect.flow_runs.worker", PREFECT, logging.INFO, False),
        ("prefect.flow_runs", PREFECT, logging.ERROR, True),
        ("great_expectations", TEMPER, logging.INFO, False),
        ("great_expectations", TEMPER, logging.WARNING, True),
        ("EventsWorker", QUEUES, logging.WARNING, False),  # "Still processing items: …"
        ("EventsWorker", QUEUES, logging.ERROR, True),
    ],
)
def test_tempers_lines_and_warnings_are_shown(name: str, place: str, level: int, shown: bool) -> None:
    record = logging.LogRecord(name, level, place, 1, "a line", (), None)
    handler = RunLines(level=logging.INFO)
    assert bool(handler.filter(record)) == shown
