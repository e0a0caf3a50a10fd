"""A PostgreSQL cluster of a test's own, on loopback."""

import os
import shutil
import socket
import subprocess
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
def cluster(folder: Path) -> Iterator[str]:
    """Start one, with a database that a user without further rights owns; its address."""
    bins = programs()
    if bins is None:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    as_other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    data = folder / "pg"
    data.mkdir()
    (folder / "password").write_text(PASSWORD)
    if as_other:
        for path in (data, folder / "password"):
            shutil.chown(path, "postgres", "postgres")
        for parent in (folder, *folder.parents)[:-1]:
            os.chmod(parent, parent.stat().st_mode | 0o011)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def call(*words: str) -> None:
        subprocess.run([*as_other, *words], check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=120)

    call(str(bins / "initdb"), "-D", str(data), "-U", "temper", "--pwfile", str(folder / "password"), "-A",
         "scram-sha-256", "-E", "UTF8", "--no-sync")  # fmt: skip
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    call(str(bins / "pg_ctl"), "-D", str(data), "-w", "-l", str(data / "log"), "-o", options, "start")
    try:
        yield f"postgresql://temper:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        call(str(bins / "pg_ctl"), "-D", str(data), "-w", "-m", "fast", "stop")
