"""The SDK's own exporters against the receivers, configured as users do, in plain text and with TLS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from receivers.conftest import Kept
from support.certificates import Authority

from otel_agent_eval.receivers import Intake, OtlpGrpcReceiver, OtlpHttpReceiver, ServerTls
from otel_agent_eval.signals import Signal

SDK: dict[str, tuple[ModuleType, ModuleType, ModuleType]] = {
    "grpc": (grpc_traces, grpc_logs, grpc_metrics),
    "http": (http_traces, http_logs, http_metrics),
}


@pytest.fixture(autouse=True)
def _only_our_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # the HTTP library prefers these to what the SDK is told
        monkeypatch.delenv(name, raising=False)


PROTOCOLS = pytest.mark.parametrize("protocol", ["grpc", "http"])


@asynccontextmanager
async def listening(protocol: str, kept: Kept, tls: ServerTls | None = None) -> AsyncIterator[str]:
    kind = OtlpGrpcReceiver if protocol == "grpc" else OtlpHttpReceiver
    receiver = kind(Intake(kept), "127.0.0.1:0", tls=tls)
    await receiver.start()
    yield f"{'https' if tls else 'http'}://{receiver.endpoint}"
    await receiver.stop(0.1)


def send(protocol: str, spans: int = 1) -> None:
    """Send spans, a log record and a metric with exporters that the environment configures."""
    traces, logs, metrics = SDK[protocol]
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(traces.OTLPSpanExporter(timeout=2)))
    for number in range(spans):
        tracing.get_tracer("test").start_span(f"span {number}", attributes={"n": number}).end()
    tracing.shutdown()
    logging = LoggerProvider()
    logging.add_log_record_processor(SimpleLogRecordProcessor(logs.OTLPLogExporter(timeout=2)))
    logging.get_logger("test").emit(LogRecord(body="hello", timestamp=1))
    logging.shutdown()
    metering = MeterProvider([PeriodicExportingMetricReader(metrics.OTLPMetricExporter(timeout=2), 60_000)])
    metering.get_meter("test").create_counter("orders").add(3)
    metering.shutdown()


@PROTOCOLS
@pytest.mark.parametrize("compression", ["none", "gzip"])
async def test_all_three_signals_arrive(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, protocol: str, compression: str
) -> None:
    async with listening(protocol, kept) as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        if compression != "none":
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
        await asyncio.to_thread(send, protocol, 3)
    assert [payload.signal for payload in kept.payloads] == [Signal.TRACES] * 3 + [Signal.LOGS, Signal.METRICS]
    assert [payload.items for payload in kept.payloads] == [1] * 5
    assert b"hello" in kept.payloads[3].body
    assert b"orders" in kept.payloads[4].body


@PROTOCOLS
async def test_tls_with_a_client_certificate(
    kept: Kept, authority: Authority, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    server, client = authority.issue("server"), authority.issue("client")
    tls = ServerTls(cert_file=server.cert, key_file=server.key, client_ca_file=authority.cert)
    async with listening(protocol, kept, tls) as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(authority.cert))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", str(client.cert))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", str(client.key))
        await asyncio.to_thread(send, protocol)
    assert len(kept.payloads) == 3


@PROTOCOLS
async def test_client_without_a_certificate_is_not_let_in(
    kept: Kept, authority: Authority, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    server = authority.issue("server")
    tls = ServerTls(cert_file=server.cert, key_file=server.key, client_ca_file=authority.cert)
    async with listening(protocol, kept, tls) as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(authority.cert))
        exporter = SDK[protocol][0].OTLPSpanExporter(timeout=1)
        span = TracerProvider().get_tracer("test").start_span("span")
        span.end()
        await asyncio.to_thread(exporter.export, [span])
        await asyncio.to_thread(exporter.shutdown)
    assert kept.payloads == []
