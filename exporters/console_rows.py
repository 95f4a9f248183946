"""What the console shows of a request: a row for each answer that was judged."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.definitions import PREFIX
from otel_agent_eval.conventions import read
from otel_agent_eval.conventions.span import decode_value, view_resource, view_span
from otel_agent_eval.evaluation.evaluation import Outcome, Reason

_OUTCOME_SUFFIX = "." + catalogue.SCORE_OUTCOME.suffix
_NO_ANSWERS = frozenset({Reason.NO_ANSWER, Reason.NOT_USER_FACING, Reason.DUPLICATE})


@dataclass(frozen=True, slots=True)
class Verdict:
    """One evaluation as the span carries it: a score with its label, or the reason why there is none."""

    outcome: str
    score: float | None = None
    label: str = ""
    reason: str = ""
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One judged answer. `time` is Unix nanoseconds; texts are safe to print, whatever was in them."""

    time: int
    service: str
    agent: str
    question: str
    answer: str
    label: str
    verdicts: Mapping[str, Verdict]


def rows(request: ExportTraceServiceRequest) -> list[Row]:
    """Return a row for each span of the request that carries verdicts on an answer, in order.

    Repeats of an answer, and spans that turned out to hold none, are left out.
    """
    found = []
    for group in request.resource_spans:
        resource = view_resource(group.resource)
        for scope in group.scope_spans:
            found += [row for span in scope.spans if (row := _row(span, scope, resource)) is not None]
    return found


def printable(text: str) -> str:
    """Return the text in one line without anything that a terminal obeys: escapes, controls, reversed writing."""
    return " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text).split())


def _row(span: Span, scope: ScopeSpans, resource: Mapping[str, Any]) -> Row | None:
    own = {pair.key: decode_value(pair.value) for pair in span.attributes if pair.key.startswith(PREFIX)}
    verdicts = dict(_verdicts(own))
    if catalogue.DUPLICATE_OF.name in own or all(verdict.reason in _NO_ANSWERS for verdict in verdicts.values()):
        return None
    view = view_span(span, scope, resource)
    extract = read(view)
    question = extract.question or next((turn.text for turn in reversed(extract.turns) if turn.role == "user"), "")
    return Row(
        time=span.end_time_unix_nano,
        service=printable(view.service),
        agent=printable(extract.agent),
        question=printable(question),
        answer=printable(" | ".join(extract.answers)),
        label=printable(str(own.get(catalogue.LABEL.name, ""))),
        verdicts=verdicts,
    )


def _verdicts(own: Mapping[str, Any]) -> Iterator[tuple[str, Verdict]]:
    for key, outcome in own.items():
        if not key.endswith(_OUTCOME_SUFFIX):
            continue
        name = key.removeprefix(PREFIX).removesuffix(_OUTCOME_SUFFIX)
        score = own.get(catalogue.SCORE.of(name))
        categories = own.get(catalogue.CATEGORIES.of(name))
        yield (
            printable(name),
            Verdict(
                outcome=printable(str(outcome)),
                score=score if isinstance(score, float) and outcome == Outcome.SCORED else None,
                label=printable(str(own.get(catalogue.SCORE_LABEL.of(name), ""))),
                reason=printable(str(own.get(catalogue.SCORE_REASON.of(name), ""))),
                categories=tuple(printable(str(c)) for c in categories) if isinstance(categories, list) else (),
            ),
        )
