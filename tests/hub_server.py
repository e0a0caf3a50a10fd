"""The Hugging Face Hub on loopback, as huggingface_hub 2.4 speaks to it, with switches for faults; and a process
that knows no other Hub."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".parquet", ".bin", ".pkl", ".big")
"""Endings of files that the Hub keeps in LFS: known by sha256, handed out by another host."""


@dataclass
class Request:
    """One request that reached the server."""

    method: str
    path: str
    query: dict[str, list[str]]
    range: str | None
    authorization: str | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + (f" {self.range}" if self.range else "")


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose "METHOD path" fits `pattern`."""

    pattern: str
    status: int = 0
    cut: int = -1
    """Bytes of the answer after which the connection ends."""
    body: Callable[[bytes], bytes] | None = None
    location: str = ""
    ranges: bool = True
    """Whether a range that is asked for is heeded."""
    length: bool = True
    """Whether the answer says how long it is."""
    hang_up: bool = False
    """The connection ends without an answer."""
    times: int = 1


@dataclass
class Repo:
    """Commits with their files, and the branches and tags that point to them."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)


class Hub(ThreadingHTTPServer):
    """A Hub at `url`; `files` are plain files by path; `seen` holds every request."""

    daemon_threads = True

    def __init__(self, wrap: Callable[[Any], Any] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        if wrap is not None:
            self.socket = wrap(self.socket)
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.repos: dict[tuple[str, str], Repo] = {}
        self.files: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.guard = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that end early are part of the tests."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def add(self, kind: str, name: str, files: dict[str, bytes], branch: str = "main") -> str:
        """A new commit with these files; the branch (or tag) moves there."""
        repo = self.repos.setdefault((kind, name), Repo())
        digests = sorted((file, sha256(data)) for file, data in files.items())
        what = repr((kind, name, digests, len(repo.commits)))
        commit = hashlib.sha1(what.encode()).hexdigest()
        repo.commits[commit] = files
        repo.refs[branch] = commit
        return commit

    def fault(self, pattern: str, **switches: Any) -> Fault:
        """Plan a fault."""
        self.faults.append(Fault(pattern, **switches))
        return self.faults[-1]

    def planned(self, request: Request) -> Fault:
        """The fault that this request meets, if any."""
        with self.guard:
            self.requests.append(request)
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.pattern, f"{request.method} {request.path}"):
                    fault.times -= 1
                    return fault
        return Fault("")

    def forget(self) -> None:
        """Forget faults and requests."""
        with self.guard:
            self.faults.clear()
            self.requests.clear()

    def seen(self, pattern: str = "") -> list[str]:
        """Requests that fit, as "METHOD path [range]"."""
        return [str(request) for request in self.requests if re.search(pattern, str(request))]


def blob_id(data: bytes) -> str:
    """Git's name of a blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data: bytes) -> str:
    """As LFS and recipes name a file."""
    return hashlib.sha256(data).hexdigest()


