"""Which spans of a request may hold an agent's content, by the bytes of the request."""

from collections.abc import Iterator

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.conventions import Marks
from otel_agent_eval.receivers.wire import BYTES, FIXED32, FIXED64, VARINT, varint

_RESOURCE_SPANS, _SCOPE_SPANS, _SPANS = 0x0A, 0x12, 0x12
"""The tags of the fields that lead to a span, the outermost first."""


def marked_spans(body: bytes, request: ExportTraceServiceRequest, marks: Marks) -> Iterator[bool]:
    """Say of each span of a request, in order, whether it may hold content; `body` is its encoding.

    To encode each span and search it would take several times as long.
    """
    own = _marked_in(body, marks)
    for resource in request.resource_spans:
        around_all = marks.found_in(resource.resource.SerializeToString())
        for scope in resource.scope_spans:
            around = around_all or marks.found_in(scope.scope.SerializeToString())
            for _ in scope.spans:
                yield next(own) or around


def _marked_in(body: bytes, marks: Marks) -> Iterator[bool]:
    """Say of each span whether a mark stands within it, and then True for ever."""
    first = marks.finder(body)
    mark = first(0)
    try:
        for start, end in _spans(body):
            if mark < start:
                mark = first(start)
            yield mark < end
    except ValueError:
        pass  # unknown fields can be of a kind that only protobuf's own parser passes over
    while True:
        yield True


def _spans(body: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the spans of a request begin and end."""
    for resource in _messages(body, 0, len(body), _RESOURCE_SPANS):
        for scope in _messages(body, *resource, _SCOPE_SPANS):
            yield from _messages(body, *scope, _SPANS)


def _messages(body: bytes, at: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Yield where the messages behind a tag begin and end. Raises `ValueError` where a field cannot be passed over."""
    while at < end:
        tag, at = varint(body, at)
        wire_type = tag & 7
        if wire_type == BYTES:
            size, start = varint(body, at)
            at = start + size
            if tag == wanted:
                yield start, at
        elif wire_type == VARINT:
            _, at = varint(body, at)
        elif wire_type in (FIXED64, FIXED32):
            at += 8 if wire_type == FIXED64 else 4
        else:
            raise ValueError("a field of no known kind")
