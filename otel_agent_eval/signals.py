"""What travels through the gateway, OTLP export requests of three signals, and how it is refused."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

ExportRequest = ExportTraceServiceRequest | ExportLogsServiceRequest | ExportMetricsServiceRequest
ExportResponse = ExportTraceServiceResponse | ExportLogsServiceResponse | ExportMetricsServiceResponse


class Signal(StrEnum):
    """The kinds of telemetry that OTLP carries here."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


REQUEST_TYPES: Mapping[Signal, type[ExportRequest]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}
RESPONSE_TYPES: Mapping[Signal, type[ExportResponse]] = {
    Signal.TRACES: ExportTraceServiceResponse,
    Signal.LOGS: ExportLogsServiceResponse,
    Signal.METRICS: ExportMetricsServiceResponse,
}


@dataclass(frozen=True, slots=True)
class Payload:
    """One export request on its way: `body` is its protobuf encoding, as received wherever nothing had to change.

    `items` counts spans, log records or data points; `metadata` holds the request headers that travel on by allow-list.
    """

    signal: Signal
    body: bytes
    items: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818 (an answer to the sender, not a fault of the gateway)
    """The gateway cannot take a request now; the sender keeps it and tries again after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ShortOfMemory(Refused):
    """The gateway has too little memory to take a request now."""


Sink = Callable[[Payload, ExportRequest], Awaitable[None]]
"""Where receivers put what they decoded: returns when the request is accepted, raises `Refused` otherwise.

The message is the decoded `body`; the sink may change it.
"""