def pointer(data: bytes) -> bytes:
    """What git keeps for a file in LFS."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(data)}\nsize {len(data)}\n".encode()


class Handler(BaseHTTPRequestHandler):
    """GET and HEAD of the Hub's API, of repository files, and of plain files."""

    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.ask = Request(self.command, path, parse_qs(parts.query), self.headers.get("Range"))
        self.ask.authorization = self.headers.get("Authorization")
        self.fault = self.server.planned(self.ask)
        if self.fault.hang_up:
            self.close_connection = True
        elif self.fault.status:
            where = {"Location": self.fault.location} if self.fault.location else {}
            self.answer(self.fault.status, b"planned", **where)
        elif path in self.server.files:
            self.content(self.server.files[path], {})
        elif found := re.fullmatch(r"/api/(model|dataset)s/(.+?)/(revision|tree)/([^/]+)", path):
            self.about(*found.groups())
        elif found := re.fullmatch(r"/(datasets/)?(.+?)/resolve/([^/]+)/(.+)", path):
            self.resolve("dataset" if found[1] else "model", *found.groups()[1:])
        elif path.startswith("/lfs/"):
            every = (
                data
                for repo in self.server.repos.values()
                for files in repo.commits.values()
                for data in files.values()
            )
            self.content(next(data for data in every if sha256(data) == path[5:]), {"ETag": f'"{path[5:]}"'})
        else:
            self.unknown("RepoNotFound")

    def find(self, kind: str, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit and its files; None once "not found" is said."""
        repo = self.server.repos.get((kind, name))
        if repo is None:
            return self.unknown("RepoNotFound")
        commit = repo.refs.get(revision, revision)
        if commit not in repo.commits:
            return self.unknown("RevisionNotFound")
        return commit, repo.commits[commit]

    def about(self, kind: str, name: str, what: str, revision: str) -> None:
        """The repository at a revision, or the list of its files."""
        found = self.find(kind, name, revision)
        if found is None:
            return
        commit, files = found
        if what == "tree":
            self.json([self.tree_entry(file, data) for file, data in files.items()])
            return
        blobs = "blobs" in self.ask.query
        siblings = [self.sibling(file, data) if blobs else {"rfilename": file} for file, data in files.items()]
        self.json({"id": name, "sha": commit, "siblings": siblings})

    def tree_entry(self, file: str, data: bytes) -> dict[str, Any]:
        entry = {"type": "file", "path": file, "size": len(data), "oid": blob_id(data)}
        if file.endswith(LARGE):
            entry["oid"] = blob_id(pointer(data))
            entry["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": len(pointer(data))}
        return entry

    def sibling(self, file: str, data: bytes) -> dict[str, Any]:
        entry = {"rfilename": file, "size": len(data), "blobId": blob_id(data)}
        if file.endswith(LARGE):
            entry["blobId"] = blob_id(pointer(data))
            entry["lfs"] = {"sha256": sha256(data), "size": len(data), "pointerSize": len(pointer(data))}
        return entry

    def resolve(self, kind: str, name: str, revision: str, file: str) -> None:
        """A file; one in LFS is at another host."""
        found = self.find(kind, name, revision)
        if found is None:
            return
        commit, files = found
        if file not in files:
            self.unknown("EntryNotFound", commit)
            return
        data, headers = files[file], {"X-Repo-Commit": commit}
        if file.endswith(LARGE):
            headers |= {"X-Linked-ETag": f'"{sha256(data)}"', "X-Linked-Size": str(len(data))}
            headers |= {"Location": f"http://localhost:{self.server.port}/lfs/{sha256(data)}"}
            self.answer(302, b"", **headers)
        else:
            self.content(data, headers | {"ETag": f'"{blob_id(data)}"'})

    def content(self, data: bytes, headers: dict[str, str]) -> None:
        """Bytes, or the rest of them where a range is asked for."""
        data = self.fault.body(data) if self.fault.body else data
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.ask.range or "") if self.fault.ranges else None
        if wanted is None:
            self.answer(200, data, **headers)
        elif int(wanted[1]) >= len(data):
            self.answer(416, b"", **{"Content-Range": f"bytes */{len(data)}"})
        else:
            last = min(int(wanted[2] or len(data)), len(data) - 1)
            rest = data[int(wanted[1]) : last + 1]
            self.answer(206, rest, **headers, **{"Content-Range": f"bytes {wanted[1]}-{last}/{len(data)}"})

    def json(self, value: Any) -> None:
        data = json.dumps(value).encode()
        self.answer(200, self.fault.body(data) if self.fault.body else data, **{"Content-Type": "application/json"})

    def unknown(self, code: str, commit: str = "") -> None:
        where = {"X-Repo-Commit": commit} if commit else {}
        self.answer(404, b"", **{"X-Error-Code": code, "X-Error-Message": code, **where})

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        if self.fault.length:
            headers["Content-Length"] = str(len(body))
        else:
            self.close_connection = True
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            cut = self.fault.cut
            self.wfile.write(body if cut < 0 else body[:cut])
            if cut >= 0:
                self.close_connection = True


class Failed(Exception):
    """An exception in the child: the name of its class and its message."""


class Child:
    """A Python process whose Hub is `hub` from the start; it keeps its imports from one `run` to the next."""

    def __init__(self, hub: str, home: Path, **environment: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.errors = (home / "stderr.txt").open("ab")
        quiet = {
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
        own = {"HF_ENDPOINT": hub, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "NO_PROXY": "*", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**os.environ, **quiet, **own, **environment},
            cwd=Path(__file__).parent.parent,
            text=True,
        )

    def run(self, code: str, **given: Any) -> Any:
        """Run code in which `given` are variables; returns what it calls `result`. Raises Failed."""
        environment = {name: value for name, value in os.environ.items() if name.startswith("TEMPER_")}
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps([code, given, environment]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["result"]

    def stop(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
        self.errors.close()


def work() -> None:
    """The child: lines of code come in, lines with results go out; waiting takes a hundredth of its time."""
    sleep, out = time.sleep, os.fdopen(os.dup(1), "w")
    time.sleep = lambda seconds: sleep(seconds / 100)
    os.dup2(2, 1)
    sys.path.insert(0, os.getcwd())
    for line in sys.stdin:
        code, given, environment = json.loads(line)
        os.environ.update(environment)
        try:
            exec(code, given)
            answer = {"result": given.get("result")}
        except BaseException as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(answer) + "\n")
        out.flush()
    os._exit(0)  # nothing here is worth a second of tidying up


if __name__ == "__main__":
    work()
