"""Assembles recorded telemetry in one go, by the rules that hold for a stream."""

from collections.abc import Iterable, Iterator

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.assembly.assembler import Assembler, Limits
from otel_agent_eval.assembly.candidate import Candidate
from otel_agent_eval.assembly.selection import Selector
from otel_agent_eval.conventions import read
from otel_agent_eval.conventions.span import SpanView, view_log, view_resource, view_span

_EVERYTHING = 1 << 62
_UNLIMITED = Limits(
    traces=_EVERYTHING, documents=_EVERYTHING, size=_EVERYTHING, logs_size=_EVERYTHING, links=_EVERYTHING
)


def assemble(
    traces: Iterable[ExportTraceServiceRequest],
    logs: Iterable[ExportLogsServiceRequest] = (),
    *,
    selector: Selector | None = None,
    segments: Iterable[str] = (),
) -> list[Candidate]:
    """Return the candidates of recorded requests, by trace in the order in which these begin, then by start time.

    Spans that turned out to be mere steps are left out. What is recorded is complete: nothing is waited for.
    """
    assembler = Assembler(_UNLIMITED, selector=selector, segments=tuple(segments))
    _add_logs(assembler, logs)
    began: dict[str, int] = {}
    starts: dict[tuple[str, str], int] = {}
    for view in _add_spans(assembler, traces):
        began[view.trace_id] = min(began.get(view.trace_id, view.start_time), view.start_time)
        starts[view.trace_id, view.span_id] = view.start_time
    found = [c for c in assembler.flush() if c.interactions or c.skipped]
    return sorted(found, key=lambda c: (began[c.trace_id], c.trace_id, starts[c.trace_id, c.span_id]))


def _add_logs(assembler: Assembler, requests: Iterable[ExportLogsServiceRequest]) -> None:
    for request in requests:
        for resource_logs in request.resource_logs:
            for scope_logs in resource_logs.scope_logs:
                for record in scope_logs.log_records:
                    if record.span_id:
                        assembler.add_log(record.trace_id.hex(), record.span_id.hex(), view_log(record), 0.0)


def _add_spans(assembler: Assembler, requests: Iterable[ExportTraceServiceRequest]) -> Iterator[SpanView]:
    """Add the spans one by one and yield their views."""
    for request in requests:
        for resource_spans in request.resource_spans:
            resource = view_resource(resource_spans.resource)
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    view = view_span(span, scope_spans, resource)
                    extract = read(view)
                    if extract.convention:
                        assembler.add_span(view, extract, 0.0)
                    else:
                        assembler.add_link(span.trace_id, span.span_id, span.parent_span_id, 0.0)
                    yield view
