"""Requests in which an agent's spans and others are mixed."""

import json
import secrets
import time

from live_gateway import arrived, running
from service_samples import answer, own, span, traces
from support.otlp_sink import OtlpSink

from otel_agent_eval.signals import Signal


async def test_plain_spans_of_a_request_lead_from_an_answer_to_its_documents(otlp_sink: OtlpSink) -> None:
    trace_id = secrets.token_bytes(16)
    agent, middleware, search = (secrets.token_bytes(8) for _ in range(3))
    documents = json.dumps([{"id": "d1", "content": "Paris is the capital and largest city of France."}])
    retrieval = {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.documents": documents}
    before = {"start_time_unix_nano": time.time_ns() - 9_000_000, "end_time_unix_nano": time.time_ns() - 8_000_000}
    sent = [
        span("GET /search", trace_id=trace_id, span_id=search, parent_span_id=agent),
        span("retrieval", retrieval, trace_id=trace_id, parent_span_id=search, **before),
        span("POST /v1/chat", trace_id=trace_id, span_id=middleware, parent_span_id=agent),
        answer("The capital of France is Paris.", trace_id=trace_id, parent_span_id=middleware),
        span("invoke_agent", {"gen_ai.operation.name": "invoke_agent"}, trace_id=trace_id, span_id=agent),
    ]
    async with running(otlp_sink, evaluators={"faithfulness": {}}) as live:
        await live.send(traces(*sent))
        await arrived(otlp_sink, Signal.TRACES, len(sent))
    found = {span.name: own(span) for span in otlp_sink.spans()}
    assert found["chat gpt-4o-mini"]["agent_eval.faithfulness.outcome"] == "scored"
    assert found["chat gpt-4o-mini"]["agent_eval.faithfulness.documents"] == ["d1"]
    assert found["GET /search"] == found["POST /v1/chat"] == {}
