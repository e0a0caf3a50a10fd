"""Servers and databases: a temporary Prefect server for a run by hand, and both databases made ready at set-up."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 120.0
"""Seconds that a temporary server may take to start."""

SERVER = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
import uvicorn
uvicorn.run("prefect.server.api.server:create_app", factory=True, host="127.0.0.1", port=int(sys.argv[1]),
            log_level="error", lifespan="on")
"""
"""Ends when its standard input does, so that a killed run leaves no server behind."""


class ServiceError(RuntimeError):
    """A server or database does not come up; the message says which and what to do."""


@contextmanager
def prefect_api() -> Iterator[str]:
    """Address of Prefect's API: the one that is configured, else a server of our own for as long as this lasts.

    Prefect would start such a server itself, but only after loading it into this process too. Same command, same
    database, loopback only. Raises ServiceError.
    """
    from prefect.settings import PREFECT_API_URL

    if configured := PREFECT_API_URL.value():
        yield str(configured)
        return
    process, url = start_server()
    from prefect.settings import temporary_settings

    try:
        _wait(process, url)
        with temporary_settings({PREFECT_API_URL: url}):
            yield url
    finally:
        _drain()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start_server() -> tuple[subprocess.Popen[bytes], str]:
    """Start a Prefect server without interface or schedules on a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", SERVER, str(port)]
    quiet = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **quiet})
    return process, f"http://127.0.0.1:{port}/api"


def _drain() -> None:
    """Let logs and events of the run reach the server before it goes."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=10)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            raise ServiceError(f"Prefect's temporary server ended with code {process.returncode}; see `temper doctor`")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise ServiceError(f"Prefect's temporary server did not answer within {PATIENCE:.0f} s; see `temper doctor`")


def initialise() -> None:
    """Make both databases ready: Prefect's in its home, MLflow's in mlruns/."""
    from prefect.server.database import provide_database_interface
    from prefect.utilities.asyncutils import run_coro_as_sync

    from tasks.tracking.runs import client

    run_coro_as_sync(provide_database_interface().create_db())
    client()
