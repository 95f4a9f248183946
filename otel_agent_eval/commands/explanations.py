"""What the gateway would read and do with recorded telemetry, without running a model."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.assembly.candidate import Candidate
from otel_agent_eval.assembly.offline import assemble
from otel_agent_eval.assembly.selection import Selector
from otel_agent_eval.conventions.attribute import attribute
from otel_agent_eval.conventions.span import SpanView, view_resource, view_span
from otel_agent_eval.evaluation import Description, Document, Interaction, Reason
from otel_agent_eval.evaluation.eligibility import bounded, reason_to_skip
from otel_agent_eval.evaluation.policy import Decision, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What was read in one span that holds, or could have held, an answer.

    `counted` says that the answer counts, so that it is evaluated; where it repeats another, `duplicate_of` is that
    one's span id. `evaluations` says by name why an evaluator does not judge it; None: it does.
    """

    trace_id: str
    span_id: str
    span_name: str
    convention: str
    keys: tuple[str, ...]
    question: str
    answers: tuple[str, ...]
    documents: tuple[Document, ...]
    counted: bool
    duplicate_of: str
    evaluations: Mapping[str, Reason | None]


def explanations(
    traces: Iterable[ExportTraceServiceRequest],
    logs: Iterable[ExportLogsServiceRequest],
    evaluators: Mapping[str, Description],
    policy: Policy,
    selector: Selector,
) -> Iterator[Explanation]:
    """Yield an explanation for each span that holds, or could have held, an answer."""
    traces = list(traces)
    spans = {(span.trace_id, span.span_id): span for span in _spans(traces)}
    for candidate in assemble(traces, logs, selector=selector):
        span = spans[candidate.trace_id, candidate.span_id]
        decisions = policy.decide(partial(attribute, span), candidate.trace_id)
        yield _explanation(
            candidate, span.name, {n: _reason(candidate, evaluators[n], d) for n, d in decisions.items()}
        )


def _spans(traces: Iterable[ExportTraceServiceRequest]) -> Iterator[SpanView]:
    for request in traces:
        for group in request.resource_spans:
            resource = view_resource(group.resource)
            for scope in group.scope_spans:
                for span in scope.spans:
                    yield view_span(span, scope, resource)


def _reason(candidate: Candidate, evaluator: Description, decision: Decision) -> Reason | None:
    """Return why an evaluator judges none of a span's answers, or None where it judges one."""
    if candidate.skipped is not None:
        return candidate.skipped
    if isinstance(decision, Reason):
        return decision
    reasons = [reason_to_skip(bounded(interaction), evaluator) for interaction in candidate.interactions]
    return None if None in reasons else next(iter(reasons), Reason.NO_ANSWER)


def _explanation(candidate: Candidate, name: str, evaluations: Mapping[str, Reason | None]) -> Explanation:
    extract = candidate.extract
    first = next(iter(candidate.interactions), Interaction(answer="", question=extract.question))
    answers = tuple(interaction.answer for interaction in candidate.interactions) or extract.answers
    return Explanation(
        trace_id=candidate.trace_id,
        span_id=candidate.span_id,
        span_name=name,
        convention=first.convention or extract.convention,
        keys=first.keys or extract.keys,
        question=first.question,
        answers=answers,
        documents=first.documents,
        counted=candidate.skipped is None,
        duplicate_of=candidate.duplicate_of,
        evaluations=evaluations,
    )
