"""The telemetry that benchmarks send: what services send all day, and what an agent's answer looks like."""

import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_agent_eval.signals import Signal

_SECOND = 1_000_000_000
_PASSAGES = 5
_PASSAGE_SENTENCES = 5
_ANSWER_SENTENCES = 8
_KINDS = ("bridge", "museum", "reservoir", "railway", "observatory", "harbour", "library", "stadium", "canal", "tower")
_PLACES = ("Lisbon", "Tartu", "Oaxaca", "Busan", "Windhoek", "Bergen", "Cusco", "Haifa", "Pune", "Quebec")
_SENTENCES = (
    "The {kind} in {place} was opened in {year} after {few} years of building, and it cost {many} million crowns.",
    "It is {many} metres long, {few} metres wide, and stands on ground that was drained in {year} for the purpose.",
    "Every day about {many} thousand people use it, which is {few} per cent more than in the year {year}.",
    "Its first director, who held the office until {year}, had {few} assistants and a garden of {many} square metres.",
    "A flood damaged the eastern part in {year}; the repair took {few} months and was paid for by the city of {place}.",
    "Visitors may enter between {few} in the morning and nightfall, except on the {few2} days when it is cleaned.",
    "The architect had studied in {place}, where a smaller {kind} of the same design still stands beside the market.",
    "Of the {many} drawings that were made for it, {few} are kept in the national archive and can be seen on request.",
)
_QUESTIONS = (
    "When was the {kind} in {place} opened, and how many people use it every day?",
    "How long is the {kind} in {place}, and what did the repair after the flood cost?",
    "Who was the first director of the {kind} in {place}, and until when?",
    "At which hours may visitors enter the {kind} in {place}, and when is it closed?",
)


class Interaction(NamedTuple):
    """One answer and what belongs to it, as one export request of three spans; `span_id` is the answer's."""

    body: bytes
    span_id: bytes
    question: str
    answer: str
    passages: Sequence[str]


def interactions(seed: int, service: str = "guide") -> Iterator[Interaction]:
    """Yield interactions of a service without end: a question, five passages of some 100 tokens, an answer of some 150.

    All texts differ. Half of an answer's sentences stand in its passages, as when a model answers from what it was
    given; the others are its own.
    """
    rng = random.Random(seed)  # noqa: S311 (repeatable, not secret)
    while True:
        kind, place = rng.choice(_KINDS), rng.choice(_PLACES)
        passages = [_text(rng, _PASSAGE_SENTENCES, kind, place) for _ in range(_PASSAGES)]
        question = rng.choice(_QUESTIONS).format(kind=kind, place=place)
        quoted = [rng.choice(passage.split(". ")).rstrip(".") + "." for passage in rng.sample(passages, 4)]
        own = _text(rng, _ANSWER_SENTENCES - len(quoted), kind, place)
        answer = " ".join([*quoted, own])
        span_id = rng.randbytes(8)
        request = _agent_request(rng, service, span_id, question, answer, passages)
        yield Interaction(request.SerializeToString(), span_id, question, answer, passages)


def plain_request(signal: Signal, items: int, seed: int) -> bytes:
    """Return a request of spans, log records or data points of a web service, nothing of which can be scored."""
    rng = random.Random(seed)  # noqa: S311 (the same)
    make = {Signal.TRACES: _spans, Signal.LOGS: _logs, Signal.METRICS: _metrics}[signal]
    return make(rng, items).SerializeToString()


def mixed_request(items: int, seed: int) -> bytes:
    """Return a request of such spans where every hundredth embeds a text: an agent's span, but no answer."""
    request = ExportTraceServiceRequest.FromString(plain_request(Signal.TRACES, items, seed))
    for span in request.resource_spans[0].scope_spans[0].spans[::100]:
        span.name = "embeddings text-embedding-3-small"
        names = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "text-embedding-3-small"}
        span.attributes.extend(_attributes(names))
    return request.SerializeToString()


def last_span_id(body: bytes) -> bytes:
    """Return the id of the last span of a request."""
    return ExportTraceServiceRequest.FromString(body).resource_spans[-1].scope_spans[-1].spans[-1].span_id


def _text(rng: random.Random, sentences: int, kind: str, place: str) -> str:
    def fill(sentence: str) -> str:
        return sentence.format(
            kind=kind, place=place, year=rng.randint(1790, 2020), few=rng.randint(2, 19), few2=rng.randint(2, 19),
            many=rng.randint(20, 990),
        )  # fmt: skip

    return " ".join(map(fill, rng.sample(_SENTENCES, sentences)))


