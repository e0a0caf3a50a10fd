"""Prefect's server on loopback, behind a guard: it answers to its own name, and to pages of its own alone."""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
OWN = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine; another in `Host` is a page that rebound its name, another in `Origin` a foreign page."""


class Guard:
    """ASGI: 403 for requests under a foreign name (Host) or from a foreign page (Origin)."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what comes from this machine."""
        if scope["type"] in ("http", "websocket") and (reason := foreign(scope["headers"])):
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": reason})
                return
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": reason.encode()})
            return
        await self.app(scope, receive, send)


def foreign(headers: list[tuple[bytes, bytes]]) -> str:
    """Why a request is refused; empty where it is not."""
    for name, value in headers:
        text = value.decode("latin-1")
        if name == b"host" and _name(text) not in OWN:
            return f"the name {text!r} is not this server's\n"
        if name == b"origin" and _name(urlsplit(text).netloc) not in OWN:
            return f"pages of {text!r} may not use this server\n"
    return ""


def _name(netloc: str) -> str:
    return netloc if netloc.endswith("]") else netloc.rpartition(":")[0] or netloc


def app() -> Guard:
    """Prefect's app behind the guard, for uvicorn."""
    from prefect.server.api.server import create_app

    return Guard(create_app())


def main() -> None:
    """Serve on 127.0.0.1 at the port that is given."""
    import uvicorn

    uvicorn.run("flows.prefect_server:app", factory=True, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning",
                lifespan="on", timeout_graceful_shutdown=3)  # fmt: skip


if __name__ == "__main__":
    main()
