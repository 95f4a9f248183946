"""OTLP over gRPC: the three Export services, on raw bytes so that a request stays as it was received."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import grpc

from otel_agent_eval.accepted import AcceptedConnections
from otel_agent_eval.connections import client_of
from otel_agent_eval.listen import ListenError, ServerTls, bind, join_endpoint, split_endpoint
from otel_agent_eval.receivers.errors import Cause, Rejection, Unavailable, Undecodable
from otel_agent_eval.receivers.gate import Gate
from otel_agent_eval.receivers.gunzip import GZIP_MAGIC
from otel_agent_eval.receivers.intake import Intake, Transport
from otel_agent_eval.signals import Signal
from otel_agent_eval.watched import Watched

DEFAULT_GRPC_ENDPOINT = "127.0.0.1:4317"

SERVICES: Mapping[Signal, str] = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}

_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}
_SUCCESS = b""  # a response with partial_success unset
_IDENTITY_AND_GZIP = 0b101  # bits of grpc_compression_algorithm; OTLP names no other
_log = logging.getLogger(__name__)

_Context = grpc.aio.ServicerContext[bytes, bytes]
_FOR_EVER = 0x7FFFFFFF  # gRPC's word for no limit, in milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcLimits:
    """What a gRPC server bears; times in seconds, None for no limit.

    `connections_per_client` is kept to within a second, `connections` always. `handshake_timeout` is for TLS and
    HTTP/2's greetings, `read_timeout` for the body of a request. A connection is asked to end when it carried nothing
    for `idle`, or was open for `age`, and closed `age_grace` later. A client that says nothing for `ping_after` is
    asked whether it lives, and closed when it says nothing for `ping_timeout`; one that asks us more often than every
    `min_ping_interval` is closed for abuse.
    """

    connections: int = 4096
    connections_per_client: int | None = None
    streams: int = 1000
    handshake_timeout: float = 10.0
    read_timeout: float = 30.0
    idle: float | None = 300.0
    age: float | None = None
    age_grace: float | None = None
    ping_after: float = 60.0
    ping_timeout: float = 20.0
    min_ping_interval: float = 5.0
    pings_without_calls: bool = True

    def options(self) -> list[tuple[str, int]]:
        """Return gRPC's names for them."""
        return [
            ("grpc.max_allowed_incoming_connections", self.connections),
            ("grpc.max_concurrent_streams", self.streams),
            ("grpc.server_handshake_timeout_ms", _milliseconds(self.handshake_timeout)),
            ("grpc.max_connection_idle_ms", _milliseconds(self.idle)),
            ("grpc.max_connection_age_ms", _milliseconds(self.age)),
            ("grpc.max_connection_age_grace_ms", _milliseconds(self.age_grace)),
            ("grpc.keepalive_time_ms", _milliseconds(self.ping_after)),
            ("grpc.keepalive_timeout_ms", _milliseconds(self.ping_timeout)),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", _milliseconds(self.min_ping_interval)),
            ("grpc.keepalive_permit_without_calls", int(self.pings_without_calls)),
        ]


