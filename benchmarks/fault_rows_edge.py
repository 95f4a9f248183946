"""The rows of `faults.py` in which senders are the fault: too many, too slow, too large, or not who they should be.

Beside each of them good senders send as in the other rows, and what they were acknowledged must arrive.
"""

import gzip
import http.client
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import grpc
from fault_bench import Bench, spans_of
from fault_row import Make, Row, row_of
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sender import Send
from support.certificates import Authority, Pair
from telemetry import plain_request

from otel_agent_eval.receivers.otlp_grpc import SERVICES
from otel_agent_eval.signals import Signal

_CONNECTIONS = 2000
_SLOW = 300
_TOKEN = "good-sender"  # noqa: S105 (of a gateway that lives for seconds)
_METHOD = f"/{SERVICES[Signal.TRACES]}/Export"
_HEADERS = {"content-type": "application/x-protobuf"}
_HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000000\r\n"
_MIB = 1 << 20
_TIMEOUT = 60.0


def _endpoint(bench: Bench, protocol: str) -> tuple[str, int]:
    host, _, port = bench.config["receivers"]["otlp"]["protocols"][protocol]["endpoint"].rpartition(":")
    return host, int(port)


@contextmanager
def _open(bench: Bench, count: int, protocols: tuple[str, ...]) -> Iterator[list[socket.socket]]:
    """Open connections, to the protocols in turns; those that the gateway does not take are left out."""
    with ExitStack() as stack:
        opened = []
        for number in range(count):
            with suppress(OSError):
                made = socket.create_connection(_endpoint(bench, protocols[number % len(protocols)]), 5)
                opened.append(stack.enter_context(made))
        yield opened


def _alive(connections: list[socket.socket]) -> int:
    """Return how many the other side has not closed, perhaps after an answer."""
    alive = 0
    for connection in connections:
        connection.setblocking(False)  # noqa: FBT003 (socket's)
        try:
            while connection.recv(1 << 16):
                pass
        except BlockingIOError:
            alive += 1
        except OSError:
            pass
    return alive


