"""An OTLP backend for tests: real gRPC and HTTP servers on loopback that keep what they get and answer as told."""

import gzip
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import grpc
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_agent_eval.signals import REQUEST_TYPES, RESPONSE_TYPES, ExportRequest, ExportResponse, Signal

SERVICES: Mapping[Signal, str] = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}


@dataclass(frozen=True)
class Tls:
    """Files of a server's certificate; with `client_ca` clients must present one signed by it.

    `newest` is the newest version that is spoken over HTTP.
    """

    cert: Path
    key: Path
    client_ca: Path | None = None
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3


@dataclass(frozen=True)
class Received:
    """One export request as it arrived: the decompressed body, its message, and headers with lower-case names."""

    signal: Signal
    transport: Literal["grpc", "http"]
    body: bytes
    headers: Mapping[str, str]
    message: ExportRequest
    answered: str
    time: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Answer:
    """What to answer: `http` and `grpc` codes side by side, so that one answer serves both transports."""

    http: int = 200
    grpc: StatusCode = StatusCode.OK
    retry_after: str | None = None
    retry_info: float | None = None
    rejected: int = 0
    message: str = ""
    delay: float = 0.0
    reset: bool = False

    @property
    def ok(self) -> bool:
        return self.http == 200 and self.grpc is StatusCode.OK and not self.reset


OK = Answer()
UNAVAILABLE = Answer(http=503, grpc=StatusCode.UNAVAILABLE, message="down")


