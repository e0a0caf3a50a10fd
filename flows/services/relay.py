"""A guarded port of this machine before a server that listens on a Unix socket, where no page of a browser comes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .guard import Guard, Receive, Scope, Send

PATIENCE = 3600.0
"""Seconds that the server behind may take for a response."""
DROPPED = (b"connection", b"keep-alive", b"transfer-encoding", b"upgrade")
"""Headers about one connection, which are not passed on to the other."""


class Relay:
    """ASGI: sends each request to the server behind the socket and its response back; 503 while none listens."""

    def __init__(self, place: Path) -> None:
        self.place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay one request."""
        import httpx

        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        query = f"?{scope['query_string'].decode('ascii')}" if scope["query_string"] else ""
        headers = [(name, value) for name, value in scope["headers"] if name not in DROPPED]
        transport = httpx.AsyncHTTPTransport(uds=str(self.place))
        try:
            async with httpx.AsyncClient(transport=transport, timeout=PATIENCE) as client:
                url = f"http://localhost{scope.get('raw_path', b'/').decode('ascii').partition('?')[0]}{query}"
                answer = await client.request(scope["method"], url, headers=headers, content=body)
        except httpx.TransportError as error:
            await _respond(send, 503, [(b"content-type", b"text/plain")], f"no answer yet: {error}\n".encode())
            return
        kept = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in DROPPED]
        kept = [(name, value) for name, value in kept if name not in (b"content-encoding", b"content-length")]
        await _respond(send, answer.status_code, kept, answer.content)


async def _respond(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def front(port: int, place: Path, grace: float) -> Iterator[None]:
    """Listen on 127.0.0.1 at this port for as long as this lasts, for the server at the socket `place`."""
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(
            Guard(Relay(place)),
            host="127.0.0.1",
            port=port,
            log_level="error",
            lifespan="off",
            timeout_graceful_shutdown=int(grace),
        )
    )
    thread = threading.Thread(target=server.run, name="front", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(grace + 5)
