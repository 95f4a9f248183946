"""Recorded requests are assembled in one go."""

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel_agent_eval.assembly.offline import assemble
from otel_agent_eval.evaluation.evaluation import Reason

CALL = {
    "openinference.span.kind": "LLM",
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.content": "How tall?",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "330 metres.",
}


def add(export: ExportTraceServiceRequest, trace: int, span: int, parent: int, start: int, **attributes: str) -> None:
    resource = export.resource_spans.add() if not export.resource_spans else export.resource_spans[0]
    scope = resource.scope_spans.add() if not resource.scope_spans else resource.scope_spans[0]
    scope.spans.add(
        trace_id=trace.to_bytes(16, "big"),
        span_id=span.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name="span",
        start_time_unix_nano=start,
        end_time_unix_nano=start + 5,
        attributes=[KeyValue(key=k, value=AnyValue(string_value=v)) for k, v in attributes.items()],
    )


def test_traces_come_in_order_and_their_spans_too() -> None:
    export = ExportTraceServiceRequest()
    add(export, 1, 0x11, 0x10, 250, **CALL)
    add(export, 1, 0x12, 0x10, 220, **CALL)
    add(export, 1, 0x10, 0, 200)
    add(export, 2, 0x20, 0, 100, **CALL)
    assert [c.span_id for c in assemble([export])] == [f"{n:016x}" for n in (0x20, 0x12, 0x11)]


def test_spans_of_one_trace_in_several_requests_are_one_trace() -> None:
    first, second = ExportTraceServiceRequest(), ExportTraceServiceRequest()
    add(second, 1, 0x10, 0, 100, **{"openinference.span.kind": "AGENT"})
    add(second, 1, 0x11, 0x10, 110, **CALL)
    key = "retrieval.documents.0.document.content"
    add(first, 1, 0x12, 0x10, 101, **{"openinference.span.kind": "RETRIEVER", key: "The tower is 330 m tall."})
    (found,) = assemble([first, second])
    assert [d.text for d in found.interactions[0].documents] == ["The tower is 330 m tall."]


def test_log_records_join_their_spans() -> None:
    export, logs = ExportTraceServiceRequest(), ExportLogsServiceRequest()
    add(export, 1, 0x11, 0, 250, **{"gen_ai.operation.name": "chat"})
    records = logs.resource_logs.add().scope_logs.add().log_records
    for name, body in (("gen_ai.user.message", "How tall?"), ("gen_ai.choice", "330 metres.")):
        record = records.add(event_name=name, trace_id=(1).to_bytes(16, "big"), span_id=(0x11).to_bytes(8, "big"))
        record.body.kvlist_value.values.add(key="content", value=AnyValue(string_value=body))
    (found,) = assemble([export], [logs])
    assert (found.interactions[0].question, found.interactions[0].answer) == ("How tall?", "330 metres.")
    (without,) = assemble([export])
    assert without.skipped is Reason.CONTENT_NOT_CAPTURED


def test_nothing_gives_nothing() -> None:
    assert assemble([]) == []
    assert assemble([ExportTraceServiceRequest()]) == []
