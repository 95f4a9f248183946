"""Writing verdicts onto a span, in place."""

import re
from collections.abc import Callable, Iterator, Mapping, MutableSequence
from typing import TypeVar

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.definitions import PREFIX, evaluator_attribute
from otel_agent_eval.annotation.events import is_own_event, result_attributes
from otel_agent_eval.annotation.result import EvaluatorInfo, Forms, JudgedSpan, worst
from otel_agent_eval.annotation.values import Value, attribute, cut, cut_list
from otel_agent_eval.evaluation.evaluation import Evaluation, Failed, Label, Scored, Skipped

T = TypeVar("T")
_OPENINFERENCE = re.compile(re.escape(catalogue.OPENINFERENCE_PREFIX) + r"([0-9]{1,9})\.evaluation\.(\w+)")


def annotate(span: Span, judged: JudgedSpan, forms: Forms) -> None:
    """Write the verdicts onto the span; whatever an earlier annotation left there is replaced.

    Of several choices the worst of each evaluator is written (see `result.worst`); a duplicate carries no label. Every
    attribute of the span under `agent_eval.` is the gateway's, all others stay as they are.
    """
    _remove(span.attributes, lambda pair: pair.key.startswith(PREFIX))
    verdicts = judged.verdicts
    final = {
        name: worst((choice[name] for choice in verdicts if name in choice), info.direction)
        for name, info in judged.evaluators.items()
        if any(name in choice for choice in verdicts)
    }
    if label := _answer_label(judged):
        span.attributes.append(attribute(catalogue.LABEL.name, label))
    if judged.candidate.duplicate_of:
        span.attributes.append(attribute(catalogue.DUPLICATE_OF.name, judged.candidate.duplicate_of))
    for name, evaluation in final.items():
        span.attributes.extend(attribute(key, value) for key, value in _result(judged.evaluators[name], evaluation))
    if forms.openinference:
        _write_openinference(span, judged.evaluators, final, forms)
    if forms.span_events:
        _write_events(span, judged, forms)


def _answer_label(judged: JudgedSpan) -> Label | None:
    labels = {
        evaluation.label
        for choice in judged.verdicts
        for name, evaluation in choice.items()
        if isinstance(evaluation, Scored) and judged.evaluators[name].judges_answer
    }
    if not labels:
        return None
    return Label.FAIL if Label.FAIL in labels else Label.PASS


def _result(info: EvaluatorInfo, evaluation: Evaluation) -> Iterator[tuple[str, Value]]:
    name = info.name
    yield catalogue.SCORE_OUTCOME.of(name), evaluation.outcome
    yield catalogue.SCORE_EVALUATOR.of(name), info.version
    match evaluation:
        case Skipped(reason):
            yield catalogue.SCORE_REASON.of(name), reason
        case Failed(error_type):
            yield catalogue.SCORE_REASON.of(name), cut(error_type)
        case Scored():
            yield catalogue.SCORE.of(name), float(evaluation.score)
            yield catalogue.SCORE_LABEL.of(name), evaluation.label
            yield catalogue.SCORE_THRESHOLD.of(name), float(evaluation.threshold)
            shortened = False
            for key, texts in evaluation.evidence.items():
                kept, was_cut = cut_list(tuple(texts))
                shortened |= was_cut
                if kept:
                    yield evaluator_attribute(name, key), kept
            if shortened:
                yield catalogue.EVIDENCE_CUT.of(name), True


def _write_openinference(
    span: Span, evaluators: Mapping[str, EvaluatorInfo], final: Mapping[str, Evaluation], forms: Forms
) -> None:
    """Write what was scored as OpenInference evaluations: after those of others, in place of earlier ones of ours."""
    index = _remove_openinference(span)
    for name, evaluation in final.items():
        if not isinstance(evaluation, Scored):
            continue
        fields: dict[str, Value] = {
            "name": name,
            "score": float(evaluation.score),
            "label": evaluation.label,
            "annotator_kind": "CODE",
            "identifier": catalogue.OPENINFERENCE_IDENTIFIER + evaluators[name].version,
        }
        if forms.explanations and evaluation.explanation:
            fields["explanation"] = cut(evaluation.explanation)
        span.attributes.extend(
            attribute(catalogue.openinference_attribute(index, key), value) for key, value in fields.items()
        )
        index += 1


def _remove_openinference(span: Span) -> int:
    """Remove our own OpenInference evaluations and return the first index that others have not used."""
    found = [(match, pair) for pair in span.attributes if (match := _OPENINFERENCE.fullmatch(pair.key))]
    own = {
        match[1]
        for match, pair in found
        if match[2] == "identifier" and pair.value.string_value.startswith(catalogue.OPENINFERENCE_IDENTIFIER)
    }
    keys = {pair.key for match, pair in found if match[1] in own}
    _remove(span.attributes, lambda pair: pair.key in keys)
    return max((int(match[1]) + 1 for match, _ in found if match[1] not in own), default=0)


def _write_events(span: Span, judged: JudgedSpan, forms: Forms) -> None:
    """Write an event for each evaluation that was scored or failed, in place of those of an earlier annotation."""
    _remove(span.events, is_own_event)
    for interaction, info, evaluation in judged.results():
        span.events.add(
            name=catalogue.RESULT_EVENT.name,
            time_unix_nano=span.end_time_unix_nano,
            attributes=result_attributes(interaction, info, evaluation, forms),
        )


def _remove(items: MutableSequence[T], unwanted: Callable[[T], bool]) -> None:
    """Delete in place, from the end, so that what stays is not copied (and unknown fields in it survive)."""
    for index in range(len(items) - 1, -1, -1):
        if unwanted(items[index]):
            del items[index]
