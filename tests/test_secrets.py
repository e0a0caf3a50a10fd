"""A token from a Prefect Secret block, inside a real flow, where no environment variable has its name."""

from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub, sha256

from configs.sources import UrlSource
from tasks.artifact import Artifact, StageError
from tasks.download import download

DATA = b"text,label\na film,good\nno film,bad\n"
SENTINEL = "12345678901234567890"
"""Digits, which Prefect's own `get` would turn into a number."""


@pytest.mark.servers
@pytest.mark.faults
def test_a_secret_block_is_asked_where_the_environment_is_silent(
    harness: None, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    from prefect import flow
    from prefect.blocks.system import Secret

    monkeypatch.setenv("TEMPER_ALLOW_PRIVATE_SOURCES", "true")
    monkeypatch.setenv("NO_PROXY", "*")
    hub = Hub()
    hub.files["/a.csv"] = DATA

    @flow
    def fetch(token: str, query: str) -> Artifact:
        source = UrlSource(kind="url", url=f"{hub.url}/a.csv?{query}", sha256=sha256(DATA), token=token, format="csv")
        return download(source)

    @flow
    def keep() -> None:
        Secret(value=SENTINEL).save("my-token")

    try:
        keep()
        artifact = fetch("my-token", "one")
        assert [request.authorization for request in hub.requests] == [f"Bearer {SENTINEL}"]
        (artifact.path / "data" / "rows.parquet").unlink()  # damaged, so that it is built anew
        monkeypatch.setenv("my-token", "another")
        fetch("my-token", "two")
        assert hub.requests[-1].authorization == "Bearer another"
        (artifact.path / "data" / "rows.parquet").unlink()
        with pytest.raises(StageError, match="neither an environment variable nor a Prefect Secret block is called X"):
            fetch("X", "three")
    finally:
        hub.stop()
    assert SENTINEL not in caplog.text + "".join(capfd.readouterr())
    assert not [path for path in home.rglob("*") if path.is_file() and SENTINEL.encode() in path.read_bytes()]
