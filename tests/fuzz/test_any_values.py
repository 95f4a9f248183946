"""Whatever attributes OTLP can carry: readers take them, and the bytes of the request go on as they came."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from otel_agent_eval.conventions import read
from otel_agent_eval.conventions.span import view_resource, view_span
from otel_agent_eval.receivers import Intake, Transport
from otel_agent_eval.signals import ExportRequest, Payload, Signal

KEYS = st.sampled_from(
    (
        *("gen_ai.operation.name", "openinference.span.kind", "gen_ai.input.messages", "gen_ai.output.messages"),
        *(
            "input.value",
            "output.value",
            "llm.output_messages.0.message.content",
            "retrieval.documents",
            "role",
            "parts",
        ),
        *("ai.response.text", "ai.prompt", "traceloop.entity.output", "gen_ai.completion.0.content", "content", "text"),
    )
) | st.text(max_size=5)
SCALARS = st.one_of(
    st.just(AnyValue()),
    st.builds(AnyValue, string_value=st.text(max_size=20)),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(AnyValue, double_value=st.floats()),
    st.builds(AnyValue, bytes_value=st.binary(max_size=10)),
    st.builds(AnyValue, string_value_strindex=st.integers(0, 2**31 - 1)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(AnyValue, array_value=st.builds(ArrayValue, values=st.lists(inner, max_size=4))),
        st.builds(
            AnyValue,
            kvlist_value=st.builds(
                KeyValueList, values=st.lists(st.builds(KeyValue, key=KEYS, value=inner), max_size=4)
            ),
        ),
    ),
    max_leaves=12,
)
ATTRIBUTES = st.lists(st.builds(KeyValue, key=KEYS, value=VALUES), max_size=8)  # a key may be there more than once


@settings(max_examples=300)
@given(ATTRIBUTES, ATTRIBUTES, ATTRIBUTES, st.binary(max_size=20), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_any_attributes_are_read_and_sent_on_as_they_came(
    of_span: list[KeyValue], of_event: list[KeyValue], of_resource: list[KeyValue], any_id: bytes, start: int, end: int
) -> None:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(of_resource)
    span = group.scope_spans.add().spans.add(trace_id=any_id, span_id=any_id, parent_span_id=any_id, attributes=of_span)
    span.start_time_unix_nano, span.end_time_unix_nano = start, end
    span.events.add(name="gen_ai.choice", attributes=of_event)
    body = request.SerializeToString()
    taken: list[bytes] = []

    async def keep(payload: Payload, message: ExportRequest) -> None:
        taken.append(payload.body)
        assert isinstance(message, ExportTraceServiceRequest)
        for found in message.resource_spans[0].scope_spans:
            read(view_span(found.spans[0], found, view_resource(message.resource_spans[0].resource)))

    asyncio.run(Intake(keep).take(Signal.TRACES, Transport.GRPC, body, ()))
    assert taken == [body]
