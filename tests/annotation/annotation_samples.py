"""Judged spans for the tests of annotation."""

from collections.abc import Mapping

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_agent_eval.annotation.answer_metrics import AnswerMetrics, AnswerMetricsOptions
from otel_agent_eval.annotation.collector import collector_tables
from otel_agent_eval.annotation.dimensions import Limits
from otel_agent_eval.annotation.gateway_metrics import GatewayMetrics
from otel_agent_eval.annotation.otlp import Moment, metrics_request
from otel_agent_eval.annotation.prometheus import page
from otel_agent_eval.annotation.result import EvaluatorInfo, JudgedSpan
from otel_agent_eval.assembly.candidate import Candidate
from otel_agent_eval.conventions.extract import Extract
from otel_agent_eval.evaluation.evaluation import Direction, Evaluation, Reason, Scored, label
from otel_agent_eval.evaluation.interaction import Interaction
from otel_agent_eval.signals import Signal

TRACE_ID = "5b8efff798038103d269b633813fc60c"
SPAN_ID = "eee19b7ec3c1b174"
WORSE, BETTER = Direction.HIGHER_IS_WORSE, Direction.HIGHER_IS_BETTER
TOXICITY = EvaluatorInfo("toxicity", "builtin/toxicity@3", WORSE, judges_answer=True)
INPUT_TOXICITY = EvaluatorInfo("input_toxicity", "builtin/toxicity@3", WORSE, judges_answer=False)
FAITHFULNESS = EvaluatorInfo("faithfulness", "builtin/faithfulness@2", BETTER, judges_answer=True)
RELEVANCE = EvaluatorInfo("relevance", "builtin/relevance@1", BETTER, judges_answer=True)
EVALUATORS = {info.name: info for info in (TOXICITY, INPUT_TOXICITY, FAITHFULNESS, RELEVANCE)}


def toxic(score: float, threshold: float = 0.8, **evidence: tuple[str, ...]) -> Scored:
    return Scored(score=score, threshold=threshold, label=label(score, threshold, WORSE), evidence=evidence)


def good(score: float, threshold: float = 0.5, **evidence: tuple[str, ...]) -> Scored:
    return Scored(score=score, threshold=threshold, label=label(score, threshold, BETTER), evidence=evidence)


def judged(
    *choices: Mapping[str, Evaluation],
    service: str = "shop",
    agent: str = "helper",
    model: str = "gpt-4o",
    segments: Mapping[str, str] | None = None,
    weight: float = 1.0,
    resource: str = "shop",
) -> JudgedSpan:
    """A span with one choice for each mapping of evaluations."""
    interactions = tuple(
        Interaction(
            answer="an answer",
            choice=index,
            trace_id=TRACE_ID,
            span_id=SPAN_ID,
            end_time=1_700_000_000_000_000_000,
            service=service,
            agent=agent,
            model=model,
            conversation="c-1",
            response_id="chatcmpl-1",
            segments=segments or {},
        )
        for index in range(len(choices))
    )
    candidate = Candidate(
        trace_id=TRACE_ID, span_id=SPAN_ID, extract=Extract(convention="genai"), interactions=interactions
    )
    return JudgedSpan(
        candidate=candidate,
        evaluators=EVALUATORS,
        choices=choices,
        weight=weight,
        flags=0x301,
        resource=named_resource(resource),
    )


def skipped(reason: Reason, duplicate_of: str = "") -> JudgedSpan:
    """A span of which nothing is evaluated."""
    candidate = Candidate(
        trace_id=TRACE_ID,
        span_id=SPAN_ID,
        extract=Extract(convention="genai", agent="helper", model="gpt-4o"),
        skipped=reason,
        duplicate_of=duplicate_of,
    )
    return JudgedSpan(candidate=candidate, evaluators=EVALUATORS, resource=named_resource("shop"))


def named_resource(service: str) -> Resource:
    return Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=service))])


class Clock:
    """A clock that stands still until it is told the time, in Unix seconds."""

    def __init__(self, seconds: float = 1_700_000_100.0) -> None:
        self.seconds = seconds

    def __call__(self) -> int:
        return int(self.seconds * 1e9)


def options(segments: tuple[str, ...] = (), limits: Limits | None = None) -> AnswerMetricsOptions:
    return AnswerMetricsOptions(
        evaluators=tuple(EVALUATORS.values()),
        thresholds={"toxicity": {0.8, 0.95}, "faithfulness": {0.55}},
        severe={"toxicity": 0.9, "faithfulness": 0.1},
        segments=segments,
        limits=limits or Limits(),
    )


class Metrics:
    """All numbers of a gateway, as a service puts them together."""

    def __init__(self, chosen: AnswerMetricsOptions, clock: Clock) -> None:
        self.answers = AnswerMetrics(chosen, clock)
        self.gateway = GatewayMetrics({"otlp/tempo": tuple(Signal)})
        self._clock = clock
        self._start = clock()
        self._pushed = 0

    def page(self, accept: str = "") -> tuple[bytes, str]:
        return page((*self.answers.tables, *self.gateway.tables, *collector_tables(self.gateway.tables)), accept)

    def push(self) -> ExportMetricsServiceRequest:
        moment = Moment(self._start, self._clock(), self._pushed)
        self._pushed = moment.now
        tables = (*self.answers.tables, *self.gateway.tables)
        return metrics_request(tables, named_resource("otel-agent-eval"), moment)


def new_metrics(clock: Clock | None = None, segments: tuple[str, ...] = (), limits: Limits | None = None) -> Metrics:
    return Metrics(options(segments, limits), clock or Clock())
