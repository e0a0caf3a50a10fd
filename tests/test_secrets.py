"""Secrets: asked for where they lie, and found nowhere else, in a real flow and through both servers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browsing import DEMO, servers
from hub_server import Hub, sha256
from tiny import ROOT, TINY

from configs.load import RecipeError, load_recipe
from configs.secrets import masked
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
        (artifact.path / "data" / "rows.parquet").unlink()  # damaged, so that it is rebuilt
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


@pytest.mark.long
@pytest.mark.servers
@pytest.mark.faults
@pytest.mark.timeout(900)
def test_no_secret_stays_with_either_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the environment, passwords of both servers, a signature that a redirect brings, and failures: nowhere
    in a log, parameter, result, artifact or database, nor in what the commands print."""
    secret, hub = "s3ntinel4711", Hub()
    hub.files["/a.csv"] = (ROOT / "tasks" / "data" / "demo" / "reviews.csv").read_bytes()
    source = {"kind": "url", "url": f"{hub.url}/a.csv", "sha256": sha256(hub.files["/a.csv"]), "token": "MY_TOKEN"}
    command = ["run", DEMO, f"download={json.dumps(source)}", *TINY]
    said = []
    monkeypatch.setenv("TEMPER_ALLOW_PRIVATE_SOURCES", "true")
    monkeypatch.setenv("NO_PROXY", "*")
    try:
        with servers(tmp_path) as place:
            guarded = {
                "MY_TOKEN": secret,
                "PREFECT_API_AUTH_STRING": f"temper:{secret}",
                "MLFLOW_TRACKING_URI": place.mlflow.replace("://", f"://temper:{secret}@"),
            }
            safe = replace(place, env=place.env | guarded)
            lost = replace(
                safe,
                env=safe.env
                | {
                    "MLFLOW_TRACKING_URI": f"http://temper:{secret}@127.0.0.1:9",
                    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
                },
            )
            hub.fault("GET", status=401, times=9)
            said.append(safe.temper(*command, fails=True)["error"])
            hub.faults.clear()
            hub.fault("GET", status=302, location=f"/a.csv?X-Amz-Signature={secret}")
            said.append(lost.temper(*command, fails=True)["error"])
            said.append(json.dumps(safe.temper(*command)))
    finally:
        hub.stop()
    assert "401" in said[0] and "MLflow's store http://127.0.0.1:9 cannot be read" in said[1]
    assert "/mlruns" not in said[2] and "reviews-demo" in said[2]
    assert any(secret in str(request.query) for request in hub.requests)
    assert all(request.authorization == f"Bearer {secret}" for request in hub.requests)
    assert not [text for text in said if secret in text]
    assert holding(tmp_path, secret) == []
    assert {"prefect.db", "mlflow.db"} <= {path.name for path in holding(tmp_path, "MY_TOKEN")}  # it does look there


def holding(folder: Path, text: str) -> list[Path]:
    """Files below a folder with a text in their name or their bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if text in path.name or text.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    "change",
    [
        "download.url=ftp://me:SENTINEL@a.example/x.csv",
        "download.url=https://me:SENTINEL@a.example/x.csv",
        "download.url=https://a.example/x.csv?page=1&X-Amz-Signature=SENTINEL",
        "download.url=https://a.example/x.csv?key=SENTINEL",
        "download.token=SENTINEL/with+signs",
        "download.token=ghp_SENTINEL123456",
        f"download={{kind: url, url: 'https://a.example/x.csv', sha256: '{'0' * 64}', token: SENTINEL/with+signs}}",
    ],
)
def test_a_secret_in_a_recipe_is_refused_and_not_repeated(change: str) -> None:
    own = f"download={{kind: url, url: 'https://a.example/x.csv', sha256: '{'0' * 64}'}}"
    with pytest.raises(RecipeError) as error:
        load_recipe(ROOT / DEMO, [own, change])
    assert "SENTINEL" not in str(error.value)


def test_an_address_that_only_looks_like_one_is_kept() -> None:
    for url in ("https://a.example/task-classification.csv", "https://a.example/x.csv?signed=1&config=2&monkey=3"):
        assert load_recipe(ROOT / DEMO, [f"download={{kind: url, url: '{url}', sha256: '{'0' * 64}'}}"])
        assert masked(f"{url}: is no table") == f"{url}: is no table"
