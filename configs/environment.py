"""Other tools' switches, set where the environment is silent: no telemetry, one log, patience at start and in turn."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

QUIET = {
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # stdout is the caller's
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that is gone is reported after some 5 s, by default after 250
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # seconds for one answer; default 120
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    "TOKENIZERS_PARALLELISM": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "OMP_WAIT_POLICY": "PASSIVE",  # torch's threads else wait by spinning: with busy neighbours, four times as long
}
"""Defaults for other tools' switches (no telemetry, one log), set only where the environment is silent."""


BY_HAND = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the command itself says what happens
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    "PREFECT_CLIENT_MAX_RETRIES": "2",  # a server that is gone is asked for 6 s, by default for 62, at each request
}
"""Prefect's switches for a run at a terminal, where a person waits; those of a schedule are more patient."""


OWN = ("localhost", "127.0.0.1", "::1")
"""Names of this machine, whose servers no proxy can reach."""


def quiet_tools() -> None:
    """Set QUIET, and NO_PROXY for this machine; must come before the tools are imported: they read it then."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    pass_by_proxies()


def quiet_prefect() -> None:
    """Set BY_HAND; must come before Prefect is imported. The number of retries stays where the environment has one."""
    patience = os.environ.get("PREFECT_CLIENT_MAX_RETRIES")
    os.environ.update(BY_HAND | ({"PREFECT_CLIENT_MAX_RETRIES": patience} if patience else {}))


@contextmanager
def loading() -> Iterator[None]:
    """Libraries are imported inside: what they define stays; to look for garbage in it takes a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def pass_by_proxies() -> None:
    """Where a proxy is set, let no request to this machine go through it, of this process or its children.

    The names of one letter case alone would not do: libraries differ in which they read. Where no variable sets a
    proxy nothing is set, since then macOS's and Windows's own settings count.
    """
    if not any(name.lower().endswith("_proxy") and name.lower() != "no_proxy" for name in os.environ):
        return
    given = [host.strip() for name in ("no_proxy", "NO_PROXY") for host in os.environ.get(name, "").split(",")]
    if "*" not in given:
        kept = ",".join(dict.fromkeys([*filter(None, given), *OWN]))
        os.environ.update({"no_proxy": kept, "NO_PROXY": kept})
