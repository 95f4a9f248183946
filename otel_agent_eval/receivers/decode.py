"""Bytes of a request to its message, and how much telemetry that is."""

import contextlib

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.receivers.errors import Undecodable
from otel_agent_eval.receivers.utf8 import with_valid_texts
from otel_agent_eval.signals import REQUEST_TYPES, ExportRequest, Signal


def parse(signal: Signal, body: bytes) -> ExportRequest | None:
    """Parse an export request; unknown fields are kept in the message. None where it is not one."""
    try:
        return REQUEST_TYPES[signal].FromString(body)
    except DecodeError:
        return None


def decode_protobuf(signal: Signal, body: bytes) -> ExportRequest:
    """Decode an export request. Raises `Undecodable`."""
    request = parse(signal, body)
    if request is None:
        raise Undecodable(f"not an {REQUEST_TYPES[signal].DESCRIPTOR.name} in protobuf")
    return request


def decode_repaired(signal: Signal, body: bytes) -> tuple[bytes, ExportRequest]:
    """Decode an export request in which only texts are wrong, and return it with these repaired.

    Takes a microsecond a field. Raises `Undecodable` where something else is wrong.
    """
    with contextlib.suppress(ValueError):  # protobuf's own parser has the last word
        body = with_valid_texts(REQUEST_TYPES[signal].DESCRIPTOR, body)
    return body, decode_protobuf(signal, body)


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
