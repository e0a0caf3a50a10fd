"""YAML's language server, as editors run it: a file is opened in it, and asked for completions, hovers and mistakes."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PACKAGE = "yaml-language-server@1.19.2"


def install(folder: Path) -> str | None:
    """The server's program, installed by npm; None where there is no npm, or no registry that it reaches."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return str(folder / "node_modules" / ".bin" / "yaml-language-server") if done.returncode == 0 else None


class Server:
    """Messages to and from a language server over its standard input and output."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process, self._next, self.diagnostics = process, 0, dict[str, list[dict[str, Any]]]()

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        """A request's result."""
        self._next += 1
        asked = self._next
        self._send({"id": asked, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == asked and "method" not in message:
                assert "error" not in message, message
                return message.get("result")

    def tell(self, method: str, params: dict[str, Any]) -> None:
        """A notification."""
        self._send({"method": method, "params": params})

    def mistakes(self, uri: str) -> list[str]:
        """What the server finds wrong with a file that was opened."""
        while uri not in self.diagnostics:
            self._receive()
        return [one["message"] for one in self.diagnostics[uri]]

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        """The next message; what the server asks of its client is answered with nothing."""
        assert self._process.stdout is not None
        length = 0
        while (line := self._process.stdout.readline().strip()) or not length:
            if not line:
                raise EOFError("the language server ended")
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:
            items = message["params"].get("items", []) if isinstance(message.get("params"), dict) else []
            self._send({"id": message["id"], "result": [None] * len(items) if items else None})
        return message


@contextmanager
def running(program: str) -> Iterator[Server]:
    """A server that is ready."""
    command = [program, "--stdio"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        server = Server(process)
        server.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        server.tell("initialized", {})
        settings = {"yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}}
        server.tell("workspace/didChangeConfiguration", {"settings": settings})
        try:
            yield server
        finally:
            process.kill()


def opened(server: Server, path: Path, text: str) -> str:
    """Open a file with this text; its address."""
    uri = path.absolute().as_uri()
    document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
    server.tell("textDocument/didOpen", {"textDocument": document})
    return uri


def at(uri: str, line: int, character: int) -> dict[str, Any]:
    """A place in a file."""
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
