"""What the rows of `faults.py` share: a gateway that can be killed, senders that keep accounts, and backends."""

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import machine
import yaml
from harness import ROOT, configuration
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sender import Send, http_sender
from support.otlp_sink import OtlpSink
from support.processes import wait_until
from telemetry import interactions, plain_request

from otel_agent_eval.signals import Signal

_SENDERS = 4
_PLAIN_SPANS = 27  # beside the three of an agent's trace
_START_SECONDS = 60.0
_CALM_SECONDS = 120.0
_JUMPING_CLOCK = """
import sys, time
from pathlib import Path
real, file = time.time, Path({file!r})
def jumped():
    return real() + (float(file.read_text()) if file.exists() else 0.0)
time.time, time.time_ns = jumped, lambda: int(jumped() * 1e9)
sys.argv[0] = "otel-agent-eval"
from otel_agent_eval.cli import main
main()
"""


class Bench:
    """A gateway with its queue on disk, `backends` behind it, and senders. Use as a context manager."""

    def __init__(self, folder: Path, backends: int = 1, *, grpc: bool = False, **queue: str) -> None:
        self.folder = folder
        self.queue = Path(queue.setdefault("path", str(folder / "queue")))
        self.clock = folder / "clock"  # seconds by which the gateway's clock is wrong
        self.acknowledged: set[bytes] = set()
        self.sent = 0
        self.refused = 0
        self._stack = ExitStack()
        self.backends = [self._stack.enter_context(OtlpSink()) for _ in range(backends)]
        kind = "otlp" if grpc else "otlphttp"
        exporters = {f"{kind}/{n}": _exporter(backend, grpc=grpc) for n, backend in enumerate(self.backends)}
        self.config = configuration(exporters, {"evaluators": {"toxicity": {}}}, interval="1h")
        self.config["service"]["queue"] = {"storage": "disk", **queue}
        self.paths = [ROOT]  # where the gateway finds modules
        self.span_bytes = 0  # by which each plain span is larger than it is
        self.file = folder / "gateway.yaml"
        self.log = folder / "gateway.log"
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._seeds = count()  # no two senders send the same spans
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        self.kill()
        self._stack.close()

    def start(self) -> None:
        """Start the gateway, and wait until it is ready."""
        self.file.write_text(yaml.safe_dump(self.config))
        code = _JUMPING_CLOCK.format(file=str(self.clock))
        with self.log.open("ab") as log:
            process = self._process = subprocess.Popen(
                [sys.executable, "-c", code, "run", "--config", str(self.file)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, self.paths))},
            )
        ended = process.poll
        wait_until(
            lambda: ended() is not None or self._page("readyz") is not None, _START_SECONDS, "start of the gateway"
        )
        if ended() is not None:
            raise RuntimeError(f"the gateway did not start:\n{self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        """End the gateway as `kill -9` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def send_for(self, seconds: float, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Send from several threads for so long; `meanwhile` runs beside and ends by itself."""
        self._ended.clear()
        threads = [threading.Thread(target=self._send, args=(next(self._seeds),)) for _ in range(_SENDERS)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        meanwhile()
        self._ended.wait(max(0.0, began + seconds - time.monotonic()))
        self._ended.set()
        for thread in threads:
            thread.join(_START_SECONDS)

    def enough(self) -> None:
        """End `send_for` before its time."""
        self._ended.set()

    def calm(self, missing: set[bytes] | None = None) -> None:
        """Wait until everything acknowledged has arrived, but for `missing`, or nothing more comes."""
        wanted = self.acknowledged - (missing or set())
        deadline = time.monotonic() + _CALM_SECONDS
        while time.monotonic() < deadline and any(wanted - set(arrived) for arrived in map(arrivals, self.backends)):
            time.sleep(0.2)

    def lost(self) -> set[bytes]:
        """Return what was acknowledged and has not arrived at every backend."""
        return {span for backend in self.backends for span in self.acknowledged - set(arrivals(backend))}

    def duplicated(self) -> int:
        """Return how many spans arrived more often than once, over all backends."""
        return sum(count > 1 for backend in self.backends for count in arrivals(backend).values())

    @property
    def pid(self) -> int:
        """The gateway's process id, 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples with these labels on the gateway's page."""
        lines = (self._page("metrics") or "").splitlines()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        mine = [line for line in lines if line.startswith((f"{name}{{", f"{name} "))]
        found = [line.rpartition("}")[2].removeprefix(name) for line in mine if all(one in line for one in wanted)]
        return sum(float(value.split()[0]) for value in found)

    def memory(self) -> float:
        """Return the gateway's resident memory in MB."""
        return machine.memory_mb(self._process.pid)["rss"] if self._process is not None else 0.0

    def command(self, *arguments: str) -> None:
        """Run `otel-agent-eval` with the gateway's configuration."""
        subprocess.run(
            [sys.executable, "-m", "otel_agent_eval", *arguments, "--config", str(self.file)],
            check=True,
            timeout=_START_SECONDS,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )

    def sender(self) -> Send:
        """Return what sends a request to the gateway."""
        return http_sender(f"http://{self.config['receivers']['otlp']['protocols']['http']['endpoint']}")

    def _page(self, page: str) -> str | None:
        address = self.config["service"]["telemetry"]["metrics"]["address"]
        try:
            answer = httpx.get(f"http://{address}/{page}", timeout=5)
        except httpx.TransportError:
            return None
        return answer.text if answer.status_code == httpx.codes.OK else None

    def _send(self, seed: int) -> None:
        """Send one request after the other, each until it is acknowledged, as the SDKs' exporters do."""
        send = self.sender()
        for body, spans in _requests(seed, self.span_bytes):
            with self._lock:
                self.sent += len(spans)
            while not self._ended.is_set():
                try:
                    send(Signal.TRACES, body)
                except (OSError, RuntimeError, ValueError):  # refused, reset, or nobody is there
                    self.refused += 1
                    send = self.sender()
                    time.sleep(0.1)
                else:
                    with self._lock:
                        self.acknowledged.update(spans)
                    break
            if self._ended.is_set():
                return


def arrivals(backend: OtlpSink) -> Counter[bytes]:
    """Return how often each span arrived."""
    return Counter(span.span_id for span in backend.spans())


def spans_of(body: bytes) -> Sequence[bytes]:
    """Return the ids of a request's spans."""
    request = ExportTraceServiceRequest.FromString(body)
    return [span.span_id for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]


def _exporter(backend: OtlpSink, *, grpc: bool) -> dict[str, Any]:
    retry = {"initial_interval": "100ms", "max_interval": "1s"}
    if grpc:
        return {"endpoint": backend.grpc_endpoint, "tls": {"insecure": True}, "retry_on_failure": retry}
    return {"endpoint": backend.http_endpoint, "retry_on_failure": retry}


def _requests(seed: int, span_bytes: int) -> Iterator[tuple[bytes, Sequence[bytes]]]:
    """Yield requests of a service's spans, each larger by so many bytes, and one agent's trace, all ids different."""
    padding = random.Random(seed).randbytes(span_bytes // 2).hex()  # noqa: S311 (not secret)
    for number, interaction in enumerate(interactions(seed)):
        plain = plain_request(Signal.TRACES, _PLAIN_SPANS, seed=seed * 1_000_003 + number)
        if padding:  # in a request of their own: in an agent's they would be read and written twice
            plain = _padded(plain, padding)
            yield plain, spans_of(plain)
            plain = b""
        body = plain + interaction.body  # reads as one request with the resources of both
        yield body, spans_of(body)


def _padded(body: bytes, padding: str) -> bytes:
    """Return a request whose spans carry a text more."""
    request = ExportTraceServiceRequest.FromString(body)
    for group in request.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                span.attributes.add(key="payload").value.string_value = padding
    return request.SerializeToString()
