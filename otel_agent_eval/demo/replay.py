"""What the demonstration sends: recordings moved to the present, and answers from public data as an agent's spans."""

import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import yaml
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

_SECOND = 1_000_000_000
_AGENT = "public-data"


class Quoted(NamedTuple):
    """An answer from a public data set, and where it is from."""

    source: str
    question: str
    answer: str
    documents: Sequence[str] = ()


def quoted() -> list[Quoted]:
    """Return the quoted answers."""
    rows: list[Mapping[str, Any]] = yaml.safe_load(files(__package__).joinpath("answers.yaml").read_text("utf-8"))
    return [Quoted(**row) for row in rows]


def recordings() -> Iterator[ExportTraceServiceRequest | ExportLogsServiceRequest]:
    """Yield the recordings, log records before the spans that they belong to, moved to the present."""
    folder = files(__package__).joinpath("recordings")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        name, kind, _ = file.name.split(".")
        if kind == "logs":
            yield ExportLogsServiceRequest.FromString(file.read_bytes())
        else:
            traces = ExportTraceServiceRequest.FromString(file.read_bytes())
            for group in traces.resource_spans:
                _name_service(group.resource, name)
            _move_to_present([s for g in traces.resource_spans for scope in g.scope_spans for s in scope.spans])
            yield traces


def spoken(answer: Quoted) -> ExportTraceServiceRequest:
    """Return the spans of an agent that retrieved the documents and gave the answer, by the GenAI conventions."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    _name_service(group.resource, _AGENT)
    scope = group.scope_spans.add()
    scope.scope.name = "otel_agent_eval.demo"
    trace_id, root = secrets.token_bytes(16), secrets.token_bytes(8)
    now = time.time_ns()
    if answer.documents:
        documents = [{"id": str(number), "content": text} for number, text in enumerate(answer.documents, 1)]
        _add_span(scope, "retrieval", (trace_id, root), (now - 3 * _SECOND, now - 2 * _SECOND), {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.retrieval.query.text": answer.question,
            "gen_ai.retrieval.documents": json.dumps(documents),
        })  # fmt: skip
    _add_span(scope, "chat", (trace_id, root), (now - 2 * _SECOND, now - _SECOND), {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "recorded",
        "gen_ai.input.messages": _messages("user", answer.question),
        "gen_ai.output.messages": _messages("assistant", answer.answer),
        "demo.source": answer.source,
    })  # fmt: skip
    agent = _add_span(scope, "invoke_agent", (trace_id, b""), (now - 4 * _SECOND, now), {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": _AGENT,
    })  # fmt: skip
    agent.span_id = root
    return request


def _messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def _add_span(
    scope: ScopeSpans, name: str, place: tuple[bytes, bytes], times: tuple[int, int], attributes: Mapping[str, str]
) -> Span:
    span = scope.spans.add(
        name=name,
        trace_id=place[0],
        span_id=secrets.token_bytes(8),
        parent_span_id=place[1],
        start_time_unix_nano=times[0],
        end_time_unix_nano=times[1],
    )
    for key, value in attributes.items():
        span.attributes.add(key=key).value.string_value = value
    return span


def _name_service(resource: Resource, name: str) -> None:
    others = [pair for pair in resource.attributes if pair.key != "service.name"]
    del resource.attributes[:]
    service = KeyValue(key="service.name")
    service.value.string_value = name
    resource.attributes.extend([service, *others])


def _move_to_present(spans: Sequence[Span]) -> None:
    """Shift all times by as much, so that the last span ends now."""
    shift = time.time_ns() - max(span.end_time_unix_nano for span in spans)
    for span in spans:
        span.start_time_unix_nano += shift
        span.end_time_unix_nano += shift
        for event in span.events:
            event.time_unix_nano += shift
