"""Every place for texts that OTLP has: what goes from it, and what stays, as the table of docs/redaction.md says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from test_golden import key_values
from test_redaction import redacted, span_request

from otel_agent_eval.signals import REQUEST_TYPES, ExportRequest

PAGE = (Path(__file__).parents[2] / "docs" / "redaction.md").read_text()
SECRET, PERSON = "the launch code is 0451", "bob%40example.com"
MARK = key_values({"gen_ai.operation.name": "chat"})
SPOKEN = ("gen_ai.system_instructions", "gen_ai.output.messages", "gen_ai.tomorrow.text", "prompt", "input", "output")

Route = tuple[type[ExportRequest], tuple[FieldDescriptor, ...]]


def routes(message: Descriptor, before: tuple[FieldDescriptor, ...] = ()) -> Iterator[tuple[FieldDescriptor, ...]]:
    """The fields of texts below a message, each with the fields that lead to it; values of attributes count as one."""
    for field in message.fields:
        if field.message_type in {KeyValue.DESCRIPTOR, AnyValue.DESCRIPTOR}:
            yield (*before, field)
        elif field.message_type is not None:
            yield from routes(field.message_type, (*before, field))
        elif field.type in {field.TYPE_STRING, field.TYPE_BYTES}:
            yield (*before, field)


def name_of(field: FieldDescriptor) -> str:
    """The name of a place in the table."""
    if field.name == "schema_url" and "EntityRef" not in field.full_name:
        return "schema_url"
    if field.name.endswith(("trace_id", "span_id")):
        return "ids"
    return re.sub(r"^opentelemetry\.proto\.\w+\.v1\.", "", field.full_name)


ROUTES: list[Route] = [(kind, route) for kind in REQUEST_TYPES.values() for route in routes(kind.DESCRIPTOR)]


def table() -> dict[str, tuple[str, str]]:
    found = {}
    for row in PAGE.split("\n| place |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]:
        place, content, patterns = (cell.strip() for cell in row.strip("|").split(" | "))
        first, *others = re.findall(r"`([^`]+)`", place) or [place]
        for name in (first, *(first.rpartition(".")[0] + other for other in others)):
            found[name] = (content, patterns.strip("| "))
    return found


TABLE = table()


def planted(route: Route, text: str, names: tuple[str, ...]) -> ExportRequest:
    """A request of an agent with a text in one place."""
    kind, (*above, last) = route
    request = kind()
    message: Any = request
    for field in above:
        inner = getattr(message, field.name)
        message = inner.add() if field.is_repeated else inner
    if last.message_type is KeyValue.DESCRIPTOR:
        getattr(message, last.name).extend(key_values(dict.fromkeys(names, text)))
    elif last.message_type is AnyValue.DESCRIPTOR:
        getattr(message, last.name).string_value = text
    elif last.is_repeated:
        getattr(message, last.name).append(text)
    else:
        setattr(message, last.name, text if last.type == last.TYPE_STRING else text.encode())
    speak(request, above[0].name)
    return request


def speak(request: Any, groups: str) -> None:
    """Let an agent speak in the first group of a request, beside what is there."""
    (group,) = getattr(request, groups)
    item = first(first(getattr(group, groups.replace("resource", "scope"))), "spans", "log_records", "metrics")
    if groups == "resource_metrics":
        item = first(getattr(item, item.WhichOneof("data") or "sum"), "data_points")
    item.attributes.extend(MARK)


def first(message: Any, *fields: str) -> Any:
    """The first of a list, or of that of a message's lists which it has; made where there is none."""
    items = next((getattr(message, field) for field in fields if hasattr(message, field)), message)
    return items[0] if len(items) else items.add()


def identify(route: Route) -> str:
    return ".".join(field.name for field in route[1])


def test_the_table_has_every_place_and_no_other() -> None:
    others = {"KeyValue.key", "ids of traces and spans", "fields that are not known here"}
    assert {name_of(route[-1]) for _, route in ROUTES} - {"ids"} == TABLE.keys() - others


@pytest.mark.parametrize("route", [route for route in ROUTES if name_of(route[1][-1]) in TABLE], ids=identify)
def test_a_text_in_a_place_goes_or_stays_as_the_table_says(route: Route) -> None:
    content, patterns = TABLE[name_of(route[1][-1])]
    request = planted(route, SECRET, SPOKEN)
    assert SECRET.encode() in request.SerializeToString()
    left = redacted(request).SerializeToString()
    assert (SECRET.encode() in left) == (content == "stays")
    assert b"gen_ai.operation.name" in left
    request = planted(route, PERSON, ("app.note", "gen_ai.tomorrow.text", "input"))
    left = redacted(request, content="keep", patterns=["email"]).SerializeToString()
    assert (PERSON.encode() in left) == (patterns == "")


