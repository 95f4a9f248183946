"""A span as the readers see it: plain Python values, with the log records that belong to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

_MAX_DEPTH = 32  # senders nest tens of levels at most; deeper is read as absent


@dataclass(frozen=True, slots=True)
class EventView:
    """A span event or a log record: `body` is None for span events, `attributes` may be empty for log records."""

    name: str
    attributes: Mapping[str, Any]
    body: Any = None
    time: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanView:
    """One span. Ids are lower-case hex (`parent_id` is `""` for a root), times are Unix nanoseconds.

    `events` holds the span's own events first, then the log records joined to it, in order of time.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start_time: int
    end_time: int
    failed: bool
    scope: str
    scope_version: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    events: tuple[EventView, ...] = ()
    dropped_attributes: int = 0
    trace_state: str = ""

    @property
    def service(self) -> str:
        """`service.name` of the resource, or `""`."""
        name = self.resource.get("service.name")
        return name if isinstance(name, str) else ""


def view_span(span: Span, scope: ScopeSpans, resource: Mapping[str, Any], logs: Sequence[EventView] = ()) -> SpanView:
    """Make the view of a span. `resource` is the decoded resource, shared by the spans of one ResourceSpans."""
    own = [EventView(e.name, decode_attributes(e.attributes), None, e.time_unix_nano) for e in span.events]
    return SpanView(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        kind=span.kind,
        start_time=span.start_time_unix_nano,
        end_time=span.end_time_unix_nano,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        scope=scope.scope.name,
        scope_version=scope.scope.version,
        attributes=decode_attributes(span.attributes),
        resource=resource,
        events=tuple(own) + tuple(logs),
        dropped_attributes=span.dropped_attributes_count,
        trace_state=span.trace_state,
    )


def view_log(record: LogRecord) -> EventView:
    """Make the view of a log record; older senders name the event in the attribute `event.name`."""
    attributes = decode_attributes(record.attributes)
    name = record.event_name or attributes.get("event.name")
    time = record.time_unix_nano or record.observed_time_unix_nano
    return EventView(name if isinstance(name, str) else "", attributes, decode_value(record.body), time)


def view_resource(resource: Resource) -> Mapping[str, Any]:
    """Decode a resource's attributes."""
    return decode_attributes(resource.attributes)


def decode_attributes(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    """Decode attributes to a dict; of a key given twice the last counts."""
    return {pair.key: decode_value(pair.value) for pair in attributes}


def decode_value(value: AnyValue, depth: int = _MAX_DEPTH) -> Any:  # noqa: ANN401 (any JSON-like value)
    """Decode an AnyValue to str, bool, int, float, bytes, list, dict or None; None also past the depth limit."""
    kind = value.WhichOneof("value")
    if kind is None or depth <= 0:
        return None
    if kind == "array_value":
        return [decode_value(item, depth - 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: decode_value(pair.value, depth - 1) for pair in value.kvlist_value.values}
    return getattr(value, kind) if kind != "string_value_strindex" else None
