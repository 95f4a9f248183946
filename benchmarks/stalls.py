"""How long others wait while the gateway takes one large request.

    python benchmarks/stalls.py [--queue memory disk] [--out results.json]

A sender asks for the acknowledgement of ten spans again and again, over gRPC, while another sends one request near the
limits over HTTP, which the gateway then forwards. Whatever holds its interpreter shows as a long wait.
"""

import argparse
import gzip
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import machine
from backend import backend
from harness import RunningGateway, configuration, gateway, percentile, print_table, write
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sender import grpc_sender
from telemetry import mixed_request, plain_request

from otel_agent_eval.signals import Signal

_EVERY = 0.002
_BEFORE, _AFTER = 0.5, 3.0
"""Seconds for which the small requests go on before the large one, and after it was answered."""
_PATIENCE = 120.0
_PROTOBUF = {"content-type": "application/x-protobuf"}
_JSON = {"content-type": "application/json"}


class Large(NamedTuple):
    """A large request: how it is made, and with which headers it goes."""

    make: Callable[[], bytes]
    headers: Mapping[str, str] = _PROTOBUF
    signal: Signal = Signal.TRACES


def _one_text() -> bytes:
    request = ExportTraceServiceRequest()
    request.resource_spans.add(schema_url="x" * (63 << 20))
    return request.SerializeToString()


def _json_spans() -> bytes:
    attributes = [{"key": f"attribute.{number}", "value": {"stringValue": "some text"}} for number in range(8)]
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "GET /orders/{id}", "attributes": attributes}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span] * 80_000}]}]}).encode()


def _json_keys() -> bytes:
    return json.dumps({"resourceSpans": [{"unknown": dict.fromkeys(map(str, range(2_000_000)), 1)}]}).encode()


LARGE: Mapping[str, Large] = {
    "spans": Large(lambda: plain_request(Signal.TRACES, 90_000, 1)),
    "spans, gzip": Large(
        lambda: gzip.compress(plain_request(Signal.TRACES, 90_000, 1), 1), {**_PROTOBUF, "content-encoding": "gzip"}
    ),
    "spans, 1 in 100 an agent's": Large(lambda: mixed_request(90_000, 1)),
    "one text": Large(_one_text),
    "logs": Large(lambda: plain_request(Signal.LOGS, 200_000, 1), signal=Signal.LOGS),
    "JSON, spans": Large(_json_spans, _JSON),
    "JSON, unknown keys": Large(_json_keys, _JSON),
    "JSON, numbers": Large(lambda: json.dumps({"unknown": [1] * 7_000_000}).encode(), _JSON),
}


def main() -> None:
    """Parse options, send each large request in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queue", nargs="+", choices=("memory", "disk"), default=["memory"])
    parser.add_argument("--cases", nargs="+", choices=list(LARGE), default=list(LARGE), help="only these")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    before = machine.describe()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name, backend() as target:
        for queue in options.queue:
            config = configuration({"otlphttp/backend": {"endpoint": target.http_endpoint, "timeout": "60s"}})
            config["service"]["queue"] = {"storage": queue, "path": str(Path(name) / queue)}
            with gateway(config, Path(name)) as running:
                rows += [{"queue": queue, "large request": case, **measure(running, case)} for case in options.cases]
    print_table("acknowledgement of small requests beside one large one", rows)
    write(options.out, {"cases": rows}, before)


def measure(running: RunningGateway, case: str) -> dict[str, Any]:
    """Send a large request, and tell how long small ones waited before, and how long at most meanwhile."""
    large = LARGE[case]
    body = large.make()
    waits: list[float] = []
    ended = threading.Event()
    beside = threading.Thread(target=_send_small, args=(running.grpc_endpoint, waits, ended))
    beside.start()
    try:
        time.sleep(_BEFORE)
        before = len(waits)
        taken, status = _send_large(running.http_endpoint, large, body)
        time.sleep(_AFTER)
    finally:
        ended.set()
        beside.join()
    return {
        "MiB": len(body) / (1 << 20),
        "answer": str(status),
        "after s": taken,
        **_longest(waits[:before], waits[before:]),
    }


def _longest(before: Sequence[float], meanwhile: Sequence[float]) -> dict[str, float]:
    return {
        "p50 before, ms": percentile(before, 50),
        "p99, ms": percentile(meanwhile, 99),
        "longest, ms": max(meanwhile),
    }


def _send_small(endpoint: str, waits: list[float], ended: threading.Event) -> None:
    send, body = grpc_sender(endpoint), plain_request(Signal.TRACES, 10, 2)
    while not ended.wait(_EVERY):
        began = time.monotonic()
        send(Signal.TRACES, body)
        waits.append(1000 * (time.monotonic() - began))


def _send_large(endpoint: str, large: Large, body: bytes) -> tuple[float, int]:
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=_PATIENCE)
    began = time.monotonic()
    connection.request("POST", f"/v1/{large.signal}", body, dict(large.headers))
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return time.monotonic() - began, answer.status


if __name__ == "__main__":
    main()
