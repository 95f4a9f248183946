"""Results as events: one log record for each evaluation that was scored or failed."""

from collections.abc import Iterable, Iterator

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs, SeverityNumber
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_agent_eval import __version__
from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.result import EvaluatorInfo, Forms, JudgedSpan
from otel_agent_eval.annotation.values import Value, attribute, cut
from otel_agent_eval.evaluation.evaluation import Failed, Scored
from otel_agent_eval.evaluation.interaction import Interaction

SCOPE = "otel_agent_eval"
"""The instrumentation scope of events and metrics."""
_TRACE_FLAGS = 0xFF


def evaluation_events(judged: Iterable[JudgedSpan], now: int, forms: Forms) -> ExportLogsServiceRequest:
    """Make the log records of what was scored or failed, grouped by the judged spans' resources.

    `now` is the time of observation in Unix nanoseconds. Each record bears its judged span's trace and span id, trace
    flags and end time; several choices make one record each. Where nothing was scored the request is empty.
    """
    request = ExportLogsServiceRequest()
    scopes: dict[bytes, ScopeLogs] = {}
    for span in judged:
        records = list(_records(span, now, forms))
        if not records:
            continue
        key = span.resource.SerializeToString(deterministic=True)
        scope = scopes.get(key)
        if scope is None:
            scope = scopes[key] = request.resource_logs.add(resource=span.resource).scope_logs.add()
            scope.scope.name, scope.scope.version = SCOPE, __version__
        scope.log_records.extend(records)
    return request


def result_attributes(
    interaction: Interaction, info: EvaluatorInfo, evaluation: Scored | Failed, forms: Forms
) -> list[KeyValue]:
    """Return the attributes of one result, which log records and span events both carry."""
    values: dict[str, Value] = {catalogue.EVALUATION_NAME.name: info.name}
    if isinstance(evaluation, Scored):
        values[catalogue.EVALUATION_SCORE.name] = float(evaluation.score)
        values[catalogue.EVALUATION_LABEL.name] = evaluation.label
        values[catalogue.THRESHOLD.name] = float(evaluation.threshold)
        if forms.explanations and evaluation.explanation:
            values[catalogue.EVALUATION_EXPLANATION.name] = cut(evaluation.explanation)
    else:
        values[catalogue.ERROR_TYPE.name] = cut(evaluation.error_type)
    values[catalogue.EVALUATOR.name] = info.version
    values[catalogue.DIRECTION.name] = info.direction
    values[catalogue.CHOICE.name] = interaction.choice
    known = {
        catalogue.RESPONSE_ID.name: interaction.response_id,
        catalogue.AGENT_NAME.name: interaction.agent,
        catalogue.CONVERSATION_ID.name: interaction.conversation,
    }
    values.update((key, value) for key, value in known.items() if value)
    return [attribute(key, value) for key, value in values.items()]


def is_own_event(event: Span.Event) -> bool:
    """Whether a span event was written by this gateway or one before it."""
    return event.name == catalogue.RESULT_EVENT.name and any(
        pair.key == catalogue.EVALUATOR.name for pair in event.attributes
    )


def _records(span: JudgedSpan, now: int, forms: Forms) -> Iterator[LogRecord]:
    for interaction, info, evaluation in span.results():
        record = LogRecord(
            time_unix_nano=interaction.end_time,
            observed_time_unix_nano=now,
            severity_number=SeverityNumber.SEVERITY_NUMBER_INFO,
            severity_text="INFO",
            event_name=catalogue.RESULT_EVENT.name,
            trace_id=bytes.fromhex(span.candidate.trace_id),
            span_id=bytes.fromhex(span.candidate.span_id),
            flags=span.flags & _TRACE_FLAGS,
            attributes=result_attributes(interaction, info, evaluation, forms),
        )
        if forms.event_name_attribute:
            record.attributes.append(attribute(catalogue.EVENT_NAME.name, catalogue.RESULT_EVENT.name))
        yield record
