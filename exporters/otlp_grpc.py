"""Sends OTLP over gRPC, the bytes as they are."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import cast

import grpc

from otel_agent_eval import __version__
from otel_agent_eval.auth import Credentials
from otel_agent_eval.exporters.answers import MAX_RESPONSE_BYTES, read_grpc_error, read_response
from otel_agent_eval.exporters.headers import check_headers, with_credentials
from otel_agent_eval.exporters.rejections import RejectionLog
from otel_agent_eval.exporters.tls import ClientTls
from otel_agent_eval.signals import Payload, Signal
from otel_agent_eval.watched import Watched

_METHODS: Mapping[Signal, str] = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}

_OPTIONS = (
    ("grpc.primary_user_agent", f"otel-agent-eval/{__version__}"),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
    # a connection that died silently is noticed while requests wait on it, well within what servers tolerate
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # a destination that comes back is found within seconds; gRPC's own default grows to two minutes
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


class OtlpGrpcExporter:
    """Sends to `endpoint` (`host:port`).

    `insecure` sends plain text; otherwise `tls` names certificates, without it the system's are trusted. `timeout` is
    in seconds, for one try. A header of the payload's metadata overrides the same one of `headers`; `credentials` give
    the header `authorization`. Raises `ValueError` for TLS files that cannot be read and headers that cannot be sent.
    """

    signals = frozenset(Signal)

    def __init__(
        self,
        name: str,
        endpoint: str,
        *,
        insecure: bool = False,
        tls: ClientTls | None = None,
        headers: Mapping[str, str] | None = None,
        credentials: Credentials | None = None,
        gzip: bool = True,
        timeout: float = 5.0,
    ) -> None:
        self.name = name
        self._headers = check_headers(headers or {})
        self._credentials = credentials
        self._timeout = timeout
        self._endpoint = endpoint
        self._compression = grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression
        self._tls: Watched[grpc.ChannelCredentials] | None = None
        if not insecure:
            files = tls or ClientTls()
            self._tls = Watched(files.files, lambda: _credentials(files), interval=files.reload_interval)
        self._connect()
        self._closing: set[asyncio.Task[None]] = set()
        self._rejections = RejectionLog(name)

    def _connect(self) -> None:
        """Make a channel; its certificates stay as they are."""
        self._trusted = self._tls.get() if self._tls is not None else None
        if self._trusted is None:
            self._channel = grpc.aio.insecure_channel(self._endpoint, _OPTIONS, self._compression)
        else:
            self._channel = grpc.aio.secure_channel(self._endpoint, self._trusted, _OPTIONS, self._compression)
        self._calls = {signal: self._channel.unary_unary(method, None, None) for signal, method in _METHODS.items()}

    async def export(self, payload: Payload) -> int:
        """Send one request; see `Exporter`."""
        if self._tls is not None and self._tls.get() is not self._trusted:
            self._reconnect()
        metadata = tuple(with_credentials(self._headers, self._credentials, payload.metadata).items())
        try:
            answer = await self._calls[payload.signal](payload.body, timeout=self._timeout, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            trailing = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
            details = next((value for key, value in trailing if key == "grpc-status-details-bin"), None)
            raise read_grpc_error(error.code(), details, error.details() or "") from None
        return self._rejections.note(payload.signal, *read_response(payload.signal, answer))

    async def close(self) -> None:
        """Close the connection."""
        await asyncio.gather(self._channel.close(None), *self._closing)

    def _reconnect(self) -> None:
        """Send through a new channel; requests under way end on the old one."""
        closing = asyncio.get_running_loop().create_task(self._channel.close(self._timeout))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._connect()


def _credentials(tls: ClientTls) -> grpc.ChannelCredentials:
    tls.context()  # gRPC accepts any bytes and fails at the first handshake; this says at once what is wrong
    return grpc.ssl_channel_credentials(
        root_certificates=tls.ca_file.read_bytes() if tls.ca_file else None,
        private_key=tls.key_file.read_bytes() if tls.key_file else None,
        certificate_chain=tls.cert_file.read_bytes() if tls.cert_file else None,
    )
