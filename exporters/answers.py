"""How the specification reads a destination's answer: what to send again, when, and what never."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import grpc
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_agent_eval.exporters.connections import explained
from otel_agent_eval.exporters.exporter import ExportError, Oversized, Permanent, Retryable, Unsupported
from otel_agent_eval.signals import RESPONSE_TYPES, ExportResponse, Signal

MAX_RESPONSE_BYTES = 4 << 20

_RETRYABLE_CODES = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_TOO_LARGE = ("larger than", "too large", "exceeds")  # without them RESOURCE_EXHAUSTED can be a quota
_RETRYABLE_STATUSES = frozenset({429, 502, 503, 504})
_UNSUPPORTED_STATUSES = frozenset(
    {404, 405, 501}
)  # a backend without the signal has no such path, or only a page there


def read_grpc_error(code: grpc.StatusCode, details: str | bytes | None, message: str = "") -> ExportError:
    """Read a gRPC status, its `grpc-status-details-bin`, if any, and its message."""
    retry_after = _retry_delay(details) if isinstance(details, bytes) else None
    if code in _RETRYABLE_CODES or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and retry_after is not None):
        kind = explained(code.name, message) if code is grpc.StatusCode.UNAVAILABLE else code.name
        return Retryable(kind, retry_after)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and any(words in message.lower() for words in _TOO_LARGE):
        return Oversized(code.name)
    return Unsupported(code.name) if code is grpc.StatusCode.UNIMPLEMENTED else Permanent(code.name)


def read_http_error(status: int, headers: Mapping[str, str]) -> ExportError:
    """Read an HTTP status other than 2xx; `headers` has lower-case keys."""
    kind = f"HTTP {status}"
    if status in _RETRYABLE_STATUSES:
        return Retryable(kind, parse_retry_after(headers.get("retry-after", ""), time.time()))
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Oversized(kind)
    return Unsupported(kind) if status in _UNSUPPORTED_STATUSES else Permanent(kind)


def parse_retry_after(value: str, now: float) -> float | None:
    """Return the seconds until `Retry-After`, given in seconds or as an HTTP date; None where it is neither."""
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except ValueError:
        return None


def read_response(signal: Signal, body: bytes, content_type: str = "application/x-protobuf") -> tuple[int, bool]:
    """Return how many items were rejected, and whether the destination had something to say.

    What it says is not passed on: it can quote content. An answer that cannot be read is a success all the same.
    """
    try:
        if content_type.startswith("application/json"):
            response = json_format.Parse(body or b"{}", RESPONSE_TYPES[signal](), ignore_unknown_fields=True)
        else:
            response = RESPONSE_TYPES[signal].FromString(body)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError):
        return 0, False
    return max(0, _rejected(response)), bool(response.partial_success.error_message)


def _rejected(response: ExportResponse) -> int:
    if isinstance(response, ExportTraceServiceResponse):
        return response.partial_success.rejected_spans
    if isinstance(response, ExportLogsServiceResponse):
        return response.partial_success.rejected_log_records
    return response.partial_success.rejected_data_points


def _retry_delay(details: bytes) -> float | None:
    info = RetryInfo()
    try:
        for detail in Status.FromString(details).details:
            if detail.Is(RetryInfo.DESCRIPTOR):
                detail.Unpack(info)
                return max(0.0, float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9))
    except DecodeError:
        pass
    return None
