"""Which spans of a request are looked into, told by the bytes of the request."""

from itertools import islice

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from otel_agent_eval.conventions import Marks, could_hold_content, marks_of
from otel_agent_eval.service.marked import marked_spans

BUILT_IN = marks_of(())
UNKNOWN_VARINT, UNKNOWN_FIXED = b"\xf8\x07\x01", b"\xfd\x07abcd"
UNKNOWN_GROUP = b"\xfb\x07\xfc\x07"
"""A field 127 of each kind."""


def scope_of(*keys: str, scope: str = "web") -> ScopeSpans:
    made = ScopeSpans(schema_url="gen_ai.of_no_span")
    made.scope.name = scope
    for key in keys:
        span = made.spans.add(name="\n\x0agen", trace_id=b"\n" * 16)
        span.attributes.add(key=key).value.string_value = "x" * 200
    return made


def request_of(*scopes: ScopeSpans) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for scope in scopes:
        request.resource_spans.add().scope_spans.append(scope)
    return request


def marked(body: bytes, marks: Marks = BUILT_IN) -> list[bool]:
    request = ExportTraceServiceRequest.FromString(body)
    spans = sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
    return list(islice(marked_spans(body, request, marks), spans + 1))


def test_spans_are_told_apart_as_if_each_was_searched_alone() -> None:
    request = request_of(
        scope_of("http.route", "gen_ai.prompt", "http.route", "llm.x"), scope_of(), scope_of("url.path", "input.value")
    )
    request.resource_spans[2].scope_spans[0].spans[0].events.add(name="gen_ai.choice")
    each = [
        could_hold_content(span.SerializeToString())
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert each == [False, True, False, True, True, True]
    assert marked(request.SerializeToString()) == each


def test_marks_of_a_scope_or_a_resource_count_for_all_its_spans() -> None:
    request = request_of(scope_of("a", "b", scope="openinference.instrumentation.x"), scope_of("c"), scope_of("d"))
    request.resource_spans[1].resource.attributes.add(key="langfuse.environment")
    assert marked(request.SerializeToString()) == [True, True, True, False]


def test_fields_that_nobody_knows_are_passed_over() -> None:
    unknown = UNKNOWN_VARINT + UNKNOWN_FIXED
    body = unknown + request_of(scope_of("a", "gen_ai.b")).SerializeToString() + unknown
    assert marked(body) == [False, True]


def test_everything_is_looked_into_behind_what_cannot_be_passed_over() -> None:
    first, second = (request_of(scope_of(key)).SerializeToString() for key in "ab")
    assert marked(first + UNKNOWN_GROUP + second) == [False, True]


def test_everything_is_looked_into_for_readers_that_name_no_marks() -> None:
    assert marked(request_of(scope_of("a", "b")).SerializeToString(), Marks(b"")) == [True, True]
