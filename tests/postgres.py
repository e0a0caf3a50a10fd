"""A PostgreSQL cluster of a test's own, on loopback."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "pg-s3cret-of-the-test"


def programs() -> Path | None:
    """Where initdb and pg_ctl lie."""
    found = [Path(on_path).resolve().parent for name in ("initdb",) if (on_path := shutil.which(name))]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in found if (folder / "pg_ctl").exists()), None)


@contextmanager
def cluster() -> Iterator[str]:
    """Start one, whose superuser is `temper`; its address. In a folder of its own: pytest keeps its folders to itself,
    and PostgreSQL refuses to run as root."""
    bins = programs()
    if bins is None:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    with tempfile.TemporaryDirectory(prefix="temper-pg-") as folder:
        yield from serve(bins, Path(folder))


def serve(bins: Path, folder: Path) -> Iterator[str]:
    as_other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    data, password = folder / "data", folder / "password"
    data.mkdir()
    password.write_text(PASSWORD)
    for path in (folder, data, password) if as_other else ():
        shutil.chown(path, "postgres", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def call(*words: str) -> None:
        subprocess.run([*as_other, *words], check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=120)

    call(
        str(bins / "initdb"),
        "-D",
        str(data),
        "-U",
        "temper",
        "--pwfile",
        str(password),
        "-A",
        "scram-sha-256",
        "-E",
        "UTF8",
        "--no-sync",
    )
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    call(str(bins / "pg_ctl"), "-D", str(data), "-w", "-l", str(data / "log"), "-o", options, "start")
    try:
        yield f"postgresql://temper:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        call(str(bins / "pg_ctl"), "-D", str(data), "-w", "-m", "fast", "stop")
