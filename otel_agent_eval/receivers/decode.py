"""Bytes of a request to its message, and how much telemetry that is."""

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.receivers.errors import Undecodable
from otel_agent_eval.signals import REQUEST_TYPES, ExportRequest, Signal


def decode_protobuf(signal: Signal, body: bytes) -> ExportRequest:
    """Decode an export request; unknown fields are kept in the message. Raises `Undecodable`."""
    message_type = REQUEST_TYPES[signal]
    try:
        return message_type.FromString(body)
    except DecodeError:
        raise Undecodable(f"not an {message_type.DESCRIPTOR.name} in protobuf") from None


def count_items(request: ExportRequest) -> int:
    """Count the spans, log records or data points of a request."""
    if isinstance(request, ExportTraceServiceRequest):
        return sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans)
    if isinstance(request, ExportLogsServiceRequest):
        return sum(len(scope.log_records) for group in request.resource_logs for scope in group.scope_logs)
    return sum(
        len(getattr(metric, kind).data_points)
        for group in request.resource_metrics
        for scope in group.scope_metrics
        for metric in scope.metrics
        if (kind := metric.WhichOneof("data"))
    )
