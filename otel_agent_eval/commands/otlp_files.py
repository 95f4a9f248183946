"""Recorded OTLP in files: protobuf requests, OTLP/JSON, and JSON lines as the Collector's file exporter writes them."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.receivers import Rejection, decode_json, decode_protobuf
from otel_agent_eval.signals import ExportRequest, Signal

_MAX_BYTES = 1 << 30
_JSON_KEYS = {"resourceSpans": Signal.TRACES, "resourceLogs": Signal.LOGS, "resourceMetrics": Signal.METRICS}
_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8
_LENGTH_DELIMITED = 2


class FileError(Exception):
    """A file, or one line of it, is not recorded OTLP. The text names the file, the position and what was expected."""


def read_requests(path: Path) -> Iterator[ExportRequest | FileError]:
    """Yield the requests in a file in order; in place of what cannot be read, an error. Never raises for any file."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            yield FileError(f"{path}: larger than {_MAX_BYTES >> 30} GiB; split it")
            return
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        yield FileError(f"{ascii(str(path))[1:-1]}: cannot be read: {getattr(error, 'strerror', None) or error}")
        return
    is_json = path.suffix != ".bin" and data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")
    yield from _json(path, data) if is_json else _protobuf(path, data)


def _protobuf(path: Path, data: bytes) -> Iterator[ExportRequest | FileError]:
    """Yield the request, of whichever signal: the three look alike from outside, but not in their items."""
    requests = [request for signal in Signal if (request := _decoded(signal, data)) is not None]
    found = next(filter(_plausible, requests), None)
    if found is not None:
        yield found
    elif data:
        yield FileError(f"{path}: byte {_end_of_sound(data)}: not an OTLP request of traces or logs in protobuf")
    else:
        yield FileError(f"{path}: the file is empty")


def _decoded(signal: Signal, data: bytes) -> ExportRequest | None:
    try:
        return decode_protobuf(signal, data)
    except Rejection:
        return None


def _plausible(request: ExportRequest) -> bool:
    """Whether the request's items have the types of its signal's, not those of another read in its place."""
    if isinstance(request, ExportTraceServiceRequest):
        spans = [span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]
        return any(len(span.trace_id) == _TRACE_ID_BYTES and len(span.span_id) == _SPAN_ID_BYTES for span in spans)
    items: list[Message]
    if isinstance(request, ExportLogsServiceRequest):
        items = [
            record for group in request.resource_logs for scope in group.scope_logs for record in scope.log_records
        ]
    else:
        items = [
            metric for group in request.resource_metrics for scope in group.scope_metrics for metric in scope.metrics
        ]
    return bool(items) and not any(map(_mistyped, items))


def _mistyped(message: Message) -> bool:
    """Whether a field that the message knows came with another type."""
    unknown = UnknownFieldSet(message)
    return any(unknown[n].field_number in message.DESCRIPTOR.fields_by_number for n in range(len(unknown)))


def _end_of_sound(data: bytes) -> int:
    """Return where the outermost fields stop being whole: where a file was cut, or is no protobuf."""
    position = 0
    while position < len(data):
        length, start = _varint(data, position + 1)
        if data[position] & 7 != _LENGTH_DELIMITED or start + length > len(data):
            break
        position = start + length
    return position


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at a position and where it ends; one that does not end is longer than any file."""
    value = 0
    for shift, byte in enumerate(data[position : position + 10]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:  # noqa: PLR2004 (the continuation bit)
            return value, position + shift + 1
    return 1 << 70, position


def _json(path: Path, data: bytes) -> Iterator[ExportRequest | FileError]:
    """Yield the requests of one JSON document, or of one in each line."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines = data.splitlines()
    if len(lines) > 1 and data.lstrip()[:1] == b"{" and any(map(_is_object, lines[:2])):
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield from _document(f"{path}: line {number}", line)
    else:
        yield from _document(str(path), data)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _document(place: str, data: bytes) -> Iterator[ExportRequest | FileError]:
    try:
        document = json.loads(data)
    except json.JSONDecodeError as error:
        yield FileError(f"{place}: line {error.lineno} column {error.colno}: not JSON: {error.msg}")
        return
    except (ValueError, RecursionError) as error:  # not UTF-8, absurdly long numbers, nesting
        yield FileError(f"{place}: not JSON: {str(error)[:100]}")
        return
    for part in document if isinstance(document, list) else [document]:
        signals = [signal for key, signal in _JSON_KEYS.items() if isinstance(part, dict) and key in part]
        if not signals:
            yield FileError(f"{place}: expected an object with {' or '.join(_JSON_KEYS)}")
        for signal in signals:
            yield _request(place, signal, data if part is document else json.dumps(part).encode())


def _request(place: str, signal: Signal, data: bytes) -> ExportRequest | FileError:
    try:
        return decode_json(signal, data)
    except Rejection as error:
        return FileError(f"{place}: {error}")


def split(
    requests: Iterable[ExportRequest],
) -> tuple[list[ExportTraceServiceRequest], list[ExportLogsServiceRequest]]:
    """Return the requests of traces and those of logs; metrics hold no answers."""
    found = list(requests)
    traces = [request for request in found if isinstance(request, ExportTraceServiceRequest)]
    return traces, [request for request in found if isinstance(request, ExportLogsServiceRequest)]