def _many_connections(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    opened = left = 0

    def connect() -> None:
        nonlocal opened, left
        with _open(bench, _CONNECTIONS, ("http", "grpc")) as connections:
            opened = len(connections)
            time.sleep(max(seconds - 1.0, 1.0))
            left = _alive(connections)

    bench = Bench(folder)
    _hurry(bench)
    with bench:
        bench.send_for(seconds, connect)
        return row_of(name, bench, seconds, f"{opened} opened in silence, half of them to gRPC; {left} left at the end")


def _slow_senders(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    left = 0

    def drip() -> None:
        nonlocal left
        until = time.monotonic() + seconds
        with _open(bench, _SLOW, ("http",)) as connections:
            for number, connection in enumerate(connections):
                connection.sendall(_HEAD + b"\r\n" if number % 2 else _HEAD)  # a body that drips, or a head
            while time.monotonic() < until:
                for connection in connections:
                    with suppress(OSError):
                        connection.send(b"x")
                time.sleep(0.5)
            left = _alive(connections)

    bench = Bench(folder)
    _hurry(bench)
    with bench:
        bench.send_for(seconds, drip)
        return row_of(name, bench, seconds, f"{_SLOW} heads and bodies that drip, {left} left at the end")


def _hurry(bench: Bench) -> None:
    """Have HTTP's timeouts pass within a row; gRPC's for a greeting is ten seconds."""
    timeouts = {"read_header_timeout": "2s", "read_timeout": "3s"}
    bench.config["receivers"]["otlp"]["protocols"]["http"] |= timeouts


def _bombs(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    zeros, spans = gzip.compress(bytes(512 * _MIB), 1), gzip.compress(_flood(), 9)
    over_http = [_over_http(body, {"content-encoding": "gzip"}) for body in (zeros, spans)]
    return _attacked(name, Bench(folder), seconds, [*over_http, _over_grpc(zeros), _over_grpc(_flood())])


def _large_requests(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    answers: Counter[str] = Counter()

    def send() -> None:
        until, seed = time.monotonic() + seconds, 10_000_000
        while time.monotonic() < until:
            seed += 1
            body = _padded(plain_request(Signal.TRACES, 3, seed=seed), 60 * _MIB)
            bench.sent += 3
            answer = _over_http(body)(bench)
            if answer == "200":
                bench.acknowledged.update(spans_of(body))
            answers.update([f"60 MiB: {answer}", f"65 MiB: {_over_http(_padded(body, 65 * _MIB))(bench)}"])

    with Bench(folder) as bench:
        bench.send_for(seconds, send)
        return row_of(name, bench, seconds, _told(answers, bench))


def _wrong_certificates(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    authority, stranger = Authority(folder), Authority(folder, "stranger")
    trusted = authority.cert
    strangers = [
        _over_http(b"", context=_trusting(trusted, client))
        for client in (None, stranger.issue("their client"), authority.issue("expired", expired=True))
    ]
    return _attacked(name, _WithCertificates(folder, authority), seconds, strangers)


def _wrong_tokens(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    body = plain_request(Signal.TRACES, 3, seed=1)
    wrong = ("Bearer guessed", "Basic Z29vZC1zZW5kZXI6", "")
    attempts = [_over_http(body, {"authorization": header}) for header in wrong]
    return _attacked(name, _WithToken(folder), seconds, [*attempts, *(_over_grpc(body, header) for header in wrong)])


class _WithCertificates(Bench):
    """A gateway that wants certificates, and good senders that have them."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        super().__init__(folder)
        server = authority.issue("server")
        files = {"cert_file": str(server.cert), "key_file": str(server.key), "client_ca_file": str(authority.cert)}
        self.config["receivers"]["otlp"]["protocols"]["http"]["tls"] = files
        self._context = _trusting(authority.cert, authority.issue("good client"))

    def sender(self) -> Send:
        """Return what sends over TLS."""
        return _sender(self, context=self._context)


class _WithToken(Bench):
    """A gateway that wants a token, and good senders that have it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.config["extensions"] = {"bearertokenauth": {"token": _TOKEN}}
        for protocol in self.config["receivers"]["otlp"]["protocols"].values():
            protocol["auth"] = {"authenticator": "bearertokenauth"}

    def sender(self) -> Send:
        """Return what sends with the token."""
        return _sender(self, {"authorization": f"Bearer {_TOKEN}"})


_Attempt = Callable[[Bench], str]
"""Sends something once and returns in a word what came of it."""


def _attacked(name: str, bench: Bench, seconds: float, attempts: Sequence[_Attempt]) -> Row:
    """Make the attempts over and over while good senders send."""
    answers: Counter[str] = Counter()

    def attack() -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            answers.update(attempt(bench) for attempt in attempts)

    with bench:
        bench.send_for(seconds, attack)
        return row_of(name, bench, seconds, _told(answers, bench))


def _told(answers: Mapping[str, int], bench: Bench) -> str:
    told = ", ".join(f"{count} x {answer}" for answer, count in sorted(answers.items()))
    return f"{told}; the process held {bench.memory():.0f} MB"


def _over_http(
    body: bytes, headers: Mapping[str, str] | None = None, context: ssl.SSLContext | None = None
) -> _Attempt:
    def attempt(bench: Bench) -> str:
        connection = _connection(bench, context)
        try:
            connection.request("POST", "/v1/traces", body, {**_HEADERS, **(headers or {})})
            return str(connection.getresponse().status)
        except ssl.SSLError:
            return "TLS alert"
        except (OSError, http.client.HTTPException):
            return "closed"
        finally:
            connection.close()

    return attempt


def _over_grpc(body: bytes, authorization: str = "") -> _Attempt:
    def attempt(bench: Bench) -> str:
        host, port = _endpoint(bench, "grpc")
        metadata = (("authorization", authorization),) if authorization else ()
        with grpc.insecure_channel(f"{host}:{port}", [("grpc.max_send_message_length", -1)]) as channel:
            try:
                channel.unary_unary(_METHOD)(body, timeout=_TIMEOUT, metadata=metadata)
            except grpc.RpcError as error:
                return str(error.code().name)
        return "OK"

    return attempt


def _sender(bench: Bench, headers: Mapping[str, str] | None = None, context: ssl.SSLContext | None = None) -> Send:
    """Return what sends good requests over one connection."""
    connection = _connection(bench, context)

    def send(signal: Signal, body: bytes) -> None:
        connection.request("POST", f"/v1/{signal}", body, {**_HEADERS, **(headers or {})})
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"HTTP {answer.status}")

    return send


def _connection(bench: Bench, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
    host, port = _endpoint(bench, "http")
    if context is None:
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)


def _trusting(authority: Path, client: Pair | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    if client is not None:
        context.load_cert_chain(client.cert, client.key)
    return context


def _padded(body: bytes, size: int) -> bytes:
    """Return a request with so much text in the resource of one more group that it has about this size."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().resource.attributes.add(key="padding").value.string_value = "x" * (size - len(body))
    return body + request.SerializeToString()


def _flood() -> bytes:
    """Return almost 64 MiB of spans without anything in them, two bytes each."""
    spans = b"\x12\x00" * (32 * _MIB - 16)
    scope = b"\x12" + _varint(len(spans)) + spans
    return b"\x0a" + _varint(len(scope)) + scope


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


ROWS: Mapping[str, Make] = {
    "2,000 silent connections": _many_connections,
    "slow-loris, heads and bodies": _slow_senders,
    "gzip bombs and floods of empty spans": _bombs,
    "requests of 64 MiB": _large_requests,
    "wrong and expired certificates": _wrong_certificates,
    "wrong tokens": _wrong_tokens,
}
"""The rows by name, as in `fault_rows`."""
