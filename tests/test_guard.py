"""Pages of other origins are refused by every server of this machine, and what a guard lets through is unchanged."""

import asyncio
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from flows.services.guard import Guard, foreign
from flows.services.relay import front


@pytest.mark.parametrize(
    ("origin", "refused"),
    [
        ("http://127.0.0.1:5000", False),
        ("http://localhost:5000", False),
        ("http://[::1]:5000", False),
        ("http://127.0.0.1:8888", True),
        ("http://localhost", True),
        ("https://127.0.0.1:5000", True),
        ("http://127.0.0.1:5000.evil.example", True),
        ("http://127.0.0.1:x", True),
        ("http://[::1:5000", True),
        ("null", True),
        ("", True),
    ],
)
def test_only_pages_of_the_servers_own_origin_are_admitted(origin: str, refused: bool) -> None:
    assert bool(foreign([(b"host", b"127.0.0.1:5000"), (b"origin", origin.encode())], 5000)) == refused
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"status": 200})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {}

    headers = [(b"host", b"localhost:5000"), (b"origin", origin.encode())]
    asyncio.run(Guard(app)({"type": "http", "headers": headers, "server": ("127.0.0.1", 5000)}, receive, send))
    assert sent[0]["status"] == (403 if refused else 200)


def test_a_page_of_the_standard_port_names_none() -> None:
    assert not foreign([(b"origin", b"http://localhost")], 80)
    assert foreign([(b"origin", b"http://localhost")], 8080)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Says what it was sent."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    said = f"{scope['method']} {scope['raw_path'].decode()}?{scope['query_string'].decode()} ".encode() + body
    headers = [(b"content-type", b"text/x"), (b"x-seen", dict(scope["headers"]).get(b"x-mine", b""))]
    await send({"type": "http.response.start", "status": 207, "headers": headers})
    await send({"type": "http.response.body", "body": said})


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """A front before a server that is started by the function that comes with its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    behind = uvicorn.Server(uvicorn.Config(echo, uds=str(tmp_path / "s"), log_level="error", lifespan="off"))
    thread = threading.Thread(target=behind.run, daemon=True)
    with front(port, tmp_path / "s", 1.0):
        yield f"http://127.0.0.1:{port}", thread.start
    behind.should_exit = True
    thread.join(10)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=2)


def test_a_front_passes_on_what_is_sent_and_refuses_foreign_pages(served: tuple[str, Any]) -> None:
    address, begin = served
    with httpx.Client(trust_env=False, timeout=20) as client:
        assert wait(client, address, 503).text.startswith("no answer yet")
        begin()
        wait(client, address, 207)
        answer = client.put(f"{address}/a%20b/c?x=1&y=%26", content=b"\0" * 200_000, headers={"X-Mine": "7"})
        assert (answer.status_code, answer.headers["x-seen"], answer.headers["content-type"]) == (207, "7", "text/x")
        assert answer.content == b"PUT /a%20b/c?x=1&y=%26 " + b"\0" * 200_000
        for name, value in (("Origin", "http://127.0.0.1:8888"), ("Host", "rebound.example"), ("Origin", "null")):
            assert client.post(address, headers={name: value}).status_code == 403
        assert client.post(address, headers={"Origin": address}).status_code == 207


def wait(client: httpx.Client, address: str, status: int) -> httpx.Response:
    """The first answer of this status."""
    for _ in range(100):
        try:
            if (answer := client.get(address)).status_code == status:
                return answer
        except httpx.ConnectError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"no {status} within 5 s")
