"""The sink that other tests rest on, driven by the SDK's own exporters."""

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from support.otlp_sink import UNAVAILABLE, Answer, OtlpSink

from otel_agent_eval.signals import Signal


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_sink_keeps_what_the_sdk_sends(otlp_sink: OtlpSink, transport: str) -> None:
    exporter: SpanExporter = (
        GrpcSpanExporter(otlp_sink.grpc_endpoint, insecure=True)
        if transport == "grpc"
        else HttpSpanExporter(f"{otlp_sink.http_endpoint}/v1/traces")
    )
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("t").start_span("hello").end()
    otlp_sink.wait(Signal.TRACES, 1)
    provider.shutdown()
    assert [span.name for span in otlp_sink.spans()] == ["hello"]
    assert otlp_sink.requests()[0].transport == transport


def test_sink_answers_as_told_and_limited_answers_come_first(otlp_sink: OtlpSink) -> None:
    url = f"{otlp_sink.http_endpoint}/v1/logs"
    headers = {"content-type": "application/x-protobuf"}
    otlp_sink.answer(Answer(http=429, retry_after="3"))
    otlp_sink.answer(UNAVAILABLE, times=1)
    answers = [httpx.post(url, content=b"", headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 429, 429]
    assert answers[1].headers["retry-after"] == "3"
    assert otlp_sink.accepted(Signal.LOGS) == []
    assert len(otlp_sink.requests(Signal.LOGS)) == 3