class OtlpSink:
    """A backend in threads. Use as a context manager:

        with OtlpSink() as sink:
            export_to(sink.grpc_endpoint)          # "127.0.0.1:43211"
            export_to(sink.http_endpoint)          # "http://127.0.0.1:43212", append /v1/traces
            sink.wait(Signal.TRACES, 3)            # spans that were accepted
            sink.answer(UNAVAILABLE, times=2)      # the next two requests; times=None: from now on

    `requests` lists every request, refused ones too; `spans`, `logs`, `metrics` and `wait` count accepted ones only.
    """

    def __init__(self, *, tls: Tls | None = None, grpc_port: int = 0, http_port: int = 0) -> None:
        self._tls = tls
        self._ports = (grpc_port, http_port)
        self._received: list[Received] = []
        self._script: list[tuple[Answer, int | None, Signal | None]] = []
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        self._grpc, grpc_port = _grpc_server(self, self._tls, self._ports[0])
        self._http = _http_server(self, self._tls, self._ports[1])
        self.grpc_endpoint = f"127.0.0.1:{grpc_port}"
        self.http_endpoint = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._grpc.stop(0).wait(5)
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def answer(self, answer: Answer, *, times: int | None = None, signal: Signal | None = None) -> None:
        """Answer so from now on, or only to the next `times` requests; `signal` restricts it to one signal."""
        with self._changed:
            if times is None:
                self._script = [entry for entry in self._script if signal is not None and entry[2] is not signal]
            self._script.append((answer, times, signal))

    def requests(self, signal: Signal | None = None) -> list[Received]:
        """Return every request so far, in order, refused ones included."""
        with self._changed:
            return [r for r in self._received if signal in (None, r.signal)]

    def accepted(self, signal: Signal) -> list[Received]:
        """Return the requests of a signal that were answered with success."""
        return [r for r in self.requests(signal) if r.answered == "ok"]

    def spans(self) -> list[Span]:
        """Return the spans accepted so far."""
        return [
            span
            for r in self.accepted(Signal.TRACES)
            for group in r.message.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    def logs(self) -> list[LogRecord]:
        """Return the log records accepted so far."""
        return [
            record
            for r in self.accepted(Signal.LOGS)
            for group in r.message.resource_logs
            for scope in group.scope_logs
            for record in scope.log_records
        ]

    def metrics(self) -> list[Metric]:
        """Return the metrics accepted so far."""
        return [
            metric
            for r in self.accepted(Signal.METRICS)
            for group in r.message.resource_metrics
            for scope in group.scope_metrics
            for metric in scope.metrics
        ]

    def wait(self, signal: Signal, items: int, timeout: float = 10.0) -> None:
        """Block until `items` spans, log records or metrics were accepted; fail after `timeout` seconds."""
        kept = {Signal.TRACES: self.spans, Signal.LOGS: self.logs, Signal.METRICS: self.metrics}[signal]
        self.wait_until(lambda: len(kept()) >= items, timeout, lambda: f"{len(kept())} of {items} {signal}")

    def wait_requests(self, count: int, timeout: float = 10.0) -> None:
        """Block until `count` requests came, whatever the answer; fail after `timeout` seconds."""
        self.wait_until(lambda: len(self._received) >= count, timeout, lambda: f"{len(self._received)} of {count}")

    def wait_until(self, ready: Callable[[], bool], timeout: float, what: Callable[[], str]) -> None:
        """Block until `ready()`, looked at whenever a request came; fail after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not ready():
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"after {timeout} s only {what()} arrived")
            with self._changed:
                self._changed.wait(min(left, 0.1))

    def _take(self, signal: Signal, transport: Literal["grpc", "http"], body: bytes, headers: dict[str, str]) -> Answer:
        message = REQUEST_TYPES[signal].FromString(body)
        with self._changed:
            answer = self._next(signal)
            answered = "ok" if answer.ok else str(answer.grpc if transport == "grpc" else answer.http)
            self._received.append(Received(signal, transport, body, headers, message, answered))
            self._changed.notify_all()
        if answer.delay:
            time.sleep(answer.delay)
        return answer

    def _next(self, signal: Signal) -> Answer:
        limited_first = sorted(self._script, key=lambda entry: entry[1] is None)
        for entry in limited_first:
            answer, times, only = entry
            if only not in (None, signal):
                continue
            if times is not None:
                position = self._script.index(entry)
                self._script[position : position + 1] = [(answer, times - 1, only)] if times > 1 else []
            return answer
        return OK


def _response(signal: Signal, answer: Answer) -> ExportResponse:
    response = RESPONSE_TYPES[signal]()
    if answer.rejected or answer.message:
        field_name = {
            Signal.TRACES: "rejected_spans",
            Signal.LOGS: "rejected_log_records",
            Signal.METRICS: "rejected_data_points",
        }[signal]
        setattr(response.partial_success, field_name, answer.rejected)
        response.partial_success.error_message = answer.message
    return response


def _status(answer: Answer) -> Status:
    status = Status(code=answer.grpc.value[0], message=answer.message)
    if answer.retry_info is not None:
        detail = AnyMessage()
        duration = Duration()
        duration.FromNanoseconds(int(answer.retry_info * 1e9))
        detail.Pack(RetryInfo(retry_delay=duration))
        status.details.append(detail)
    return status


def _grpc_server(sink: OtlpSink, tls: Tls | None, port: int) -> tuple[grpc.Server, int]:
    server = grpc.server(
        ThreadPoolExecutor(8),
        options=[("grpc.max_receive_message_length", 256 << 20), ("grpc.so_reuseport", 0)],
    )

    def handler(signal: Signal) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def export(body: bytes, context: grpc.ServicerContext) -> bytes:
            headers = {key: str(value) for key, value in context.invocation_metadata()}
            answer = sink._take(signal, "grpc", body, headers)
            if answer.grpc is not StatusCode.OK:
                if answer.retry_info is not None:
                    context.set_trailing_metadata((("grpc-status-details-bin", _status(answer).SerializeToString()),))
                context.abort(answer.grpc, answer.message)
            return _response(signal, answer).SerializeToString()

        return export

    for signal, service in SERVICES.items():
        methods = {"Export": grpc.unary_unary_rpc_method_handler(handler(signal))}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    address = f"127.0.0.1:{port}"
    if tls is None:
        bound = server.add_insecure_port(address)
    else:
        credentials = grpc.ssl_server_credentials(
            [(tls.key.read_bytes(), tls.cert.read_bytes())],
            root_certificates=tls.client_ca.read_bytes() if tls.client_ca else None,
            require_client_auth=tls.client_ca is not None,
        )
        bound = server.add_secure_port(address, credentials)
    server.start()
    return server, bound


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    sink: OtlpSink
    context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is not None:  # here, in the connection's own thread, so that a slow handshake blocks nobody
            request.settimeout(10)
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients under test break off on purpose."""


def _http_server(sink: OtlpSink, tls: Tls | None, port: int) -> _Server:
    server = _Server(("127.0.0.1", port), _Handler)
    server.sink = sink
    if tls is not None:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(tls.cert, tls.key)
        server.context.maximum_version = tls.newest
        if tls.client_ca:
            server.context.load_verify_locations(tls.client_ca)
            server.context.verify_mode = ssl.CERT_REQUIRED
    return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        signal = {f"/v1/{signal}": signal for signal in Signal}.get(self.path)
        if signal is None:
            self._send(404, Status(code=5, message="no such path"), json=False)
            return
        json = headers.get("content-type", "").startswith("application/json")
        if json:
            body = json_format.Parse(body, REQUEST_TYPES[signal]()).SerializeToString()
        answer = self.server.sink._take(signal, "http", body, headers)
        if answer.reset:
            self.close_connection = True
            self.connection.close()
        elif answer.http == 200:
            self._send(200, _response(signal, answer), json)
        else:
            self._send(answer.http, _status(answer), json, answer.retry_after)

    def _send(self, code: int, message: Any, json: bool, retry_after: str | None = None) -> None:
        body = json_format.MessageToJson(message).encode() if json else message.SerializeToString()
        self.send_response(code)
        self.send_header("Content-Type", "application/json" if json else "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (as in the base class)
        """Say nothing on stderr."""
