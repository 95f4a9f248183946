"""Which requests are looked into at all, readers of other packages, and what to tell those who capture nothing."""

import logging
from importlib.metadata import EntryPoint, EntryPoints

import pytest
from convention_spans import make_span
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.conventions import (
    READERS,
    capture_switch,
    content_may_be_in_logs,
    could_hold_content,
    load_readers,
    marks_of,
    read,
)
from otel_agent_eval.conventions.extract import Extract
from otel_agent_eval.conventions.span import SpanView


def request_with(key: str) -> bytes:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="span")
    span.attributes.add(key=key).value.string_value = "text"
    return request.SerializeToString()


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.output.messages",
        "llm.input_messages.0.message.content",
        "ai.response.text",
        "input.value",
        "lk.chat_ctx",
    ],
)
def test_requests_of_agents_are_looked_into(key: str) -> None:
    assert could_hold_content(request_with(key))


@pytest.mark.parametrize("key", ["http.route", "db.statement", "email.input.value", "main.ai.x"])
def test_other_requests_are_not(key: str) -> None:
    assert not could_hold_content(request_with(key))


def test_a_log_record_is_known_by_the_name_of_its_event() -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(event_name="gen_ai.choice")
    record.body.string_value = "text"
    assert could_hold_content(request.SerializeToString())


def own(span: SpanView) -> Extract | None:
    return Extract(convention="own", answers=("own answer",)) if "own.answer" in span.attributes else None


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    group = "otel_agent_eval.conventions"
    points = EntryPoints(
        [
            EntryPoint("own", "test_markers_and_plugins:own", group),
            EntryPoint("broken", "no_such_package.readers:read", group),
            EntryPoint("text", "test_markers_and_plugins:__doc__", group),
        ]
    )
    monkeypatch.setattr("otel_agent_eval.conventions.readers.entry_points", lambda group: points.select(group=group))


@pytest.mark.usefixtures("installed")
def test_installed_readers_come_first_and_broken_ones_are_left_out_with_a_line_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        readers = load_readers()
    assert readers == (own, *READERS)
    assert [record.__dict__["entry_point"] for record in caplog.records] == ["broken", "text"]
    assert read(make_span({"own.answer": "x"}), readers).answers == ("own answer",)
    assert read(make_span({"own.answer": "x"})).convention == ""


@pytest.mark.usefixtures("installed")
def test_requests_are_looked_into_for_plug_ins_too(monkeypatch: pytest.MonkeyPatch) -> None:
    readers = load_readers()
    assert marks_of(readers).found_in(request_with("http.route"))  # a plug-in that names no keys may read any
    monkeypatch.setattr(own, "markers", ("own.",), raising=False)
    look = marks_of(readers).found_in
    assert look(request_with("own.answer"))
    assert look(request_with("gen_ai.output.messages"))
    assert not look(request_with("http.route"))
    assert marks_of(READERS) is marks_of(())


@pytest.mark.parametrize(
    ("scope", "switch"),
    [
        ("opentelemetry.instrumentation.genai.openai", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY"),
        ("opentelemetry.instrumentation.openai.v1", "TRACELOOP_TRACE_CONTENT=true"),
        ("openinference.instrumentation.openai", "OPENINFERENCE_HIDE_OUTPUTS=false"),
        ("pydantic-ai", "include_content=True"),
        ("ai", "recordOutputs: true"),
        ("gcp.vertex.agent", "ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS=true"),
        ("haystack", "HAYSTACK_CONTENT_TRACING_ENABLED=true"),
    ],
)
def test_the_switch_of_an_instrumentation_is_named(scope: str, switch: str) -> None:
    assert switch in capture_switch(make_span({"gen_ai.operation.name": "chat"}, scope=scope))


def test_no_switch_is_made_up() -> None:
    said = capture_switch(make_span({"gen_ai.operation.name": "chat"}, scope="my.app"))
    assert said.startswith("not known")
    assert "gen_ai.output.messages" in said


def test_instrumentations_that_never_record_content_have_no_switch() -> None:
    assert capture_switch(make_span({"gen_ai.operation.name": "chat"}, scope="com.anthropic.sdk.python")) == ""


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("opentelemetry.instrumentation.genai.openai", True),
        ("opentelemetry.instrumentation.openai_v2", True),
        ("@opentelemetry/instrumentation-openai", True),
        ("pydantic-ai", True),
        ("my.app", True),
        ("opentelemetry.instrumentation.openai.v1", False),
        ("openinference.instrumentation.openai", False),
        ("com.anthropic.sdk.python", False),
    ],
)
def test_only_some_instrumentations_put_content_in_logs(scope: str, *, expected: bool) -> None:
    assert content_may_be_in_logs(make_span({"gen_ai.operation.name": "chat"}, scope=scope)) is expected
    assert not content_may_be_in_logs(make_span({"http.route": "/"}, scope="my.app"))