@pytest.mark.parametrize("kind", ["resource", "scope"])
@pytest.mark.parametrize("name", ["prompt", "input", "output", "messages", "instructions"])
def test_a_resource_or_scope_that_speaks_needs_no_agent_beside_it(kind: str, name: str) -> None:
    request = span_request({"http.route": "/x"})
    group = request.resource_spans[0]
    bearer = group.resource if kind == "resource" else group.scope_spans[0].scope
    bearer.attributes.extend(key_values({name: SECRET, "team": "shop", "service.name": "web"}))
    after = redacted(request)
    del bearer.attributes[0]
    assert after == request


@pytest.mark.parametrize("kind", ["resource", "scope"])
def test_of_an_agents_resource_or_scope_every_bare_name_is_content(kind: str) -> None:
    request = span_request({"gen_ai.operation.name": "chat"})
    group = request.resource_spans[0]
    bearer = group.resource if kind == "resource" else group.scope_spans[0].scope
    bearer.attributes.extend(key_values({"words": SECRET, "cluster": "eu-1", "service.name": "web"}))
    after = redacted(request)
    del bearer.attributes[0]
    assert after == request


def test_what_stands_on_the_resource_of_others_stays() -> None:
    request = span_request({"http.route": "/x"})
    request.resource_spans[0].resource.attributes.extend(key_values({"cluster": "eu-1", "description": "a shop"}))
    other = request.resource_spans.add()
    other.scope_spans.add().spans.add(attributes=MARK)
    assert redacted(request) == request


def test_dimensions_stay_and_content_among_them_goes() -> None:
    dimensions = {
        "gen_ai.token.type": "input",
        "gen_ai.tier.new": "gold",
        "tier": "gold",
        "llm.response.reason": "stop",
    }
    content = {
        "gen_ai.system_instructions": SECRET,
        "llm.new.content": SECRET,
        "ai.x": {"a": SECRET},
        "question": SECRET,
    }
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="gen_ai.client.operation.duration")
    metric.histogram.data_points.add(attributes=key_values({**dimensions, **content}))
    (point,) = redacted(request).resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points
    assert list(point.attributes) == key_values(dimensions)


def metric_request(name: str, dimensions: dict[str, Any], exemplar: dict[str, Any]) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name=name)
    point = metric.sum.data_points.add(attributes=key_values(dimensions))
    point.exemplars.add(filtered_attributes=key_values(exemplar))
    return request


def test_an_exemplar_of_a_metric_about_agents_holds_content_under_bare_names() -> None:
    exemplar = {"question": SECRET, "http.route": "/ask"}
    by_name = metric_request("gen_ai.client.token.usage", {}, exemplar)
    by_point = metric_request("tokens", {"gen_ai.token.type": "input"}, exemplar)
    for request in (by_name, by_point):
        (metric,) = redacted(request).resource_metrics[0].scope_metrics[0].metrics
        assert list(metric.sum.data_points[0].exemplars[0].filtered_attributes) == key_values({"http.route": "/ask"})


def test_a_metric_about_agents_by_its_name_alone_loses_content_under_bare_names() -> None:
    request = metric_request("gen_ai.client.token.usage", {"tier": "gold", "question": SECRET}, {})
    (metric,) = redacted(request).resource_metrics[0].scope_metrics[0].metrics
    assert list(metric.sum.data_points[0].attributes) == key_values({"tier": "gold"})


def test_other_metrics_keep_bare_dimensions_whatever_they_are_called() -> None:
    request = metric_request("http.server.duration", {"question": "1", "input": "a", "prompt": "$"}, {})
    request.resource_metrics[0].scope_metrics[0].metrics.add(name="gen_ai.x")  # so that the request is looked into
    assert redacted(request) == request


def test_the_name_of_an_attribute_is_searched_for_patterns() -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.attributes.extend(key_values({"votes.bob@example.com": 1, "votes.total": 2}))
    left = redacted(request, patterns=["email"]).resource_logs[0].scope_logs[0].log_records[0].attributes
    assert [pair.key for pair in left] == ["[REDACTED]", "votes.total"]
