"""Requests for the tests of the service, and what is read off what arrives."""

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

OPENAI_SCOPE = "opentelemetry.instrumentation.openai_v2"
"""An instrumentation that may put content in log records."""


def any_value(value: Any) -> AnyValue:
    """Make a value of any kind that OTLP knows."""
    made = AnyValue()
    match value:
        case bool():
            made.bool_value = value
        case str():
            made.string_value = value
        case int():
            made.int_value = value
        case float():
            made.double_value = value
        case list():
            made.array_value.values.extend(any_value(item) for item in value)
        case dict():
            made.kvlist_value.values.extend(KeyValue(key=k, value=any_value(v)) for k, v in value.items())
    return made


def span(name: str = "GET /", attributes: Mapping[str, Any] | None = None, **fields: Any) -> Span:
    """Make a span that began and ended just now; a root unless `parent_span_id` is given."""
    now = time.time_ns()
    return Span(
        **{
            "trace_id": secrets.token_bytes(16),
            "span_id": secrets.token_bytes(8),
            "name": name,
            "start_time_unix_nano": now - 2_000_000,
            "end_time_unix_nano": now,
            **fields,
        },
        attributes=[KeyValue(key=key, value=any_value(value)) for key, value in (attributes or {}).items()],
    )


def messages(role: str, *texts: str) -> str:
    """Write messages as the GenAI conventions do, one for each text."""
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]} for text in texts])


def answer(*texts: str, question: str = "What is the capital of France?", **fields: Any) -> Span:
    """Make a model call that gave these answers, one for each choice; without any its content was not captured."""
    content = (
        {"gen_ai.input.messages": messages("user", question), "gen_ai.output.messages": messages("assistant", *texts)}
        if texts
        else {}
    )
    known = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.id": "resp-1"}
    more = fields.pop("attributes", {})
    return span("chat gpt-4o-mini", {**known, **content, **more}, **fields)


def traces(*spans: Span, service: str = "shop", scope: str = "shop.agent") -> ExportTraceServiceRequest:
    """Wrap spans in a request."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.37.0")
    resource.resource.attributes.append(KeyValue(key="service.name", value=any_value(service)))
    inner = resource.scope_spans.add(schema_url="https://opentelemetry.io/schemas/1.36.0")
    inner.scope.name = scope
    inner.spans.extend(spans)
    return request


def content_log(of: Span, text: str) -> ExportLogsServiceRequest:
    """Make the log record that holds a model call's messages."""
    request = ExportLogsServiceRequest()
    record = (
        request.resource_logs.add()
        .scope_logs.add()
        .log_records.add(
            event_name="gen_ai.client.inference.operation.details",
            trace_id=of.trace_id,
            span_id=of.span_id,
            time_unix_nano=of.end_time_unix_nano,
        )
    )
    question, given = messages("user", "What is the capital of France?"), messages("assistant", text)
    record.attributes.append(KeyValue(key="gen_ai.input.messages", value=any_value(question)))
    record.attributes.append(KeyValue(key="gen_ai.output.messages", value=any_value(given)))
    return request


def gauge(name: str = "cpu") -> ExportMetricsServiceRequest:
    """Make a request with one data point."""
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.add(name=name).gauge.data_points.add(as_double=0.5)
    return request


def plain(value: AnyValue) -> Any:
    """Return the Python value of what annotation writes."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


def attributes_of(item: Span | LogRecord) -> dict[str, Any]:
    """Return the attributes as a dict; a key that is there twice fails the test."""
    found = {pair.key: plain(pair.value) for pair in item.attributes}
    assert len(found) == len(item.attributes)
    return found


def own(item: Span) -> dict[str, Any]:
    """Return what the gateway wrote on a span."""
    return {key: value for key, value in attributes_of(item).items() if key.startswith("agent_eval.")}


def without_own(item: Span) -> Span:
    """Return a span as it was before the gateway wrote on it."""
    bare = Span()
    bare.CopyFrom(item)
    for pair in [pair for pair in bare.attributes if pair.key.startswith("agent_eval.")]:
        bare.attributes.remove(pair)
    return bare
