"""OTLP over gRPC: the three Export services, on raw bytes so that a request stays as it was received."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping

import grpc

from otel_agent_eval.listen import ListenError, ServerTls, bind, join_endpoint, split_endpoint
from otel_agent_eval.receivers.errors import Rejection
from otel_agent_eval.receivers.gunzip import GZIP_MAGIC
from otel_agent_eval.receivers.intake import Intake, Transport
from otel_agent_eval.signals import Signal

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


class OtlpGrpcReceiver:
    """Serves OTLP over gRPC.

    `signals` are served, which may change, others answered UNIMPLEMENTED: what has nowhere to go must not be taken.
    `key` is where the endpoint is configured, for the message when it cannot be used.
    """

    def __init__(
        self,
        intake: Intake,
        endpoint: str = DEFAULT_GRPC_ENDPOINT,
        *,
        signals: Collection[Signal] = frozenset(Signal),
        tls: ServerTls | None = None,
        key: str = "receivers.otlp.protocols.grpc.endpoint",
    ) -> None:
        self.endpoint = endpoint
        self._intake = intake
        self.signals = frozenset(signals)
        self._tls = tls
        self.key = key
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listen; `endpoint` then holds the real port. Raises `ListenError`."""
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self._intake.max_bytes),
                # gRPC's own decompression had no limit before 1.84, so messages are inflated by ours, like HTTP's
                ("grpc.per_message_decompression", 0),
                ("grpc.compression_enabled_algorithms_bitset", _IDENTITY_AND_GZIP),
                ("grpc.so_reuseport", 0),  # else a second process would silently share the port
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),  # senders' keepalives are welcome
                ("grpc.keepalive_permit_without_calls", 1),
            ]
        )
        server.add_generic_rpc_handlers((_Services(self),))
        host, _ = split_endpoint(self.endpoint, self.key)
        self.endpoint = join_endpoint(host, self._listen(server))
        await server.start()
        self._server = server
        _log.info("listening", extra={"protocol": "grpc", "endpoint": self.endpoint})

    async def stop(self, grace: float = 5.0) -> None:
        """Accept nothing new, let requests in flight finish for `grace` seconds, then cancel them (retryable)."""
        self._intake.stop()
        if self._server is not None:
            await self._server.stop(grace)

    def _listen(self, server: grpc.aio.Server) -> int:
        host, port = split_endpoint(self.endpoint, self.key)
        address = join_endpoint(host, port)
        bind(self.endpoint, self.key).close()  # says what is wrong, where gRPC would write a log of its own
        try:
            if self._tls is None:
                return server.add_insecure_port(address)
            return server.add_secure_port(address, _credentials(self._tls))
        except RuntimeError:
            raise ListenError(f"cannot listen on {self.endpoint}; change {self.key}") from None

    def export(self, signal: Signal) -> Callable[[bytes, _Context], Awaitable[bytes]]:
        """Return what serves the Export call of a signal."""

        async def export(body: bytes, context: _Context) -> bytes:
            headers = context.invocation_metadata() or ()
            try:
                await self._intake.take(signal, Transport.GRPC, body, headers, gzip=body.startswith(GZIP_MAGIC))
            except Rejection as rejection:
                details = (("grpc-status-details-bin", rejection.status().SerializeToString()),)
                await context.abort(_STATUS_CODES[rejection.cause.grpc_code], rejection.message, details)
            return _SUCCESS

        return export


class _Services(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs only
    """The Export calls of the signals that are served at the moment."""

    def __init__(self, receiver: OtlpGrpcReceiver) -> None:
        self._receiver = receiver
        self._handlers = {
            f"/{service}/Export": (signal, grpc.unary_unary_rpc_method_handler(receiver.export(signal)))
            for signal, service in SERVICES.items()
        }

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        signal, handler = self._handlers.get(details.method, (None, None))
        return handler if signal in self._receiver.signals else None


def _credentials(tls: ServerTls) -> grpc.ServerCredentials:
    tls.context()  # gRPC accepts any bytes and fails at the first handshake; this says at once what is wrong
    return grpc.ssl_server_credentials(
        [(tls.key_file.read_bytes(), tls.cert_file.read_bytes())],
        root_certificates=tls.client_ca_file.read_bytes() if tls.client_ca_file else None,
        require_client_auth=tls.client_ca_file is not None,
    )
