"""What a page of another origin may not do: a guard before a server on loopback, which answers to its own name."""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
OWN = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine; another in `Host` is a page that rebound its name."""
HTTP = 80
"""The port of an origin that names none."""


class Guard:
    """ASGI: 403 for requests under a foreign name (Host) or from a page of another origin (Origin)."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what programs of this machine and the server's own pages send."""
        port = (scope.get("server") or (None, None))[1]
        if scope["type"] in ("http", "websocket") and (reason := foreign(scope["headers"], port)):
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": reason})
                return
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": reason.encode()})
            return
        await self.app(scope, receive, send)


def serve(app: str, lifespan: Literal["auto", "on"] = "auto") -> None:
    """Serve an application that Guard stands before (`module:function` makes it) on 127.0.0.1, at the port that is the
    program's only argument."""
    import uvicorn

    uvicorn.run(
        app,
        factory=True,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        lifespan=lifespan,
        timeout_graceful_shutdown=3,
    )


def foreign(headers: list[tuple[bytes, bytes]], port: int | None = None) -> str:
    """Why a request is refused; empty where it is not. `port`: where the server listens; an origin is a page's scheme,
    name and port, so that a page of another port of this machine is foreign too."""
    for name, value in headers:
        text = value.decode("latin-1")
        if name == b"host" and _name(text) not in OWN:
            return f"the name {text!r} is not this server's\n"
        if name == b"origin" and not _own_origin(text, port):
            return f"pages of {text!r} may not use this server\n"
    return ""


def _own_origin(text: str, port: int | None) -> bool:
    try:
        parts = urlsplit(text)
        own = parts.scheme == "http" and _name(parts.netloc) in OWN
        return own and port in (None, parts.port or HTTP)
    except ValueError:
        return False


def _name(netloc: str) -> str:
    return netloc if netloc.endswith("]") else netloc.rpartition(":")[0] or netloc
