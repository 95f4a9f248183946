"""Prometheus and Alertmanager with a webhook, on the loopback interface."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import httpx
import yaml
from support.processes import free_port, listening, running


@dataclass(frozen=True)
class Page:
    """An alert as the webhook got it: who was told, whether it began or ended, and the Unix time of its arrival."""

    receiver: str
    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    arrived: float

    @property
    def name(self) -> str:
        return self.labels["alertname"].removeprefix("AgentEval")

    @property
    def service(self) -> str:
        return self.labels.get("service_name", "")


@dataclass
class Webhook:
    """Receives pages."""

    url: str
    _pages: list[Page] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @property
    def pages(self) -> list[Page]:
        with self._lock:
            return list(self._pages)

    def firing(self, name: str, service: str = "") -> Page | None:
        """Return the first page of an alert about a service."""
        found = (p for p in self.pages if (p.status, p.name, p.service) == ("firing", name, service))
        return next(found, None)

    def wait(self, name: str, service: str = "", seconds: float = 120) -> Page:
        """Wait for that page."""
        deadline = time.monotonic() + seconds
        while (page := self.firing(name, service)) is None:
            if time.monotonic() > deadline:
                got = sorted({(p.name, p.service, p.status) for p in self.pages})
                raise TimeoutError(f"no page {name} for {service!r} within {seconds} s; there are {got}")
            time.sleep(0.1)
        return page

    def add(self, body: Mapping[str, Any]) -> None:
        now = time.time()
        made = [
            Page(body["receiver"], alert["status"], alert["labels"], alert["annotations"], now)
            for alert in body["alerts"]
        ]
        with self._lock:
            self._pages.extend(made)


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Run a webhook."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.add(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Webhook(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def alertmanager(config: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Run Alertmanager; gives its host:port."""
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(dict(config)))
    port = free_port()
    command = [
        "prometheus-alertmanager",
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",  # no gossip
    ]
    with running(command, ready=lambda: listening(port), log=folder / "alertmanager.log"):
        yield f"127.0.0.1:{port}"


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return the labels and values of an expression's result."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=30).raise_for_status()
        return [(entry["metric"], float(entry["value"][1])) for entry in answer.json()["data"]["result"]]

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules with their health."""
        groups = httpx.get(f"{self.url}/api/v1/rules", timeout=30).raise_for_status().json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@contextmanager
def prometheus(
    folder: Path, *, target: str, rules: Mapping[str, str], alertmanager: str, job: str = "otel-agent-eval"
) -> Iterator[Prometheus]:
    """Run Prometheus: it scrapes `target` and looks at the rules (text by file name) every second."""
    for name, text in rules.items():
        (folder / name).write_text(text)
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / name) for name in rules],
        "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [target]}]}],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    url = f"http://127.0.0.1:{port}"
    with running(command, ready=lambda: _answers(f"{url}/-/ready"), log=folder / "prometheus.log"):
        yield Prometheus(url)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
