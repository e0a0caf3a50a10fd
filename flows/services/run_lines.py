"""What `temper up` shows of its scheduled runs: Temper's own lines and warnings; the rest stands in Prefect's pages."""

import logging
from pathlib import Path
from typing import Any

import prefect
from prefect.logging.handlers import PrefectConsoleHandler

ENGINE = str(Path(prefect.__file__).parent)
QUEUES = str(Path(prefect.__file__).parent / "_internal" / "concurrency")
"""They warn at the end of a process that lines and events are still sent, which is waited for."""


class RunLines(PrefectConsoleHandler):
    """Prefect's handler of the terminal, named by the environment that `temper up` gives to its worker."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.addFilter(own_or_warning)


def own_or_warning(record: logging.LogRecord) -> bool:
    """Whether a line is a warning, or goes through Prefect's loggers without being its own: hooks, states, links."""
    if record.levelno >= logging.WARNING:
        return record.levelno >= logging.ERROR or not record.pathname.startswith(QUEUES)
    return record.name.partition(".")[0] == "prefect" and not record.pathname.startswith(ENGINE)