def _agent_request(
    rng: random.Random, service: str, span_id: bytes, question: str, answer: str, passages: Sequence[str]
) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(resource=_resource(service))
    scope = group.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.langchain"
    trace_id, root_id, now = rng.randbytes(16), rng.randbytes(8), time.time_ns()

    def add(name: str, start: float, end: float, own: bytes, parent: bytes, attributes: dict[str, str]) -> None:
        scope.spans.add(
            name=name, trace_id=trace_id, span_id=own, parent_span_id=parent, attributes=_attributes(attributes),
            start_time_unix_nano=now - int(start * _SECOND), end_time_unix_nano=now - int(end * _SECOND),
        )  # fmt: skip

    documents = [{"id": f"doc-{rng.randrange(10**6)}", "content": text, "score": rng.random()} for text in passages]
    add("retrieve", 2.8, 2.5, rng.randbytes(8), root_id, {
        "gen_ai.operation.name": "retrieval", "gen_ai.retrieval.query.text": question,
        "gen_ai.retrieval.documents": json.dumps(documents),
    })  # fmt: skip
    add("chat gpt-4o-mini", 2.4, 0.1, span_id, root_id, {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.provider.name": "openai",
        "gen_ai.input.messages": _messages("user", question), "gen_ai.output.messages": _messages("assistant", answer),
    })  # fmt: skip
    add("invoke_agent guide", 3.0, 0.0, root_id, b"", {
        "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "guide",
    })  # fmt: skip
    return request


def _messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def _spans(rng: random.Random, items: int) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add(resource=_resource("shop")).scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.asgi"
    trace_id = b""
    for number in range(items):
        if number % 10 == 0:
            trace_id, parent = rng.randbytes(16), b""
        now = time.time_ns()
        span = scope.spans.add(
            trace_id=trace_id, span_id=rng.randbytes(8), parent_span_id=parent, name="GET /orders/{id}",
            kind=Span.SPAN_KIND_SERVER, start_time_unix_nano=now - 40_000_000, end_time_unix_nano=now, flags=0x101,
            attributes=_attributes({
                "http.request.method": "GET", "url.path": f"/orders/{rng.randrange(10**6)}", "url.scheme": "https",
                "http.route": "/orders/{id}", "http.response.status_code": 200, "server.address": "shop.example.org",
                "network.protocol.version": "1.1", "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0)",
            }),
        )  # fmt: skip
        parent = span.span_id
    return request


def _logs(rng: random.Random, items: int) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add(resource=_resource("shop")).scope_logs.add()
    scope.scope.name = "shop.orders"
    for _ in range(items):
        record = scope.log_records.add(
            time_unix_nano=time.time_ns(), severity_number=9, severity_text="INFO",
            trace_id=rng.randbytes(16), span_id=rng.randbytes(8),
            attributes=_attributes({"code.function.name": "place", "order.id": rng.randrange(10**6)}),
        )  # fmt: skip
        record.body.string_value = f"order {rng.randrange(10**6)} placed with {rng.randint(1, 9)} items"
    return request


def _metrics(rng: random.Random, items: int) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add(resource=_resource("shop")).scope_metrics.add()
    metric = scope.metrics.add(name="http.server.request.duration", unit="s")
    metric.histogram.aggregation_temporality = 2  # type: ignore[assignment] # an enum
    for _ in range(items):
        metric.histogram.data_points.add(
            time_unix_nano=time.time_ns(), count=100, sum=rng.random() * 100,
            explicit_bounds=[0.01, 0.1, 1.0, 10.0], bucket_counts=[rng.randrange(50) for _ in range(5)],
            attributes=_attributes({"http.route": f"/orders/{rng.randrange(100)}", "http.request.method": "GET"}),
        )  # fmt: skip
    return request


def _resource(service: str) -> Resource:
    attributes = {"service.name": service, "service.version": "2.3.1", "telemetry.sdk.language": "python"}
    return Resource(attributes=_attributes(attributes))


def _attributes(values: Mapping[str, object]) -> Iterator[KeyValue]:
    for key, value in values.items():
        pair = KeyValue(key=key)
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.string_value = str(value)
        yield pair
