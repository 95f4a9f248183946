"""rotel, a native collector, in front of the gateway and behind it."""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from support.gateway import configuration, gateway
from support.otlp_sink import OtlpSink
from support.processes import wait_until
from support.rotel import rotel

from otel_agent_eval.signals import Signal

pytestmark = pytest.mark.backends

SPANS, ANSWERS, BATCH = 5000, 50, 100


def plain_span(number: int) -> Span:
    """Make a span of a web service, with attributes of all types."""
    now = time.time_ns()
    span = Span(
        trace_id=secrets.token_bytes(16),
        span_id=secrets.token_bytes(8),
        name=f"GET /orders/{number}",
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=now - 5_000_000,
        end_time_unix_nano=now,
        trace_state="vendor=1",
        flags=0x101,
    )
    span.attributes.add(key="http.route").value.string_value = "/orders/{id}"
    span.attributes.add(key="http.response.status_code").value.int_value = 200
    span.attributes.add(key="ratio").value.double_value = number / 7
    span.attributes.add(key="cached").value.bool_value = number % 2 == 0
    span.attributes.add(key="tags").value.array_value.values.add().string_value = "grün"
    span.events.add(name="cache.miss", time_unix_nano=now - 1_000_000)
    span.links.add(trace_id=secrets.token_bytes(16), span_id=secrets.token_bytes(8))
    return span


def answer_span(number: int) -> Span:
    """Make the span of an answer, as the GenAI conventions have it."""
    span = plain_span(number)
    span.name = "chat gpt-4o-mini"
    span.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
    question = '[{"role":"user","parts":[{"type":"text","content":"What is the capital of France?"}]}]'
    answer = '[{"role":"assistant","parts":[{"type":"text","content":"The capital of France is Paris."}]}]'
    span.attributes.add(key="gen_ai.input.messages").value.string_value = question
    span.attributes.add(key="gen_ai.output.messages").value.string_value = answer
    return span


def batches() -> Iterator[ExportTraceServiceRequest]:
    """Yield requests of mixed spans, every hundredth with an answer."""
    for first in range(0, SPANS, BATCH):
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.30.0")
        resource.resource.attributes.add(key="service.name").value.string_value = "shop"
        scope = resource.scope_spans.add()
        scope.scope.name = "shop.web"
        for number in range(first, first + BATCH):
            scope.spans.append(answer_span(number) if number % (SPANS // ANSWERS) == 0 else plain_span(number))
        yield request


def spans_of(sink: OtlpSink) -> dict[bytes, Span]:
    """Return what arrived, by span id."""
    return {
        span.span_id: span
        for received in sink.requests(Signal.TRACES)
        for resource in received.message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_spans_between_two_collectors_arrive_complete_and_only_answers_are_changed(
    tmp_path: Path, protocol: str
) -> None:
    sent: dict[bytes, Span] = {}
    with OtlpSink() as sink, rotel("http", sink.http_endpoint, tmp_path) as behind:
        if protocol == "grpc":
            exporter = {"otlp/rotel": {"endpoint": f"127.0.0.1:{behind.grpc_port}", "tls": {"insecure": True}}}
        else:
            exporter = {"otlphttp/rotel": {"endpoint": f"http://127.0.0.1:{behind.http_port}"}}
        with gateway(configuration(exporter), tmp_path) as running:
            endpoint = f"http://{running.grpc_endpoint}" if protocol == "grpc" else running.http_endpoint
            with rotel(protocol, endpoint, tmp_path) as front:
                for request in batches():
                    sent |= {span.span_id: span for span in request.resource_spans[0].scope_spans[0].spans}
                    answer = httpx.post(
                        f"http://127.0.0.1:{front.http_port}/v1/traces",
                        content=request.SerializeToString(),
                        headers={"content-type": "application/x-protobuf"},
                    )
                    assert answer.status_code == httpx.codes.OK
                wait_until(lambda: len(spans_of(sink)) >= SPANS, 60, f"arrival of {SPANS} spans")
        arrived = spans_of(sink)
    assert arrived.keys() == sent.keys()
    scored = {key for key, span in arrived.items() if any(a.key == "agent_eval.label" for a in span.attributes)}
    assert scored == {key for key, span in sent.items() if span.name.startswith("chat")}
    assert len(scored) == ANSWERS
    for key, span in arrived.items():
        own = [attribute for attribute in span.attributes if attribute.key.startswith("agent_eval.")]
        for attribute in own:
            span.attributes.remove(attribute)
        assert span == sent[key]
