"""Servers and databases: a temporary Prefect server for a run by hand, and both databases made ready at set-up."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from configs.servers import known

from .service_error import ServiceError
from .stores import Owner, require

PATIENCE = 120.0
"""Seconds that a temporary server may take to start."""

GRACE = 5.0
"""Seconds within which a server that is asked to end does so by itself."""

SERVER = """
import contextlib, os, signal, sys, threading, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
from configs.environment import loading
with loading():
    import uvicorn, prefect.server.api.server
if not sys.stdin.buffer.read(1):
    os._exit(0)
server = uvicorn.Server(uvicorn.Config("flows.services.prefect_server:app", factory=True, host="127.0.0.1",
                                       port=int(sys.argv[1]), log_level="error", lifespan="on"))
server.capture_signals = contextlib.nullcontext
def end_with_stdin():
    sys.stdin.read()
    server.should_exit = True
    time.sleep(float(sys.argv[2]))
    os._exit(0)
threading.Thread(target=end_with_stdin, daemon=True).start()
server.run()
os._exit(0)
"""
"""Ends when its standard input does, so that a killed run leaves no server behind, and at no signal but SIGKILL: Ctrl-C
and many supervisors signal the whole group, and a run whose server has gone first asks it again for minutes. It starts
in a session of its own, since Ctrl-C may come before it can ignore it. It loads Prefect at once, without looking for
garbage among what stays, and opens its database when it is given a byte."""


@contextmanager
def prefect_api(*owners: Owner, meanwhile: Callable[[], None] = lambda: None) -> Iterator[str]:
    """Address of Prefect's API: the one that is configured, that of `temper up`, else a server for as long as this
    lasts; `meanwhile` is done while that starts, or first.

    owners: what keeps their records must be usable, see `stores.require`; until that is known the server loads its
    libraries, but opens no database. Prefect would start such a server itself, but only after loading it into this
    process too. Same command, same database, loopback only. Flows send no heartbeat to servers of Temper, which marks
    killed runs by their processes: a flow waits at its end, up to a second, for the thread that sends them. Raises
    ServiceError.
    """
    from configs.settings import settings

    servers = known(settings().mlruns)
    own = None if servers or os.environ.get("PREFECT_API_URL") else start_server()
    try:
        from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        require(*owners)
        configured = PREFECT_API_URL.value()  # in a profile of Prefect's, too
        if own and configured:
            own[0].kill()  # it has opened nothing
            _end(own[0])
            own = None
        if own:
            open_server(own[0])
        meanwhile()
        if own:
            _wait(*own)
        url = str(configured or (servers.prefect if servers else own and own[1]))
        changed: dict[Any, Any] = {PREFECT_API_URL: url}
        if not configured and "PREFECT_FLOWS_HEARTBEAT_FREQUENCY" not in os.environ:
            changed[PREFECT_FLOWS_HEARTBEAT_FREQUENCY] = None
        with temporary_settings(changed):
            _mark_gone()
            try:
                yield url
            finally:
                if not configured:
                    _drain()
    finally:
        if own:
            _end(own[0])


def _mark_gone() -> None:
    """Runs that were killed since the last start are marked before another begins."""
    from tasks.store import living

    if living.gone("flow") or living.gone("mlflow"):
        from prefect.client.orchestration import get_client

        from tasks.data.escape import terminal

        from .crashed_runs import mark_gone

        with get_client(sync_client=True) as api:
            mark_gone(api, lambda text: print(terminal(text), file=sys.stderr, flush=True))


def start_server() -> tuple[subprocess.Popen[bytes], str]:
    """Start a Prefect server without interface or schedules on a free loopback port: it loads, and waits until it is
    opened."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", SERVER, str(port), str(GRACE)]
    quiet = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **quiet}, start_new_session=True)
    return process, f"http://127.0.0.1:{port}/api"


def open_server(process: subprocess.Popen[bytes]) -> None:
    """Let it open its database, bring that up to date, and answer."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has ended: whoever waits for it learns why
        process.stdin.write(b"\n")
        process.stdin.flush()


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(2 * GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


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
            from tasks.store.failure import full_disks

            why = "; ".join(full_disks()) or "see `temper doctor`"
            raise ServiceError(f"Prefect's temporary server ended with code {process.returncode}; {why}")
        if answers(f"{url}/health"):
            return
        time.sleep(0.1)
    raise ServiceError(f"Prefect's temporary server did not answer within {PATIENCE:.0f} s; see `temper doctor`")


def answers(health: str) -> bool:
    """Whether a health page says 200."""
    try:
        with urllib.request.urlopen(health, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def initialise() -> None:
    """Make both databases ready: Prefect's in its home, MLflow's in mlruns/."""
    from prefect.server.database import provide_database_interface
    from prefect.utilities.asyncutils import run_coro_as_sync

    from tasks.tracking.runs import client

    run_coro_as_sync(provide_database_interface().create_db())
    client()
