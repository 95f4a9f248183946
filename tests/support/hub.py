"""A Hugging Face hub on the loopback interface, with the repositories that a test gives it."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_REVISIONS = ("main", COMMIT)

Repositories = Mapping[str, Mapping[str, bytes]]


class Hub:
    """Where it listens, and which files were asked for."""

    def __init__(self, url: str, asked: list[str]) -> None:
        self.url = url
        self.asked = asked


@contextmanager
def hub(repositories: Repositories) -> Iterator[Hub]:
    """Serve repositories by name: their files, all of one commit, at the branch `main`."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, repositories, asked))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Hub(f"http://127.0.0.1:{server.server_address[1]}", asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, repositories: Repositories, asked: list[str], *arguments: Any) -> None:
        self._repositories, self._asked = repositories, asked
        super().__init__(*arguments)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0].strip("/")
        owner, name, *rest = [*path.removeprefix("api/models/").split("/"), ""]
        files = self._repositories.get(f"{owner}/{name}")
        if files is None:
            self._answer(404, error="RepoNotFound")
        elif not path.startswith("api/"):
            self._file(files, rest[1], "/".join(rest[2:]).strip("/"))
        elif rest[0] and rest[1] not in _REVISIONS:
            self._answer(404, error="RevisionNotFound")
        elif rest[0] == "tree":
            listed = [{"type": "file", "path": f, "size": len(files[f]), "oid": _digest(files[f])} for f in files]
            self._answer(200, json.dumps(listed).encode())
        else:
            siblings = [{"rfilename": file} for file in files]
            about = {"id": f"{owner}/{name}", "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
            self._answer(200, json.dumps(about).encode())

    def _file(self, files: Mapping[str, bytes], revision: str, file: str) -> None:
        if revision not in _REVISIONS or file not in files:
            self._answer(404, error="EntryNotFound")
            return
        self._asked.append(file)
        self._answer(200, files[file], ETag=f'"{_digest(files[file])}"', **{"X-Repo-Commit": COMMIT})

    def _answer(self, status: int, body: bytes = b"", error: str = "", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"X-Error-Code": error, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Say nothing."""


def _digest(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