class OtlpGrpcReceiver:
    """Serves OTLP over gRPC.

    `signals` are served, which may change, others answered UNIMPLEMENTED: what has nowhere to go must not be taken.
    `gate` decides who may send, without one everybody. `key` is where the endpoint is configured, for the message when
    it cannot be used.
    """

    def __init__(
        self,
        intake: Intake,
        endpoint: str = DEFAULT_GRPC_ENDPOINT,
        *,
        signals: Collection[Signal] = frozenset(Signal),
        tls: ServerTls | None = None,
        gate: Gate | None = None,
        limits: GrpcLimits | None = None,
        key: str = "receivers.otlp.protocols.grpc.endpoint",
    ) -> None:
        self.endpoint = endpoint
        self._intake = intake
        self.signals = frozenset(signals)
        self._tls = tls
        self._gate = gate
        self._limits = limits or GrpcLimits()
        self.key = key
        self._server: grpc.aio.Server | None = None
        self._reading: dict[asyncio.Task[object], float] = {}  # since when each waits for its request's body
        self._too_slow: set[asyncio.Task[object]] = set()
        self._watches: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen; `endpoint` then holds the real port. Raises `ListenError`."""
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self._intake.max_bytes),
                # gRPC's own decompression had no limit before 1.84, so messages are inflated by ours, like HTTP's
                ("grpc.per_message_decompression", 0),
                ("grpc.compression_enabled_algorithms_bitset", _IDENTITY_AND_GZIP),
                ("grpc.so_reuseport", 0),  # else a second process would silently share the port
                *self._limits.options(),
            ]
        )
        server.add_generic_rpc_handlers((_Services(self),))
        host, _ = split_endpoint(self.endpoint, self.key)
        port = self._listen(server)
        self.endpoint = join_endpoint(host, port)
        watches = [self._end_slow_reads]
        if self._limits.connections_per_client is not None:
            watches.append(self._accepted(host, port, self._limits.connections_per_client).watch)
        await server.start()
        self._server = server
        self._watches = [asyncio.create_task(watch()) for watch in watches]
        _log.info("listening", extra={"protocol": "grpc", "endpoint": self.endpoint})

    async def stop(self, grace: float = 5.0) -> None:
        """Accept nothing new, let requests in flight finish for `grace` seconds, then cancel them (retryable)."""
        self._intake.stop()
        if self._server is not None:
            await self._server.stop(grace)
        for watch in self._watches:
            watch.cancel()

    def _listen(self, server: grpc.aio.Server) -> int:
        host, port = split_endpoint(self.endpoint, self.key)
        address = join_endpoint(host, port)
        bind(self.endpoint, self.key).close()  # says what is wrong, where gRPC would write a log of its own
        try:
            if self._tls is None:
                return server.add_insecure_port(address)
            return server.add_secure_port(address, _credentials(self._tls))
        except RuntimeError:
            raise ListenError(f"cannot listen on {self.endpoint}; change {self.key}", self.key) from None

    def _accepted(self, host: str, port: int, most: int) -> AcceptedConnections:
        try:
            return AcceptedConnections(host, port, per_client=most)
        except OSError as error:
            message = f"cannot count connections: {error}; remove max_connections_per_client, beside {self.key}"
            raise ListenError(message, self.key) from None

    def export(self, signal: Signal) -> Callable[[object, _Context], Awaitable[bytes]]:
        """Return what serves the Export call of a signal."""

        async def export(_: object, context: _Context) -> bytes:
            try:
                return await self._take(signal, context)
            except Rejection as rejection:
                details = (("grpc-status-details-bin", rejection.status().SerializeToString()),)
                await context.abort(_STATUS_CODES[rejection.cause.grpc_code], rejection.message, details)
            return _SUCCESS

        return export

    async def _take(self, signal: Signal, context: _Context) -> bytes:
        headers = context.invocation_metadata() or ()
        client = ""
        try:
            if self._gate is not None:
                client = _client(context)
                await self._gate.admit(client, next((value for key, value in headers if key == "authorization"), ""))
            body = await self._read(context)
        except Rejection as rejection:
            self._intake.observe(signal, Transport.GRPC, 0, rejection.cause)
            raise
        size = len(body)
        try:
            size = await self._intake.take(signal, Transport.GRPC, body, headers, gzip=body.startswith(GZIP_MAGIC))
        finally:
            if self._gate is not None:
                self._gate.charge(client, size)
        return _SUCCESS

    async def _read(self, context: _Context) -> bytes:
        """Receive the request; a sender that takes too long is asked to try again.

        One task ends all slow ones: a timer for each request would cost a tenth of it.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (gRPC runs each call in one)
        self._reading[task] = asyncio.get_running_loop().time()
        try:
            body = await context.read()
        except asyncio.CancelledError:
            if task not in self._too_slow:
                raise
            task.uncancel()
            raise Unavailable(Cause.SLOW, "the request took too long to arrive") from None
        finally:
            del self._reading[task]
            self._too_slow.discard(task)
        if not isinstance(body, bytes):
            raise Undecodable("no message")
        return body

    async def _end_slow_reads(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(1.0, self._limits.read_timeout / 2))
            latest = loop.time() - self._limits.read_timeout
            for task in [task for task, since in self._reading.items() if since < latest]:
                if task not in self._too_slow:
                    self._too_slow.add(task)
                    task.cancel()


class _Services(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs only
    """The Export calls of the signals that are served at the moment.

    They are served as calls with a stream of requests, of which one is read: so a call is looked at before its request
    has come, and whoever may not send need not be listened to. On the wire there is no difference.
    """

    def __init__(self, receiver: OtlpGrpcReceiver) -> None:
        self._receiver = receiver
        self._handlers = {
            f"/{service}/Export": (signal, grpc.stream_unary_rpc_method_handler(receiver.export(signal)))
            for signal, service in SERVICES.items()
        }

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        signal, handler = self._handlers.get(details.method, (None, None))
        return handler if signal in self._receiver.signals else None


def _credentials(tls: ServerTls) -> grpc.ServerCredentials:
    """Make credentials that gRPC asks about at each handshake whether there are newer ones."""
    configurations = Watched(tls.files, lambda: _configuration(tls), interval=tls.reload_interval)
    used = [configurations.get()]

    def newer() -> grpc.ServerCertificateConfiguration | None:
        newest = configurations.get()
        if newest is used[0]:
            return None
        used[0] = newest
        return newest

    return grpc.dynamic_ssl_server_credentials(
        used[0],
        newer,  # type: ignore[arg-type]  # its stubs do not know that None says "no newer ones"
        tls.client_ca_file is not None,
    )


def _configuration(tls: ServerTls) -> grpc.ServerCertificateConfiguration:
    tls.context()  # gRPC accepts any bytes and fails at the first handshake; this says at once what is wrong
    return grpc.ssl_server_certificate_configuration(
        [(tls.key_file.read_bytes(), tls.cert_file.read_bytes())],
        root_certificates=tls.client_ca_file.read_bytes() if tls.client_ca_file else None,
    )


def _client(context: _Context) -> str:
    """Return who sends, from `ipv4:127.0.0.1:4711` or `ipv6:%5B::1%5D:4711`."""
    with contextlib.suppress(ValueError):
        family, address = context.peer().split(":", 1)
        if family in ("ipv4", "ipv6"):
            return client_of(unquote(address).rpartition(":")[0].strip("[]"))
    return ""


def _milliseconds(seconds: float | None) -> int:
    return _FOR_EVER if seconds is None else int(seconds * 1000)
