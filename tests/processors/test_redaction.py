"""Redaction of requests: what is content goes, whoever wrote it; everything else stays."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from test_golden import CASES, RECORDINGS, any_value, key_values, load

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.definitions import evaluator_attribute
from otel_agent_eval.config import loads
from otel_agent_eval.config.redaction import Redaction
from otel_agent_eval.conventions import read
from otel_agent_eval.conventions.content import Kind
from otel_agent_eval.conventions.identity import IDENTITY_KEYS
from otel_agent_eval.conventions.roles import KIND_KEYS
from otel_agent_eval.conventions.span import EventView, decode_value, view_log, view_resource, view_span
from otel_agent_eval.processors.redaction_text import HASH_MARK, MASK
from otel_agent_eval.service.redaction import content_names, redactor
from otel_agent_eval.signals import REQUEST_TYPES, ExportRequest, Payload, Signal

SHORTEST = 9  # characters; what is shorter stands in names and ids, too
PIECE = 30
KEY = "a key of tests, 32 characters!!!"
REMOVE = redactor(Redaction())


def redacted(request: Any, **settings: Any) -> Any:
    """Redact a request with the settings of a configuration."""
    signals: dict[type, Signal] = {kind: signal for signal, kind in REQUEST_TYPES.items()}
    payload = Payload(signals[type(request)], request.SerializeToString(), items=1)
    found = redactor(Redaction(**settings)) if settings else REMOVE
    return type(request).FromString(found(payload).body)


def span_request(
    attributes: Mapping[str, Any], events: Mapping[str, Mapping[str, Any]] | None = None, name: str = "chat"
) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name=name, attributes=key_values(attributes))
    for event, values in (events or {}).items():
        span.events.add(name=event, attributes=key_values(values))
    return request


def spans(request: ExportTraceServiceRequest) -> list[Span]:
    return [span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]


def attributes(request: ExportTraceServiceRequest) -> dict[str, Any]:
    return {pair.key: decode_value(pair.value) for pair in spans(request)[0].attributes}


def texts_of(traces: list[ExportTraceServiceRequest], logs: list[ExportLogsServiceRequest]) -> Iterator[str]:
    """Everything that the readers find: questions, answers, documents, turns and what was filled into prompts."""
    joined: dict[bytes, list[EventView]] = {}
    for request in logs:
        for group in request.resource_logs:
            for scope in group.scope_logs:
                for record in scope.log_records:
                    joined.setdefault(record.span_id, []).append(view_log(record))
    for trace in traces:
        for resource in trace.resource_spans:
            decoded = view_resource(resource.resource)
            for spans_of_scope in resource.scope_spans:
                for span in spans_of_scope.spans:
                    found = read(view_span(span, spans_of_scope, decoded, joined.get(span.span_id, ())))
                    yield from (found.question, *found.answers, *found.variables.values())
                    yield from (turn.text for turn in found.turns)
                    yield from (document.text for document in found.documents)


def forms_of(text: str) -> set[bytes]:
    """How a text, its beginning or its end can stand in a request: as it is, as JSON, twice encoded, as a repr."""
    parts = (text, text[:PIECE], text[-PIECE:]) if len(text) > 2 * PIECE else (text,)
    once = {
        form(part)[1:-1] for part in parts for form in (json.dumps, repr, lambda t: json.dumps(t, ensure_ascii=False))
    }
    return {form.encode() for form in (*parts, *once, *(json.dumps(form)[1:-1] for form in once))}


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.relative_to(RECORDINGS).as_posix())
@pytest.mark.parametrize("action", ["remove", "hash", "mask"])
def test_of_a_recording_no_text_is_left_anywhere_in_the_bytes(folder: Path, action: str) -> None:
    traces, logs = load(folder)
    texts = {text for text in texts_of(traces, logs) if len(text) >= SHORTEST}
    requests: list[ExportRequest] = [*traces, *logs]
    found = redactor(Redaction(content=action, hmac_key=KEY))
    for request in requests:
        signal = Signal.TRACES if isinstance(request, ExportTraceServiceRequest) else Signal.LOGS
        body = found(Payload(signal, request.SerializeToString())).body
        left = [text for text in texts if any(form in body for form in forms_of(text))]
        assert not left


def test_the_recordings_hold_texts_that_could_be_left() -> None:
    assert sum(len({text for text in texts_of(*load(folder)) if len(text) >= SHORTEST}) for folder in CASES) > 300


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.relative_to(RECORDINGS).as_posix())
def test_of_a_recording_all_else_stays(folder: Path) -> None:
    names = content_names()
    numbers = {"int_value", "double_value", "bool_value"}
    for request in load(folder)[0]:
        for before, after in zip(spans(request), spans(redacted(request)), strict=True):
            left = {pair.key: pair.value for pair in after.attributes}
            for pair in before.attributes:
                harmless = pair.key in {*IDENTITY_KEYS, *KIND_KEYS} or pair.key.startswith(
                    ("http.", "server.", "user.")
                )
                number = pair.value.WhichOneof("value") in numbers and names.kind(pair.key) is not Kind.CONTENT
                if harmless or number:
                    assert left.get(pair.key) == pair.value, pair.key
            for field in ("trace_id", "span_id", "name", "start_time_unix_nano", "end_time_unix_nano", "kind"):
                assert getattr(before, field) == getattr(after, field)
            assert [event.name for event in before.events] == [event.name for event in after.events]


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.relative_to(RECORDINGS).as_posix())
def test_no_name_that_a_reader_reads_content_from_is_taken_for_harmless(folder: Path) -> None:
    names = content_names()
    traces, _ = load(folder)
    for trace in traces:
        for resource in trace.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    own = {pair.key for pair in span.attributes}
                    for key in read(view_span(span, scope, {})).keys:
                        assert key not in own or names.kind(key) not in {Kind.OTHER, Kind.PLAIN}, key


def test_scores_stay_and_the_sentences_without_support_go() -> None:
    written = {
        catalogue.LABEL.name: "fail",
        evaluator_attribute("faithfulness", "score"): 0.25,
        evaluator_attribute("faithfulness", "label"): "fail",
        evaluator_attribute("faithfulness", "threshold"): 0.5,
        evaluator_attribute("faithfulness", "evaluator"): "builtin/faithfulness@3",
        evaluator_attribute("faithfulness", "outcome"): "scored",
        evaluator_attribute("faithfulness", "documents"): ["d1", "d2"],
        evaluator_attribute("toxicity", "reason"): "truncated",
        evaluator_attribute("toxicity", "categories"): ["insult"],
        catalogue.DUPLICATE_OF.name: "0102030405060708",
        "evaluations.0.evaluation.name": "faithfulness",
        "evaluations.0.evaluation.label": "fail",
        "evaluations.0.evaluation.score": 0.25,
        "evaluations.0.evaluation.identifier": "otel-agent-eval/builtin",
    }
    quoting = {
        evaluator_attribute("faithfulness", "unsupported"): ["The tower is made of cheese."],
        evaluator_attribute("of_a_plugin", "worst_sentence"): "The tower is made of cheese.",
        evaluator_attribute("of_a_plugin", "documents"): ["The tower is made of cheese."],
        "evaluations.0.evaluation.explanation": "The tower is made of cheese.",
        "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"Cheese."}]}]',
    }
    assert attributes(redacted(span_request({**written, **quoting}))) == written


def test_evaluation_events_keep_everything_but_explanations() -> None:
    values = {attribute.name: "x" for attribute in catalogue.RESULT_EVENT.attributes}
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(event_name=catalogue.RESULT_EVENT.name)
    record.attributes.extend(key_values(values))
    left = redacted(request).resource_logs[0].scope_logs[0].log_records[0].attributes
    assert {pair.key for pair in left} == values.keys() - {catalogue.EVALUATION_EXPLANATION.name}


def test_names_of_tomorrow_in_the_namespace_of_a_convention_are_content() -> None:
    tomorrow = {"gen_ai.whisper.text": "secret", "llm.thoughts": ["secret"], "traceloop.x": {"a": "secret"}}
    kept = {"gen_ai.whisper.count": 3, "llm.is_new": True, "app.segment": "beta", "http.route": "/ask"}
    assert attributes(redacted(span_request({**tomorrow, **kept, "question": "secret"}))) == kept


def test_a_name_without_a_namespace_is_content_only_where_an_agent_speaks() -> None:
    assert attributes(redacted(span_request({"question": "how?", "gen_ai.operation.name": "chat"}))) == {
        "gen_ai.operation.name": "chat"
    }
    assert attributes(redacted(span_request({"question": "how?", "http.route": "/x"}))) == {
        "question": "how?",
        "http.route": "/x",
    }


def test_numbers_are_content_where_a_prompt_is_made_of_them() -> None:
    values = {"gen_ai.prompt.variable.age": 42, "gen_ai.tool.call.result": 7, "gen_ai.usage.input_tokens": 11}
    assert attributes(redacted(span_request(values))) == {"gen_ai.usage.input_tokens": 11}


def test_what_an_exception_says_goes_from_every_span_it_passes() -> None:
    said = {"exception.message": "cannot parse 'secret'", "exception.type": "ValueError"}
    request = span_request({"http.route": "/ask"}, {"exception": {**said, "exception.stacktrace": "f('secret')"}})
    spans(request)[0].status.message = "cannot parse 'secret'"
    after = redacted(request)
    assert b"secret" not in after.SerializeToString()
    assert [pair.key for pair in spans(after)[0].events[0].attributes] == ["exception.type"]
    kept = redacted(request, exceptions="keep")
    assert kept == request


def test_log_records_lose_bodies_that_hold_prompts_and_keep_others() -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add(event_name="gen_ai.user.message", body=any_value({"content": "secret"}))
    records.add(body=any_value("secret"), attributes=key_values({"event.name": "gen_ai.choice"}))
    records.add(body=any_value({"input": {"messages": [{"role": "user", "content": "secret"}]}}))
    records.add(body=any_value("order 17 was paid"), attributes=key_values({"order": 17}))
    after = redacted(request).resource_logs[0].scope_logs[0].log_records
    assert [record.HasField("body") for record in after] == [False, False, False, True]
    assert after[3] == records[3]


@pytest.mark.parametrize(
    "body",
    [
        {"role": "user", "content": "secret"},
        {"output": {"messages": ["secret"]}},
        {"attributes": {"gen_ai.input.messages": "secret"}},
        [{"llm.prompts": "secret"}],
        '{"attributes": {"gen_ai.input.messages": "secret"}}',
        b'{"gen_ai.input.messages": "secret"}',
        [{"role": "user", "content": "secret"}],
        {"request": [{"role": "assistant", "parts": ["secret"]}]},
        '[{"role": "user", "content": "secret"}]',
        '{"body": "{\\"messages\\": [{\\"role\\": \\"user\\", \\"content\\": \\"secret\\"}]}"}',
        "Request options: {'json_data': {'messages': [{'content': 'secret', 'role': 'user'}]}}",
    ],
)
def test_a_body_that_shows_what_it_is_goes_without_any_other_mark(body: Any) -> None:
    request = ExportLogsServiceRequest()
    value = AnyValue(bytes_value=body) if isinstance(body, bytes) else any_value(body)
    request.resource_logs.add().scope_logs.add().log_records.add(body=value)
    assert b"secret" not in redacted(request).SerializeToString()


@pytest.mark.parametrize(
    "body",
    [{"user": {"role": "admin"}}, {"user": {"role": "user"}}, '{"role": "user", "id": 7}', "the role 'user' may"],
)
def test_a_role_inside_of_an_ordinary_body_stays(body: Any) -> None:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(body=any_value(body))
    assert redacted(request) == request


@pytest.mark.parametrize(
    ("event", "scope", "values"),
    [
        ("claude_code.user_prompt", "", {"words": "secret"}),
        ("", "com.anthropic.claude_code.events", {"event.name": "user_prompt", "words": "secret"}),
        ("", "", {"event.name": "gemini_cli.user_prompt", "words": "secret"}),
        ("", "app", {"prompt": "secret"}),
    ],
)
def test_log_records_of_agents_that_nobody_reads_lose_what_has_a_bare_name(
    event: str, scope: str, values: dict[str, Any]
) -> None:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add().scope_logs.add()
    group.scope.name = scope
    group.log_records.add(event_name=event, attributes=key_values({**values, "id": "7"}))
    left = redacted(request).resource_logs[0].scope_logs[0].log_records[0].attributes
    assert list(left) == key_values({k: v for k, v in {**values, "id": "7"}.items() if v != "secret"})


@pytest.mark.parametrize("key", ["error.type", "exception.type", "error.message"])
def test_status_messages_go_where_only_attributes_tell_of_the_exception(key: str) -> None:
    request = span_request({key: "ValueError"})
    spans(request)[0].status.message = "secret"
    assert b"secret" not in redacted(request).SerializeToString()


@pytest.mark.parametrize(
    "name",
    [b"\x8a\x00\x0binput.value", b"\x8a\x80\x80\x80\x00\x0binput.value", b"\n\x8b\x80\x80\x80\x00input.value"],
)
def test_names_behind_numbers_that_are_longer_than_they_need_be_are_noticed(name: bytes) -> None:
    body = name + b"\x12\x08\n\x06secret"
    for tag in b"\x4a\x12\x12\n":  # an attribute, a span, a scope, a resource
        body = bytes([tag, len(body)]) + body
    assert attributes(ExportTraceServiceRequest.FromString(body)) == {"input.value": "secret"}
    assert b"secret" not in REMOVE(Payload(Signal.TRACES, body, items=1)).body


def test_metrics_keep_their_dimensions() -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="gen_ai.client.token.usage")
    metric.sum.data_points.add(as_int=1, attributes=key_values({"gen_ai.system": "openai", "gen_ai.tier.new": "gold"}))
    assert redacted(request) == request
    point = metric.sum.data_points.add(as_int=1, attributes=key_values({"gen_ai.prompt": "secret"}))
    point.exemplars.add(filtered_attributes=key_values({"gen_ai.whisper": "secret"}))
    request.resource_metrics[0].resource.attributes.extend(key_values({"gen_ai.whisper": "secret"}))
    assert b"secret" not in redacted(request).SerializeToString()


def test_a_request_in_which_there_is_nothing_is_the_very_bytes_that_came() -> None:
    body = span_request({"http.route": "/x", "server.address": "a"}).SerializeToString() + b"\xfa\x3e\x03new"
    payload = Payload(Signal.TRACES, body)
    found = redactor(Redaction(patterns=("email", "credit_card"), attributes=({"key": "user.*", "action": "remove"},)))
    assert found(payload) is payload


def test_fields_that_are_not_known_go_from_every_request_that_is_looked_into() -> None:
    request = span_request({"gen_ai.operation.name": "chat"})
    unknown = b"\xfa\x3e\x06secret"  # field 1007, text
    body = request.SerializeToString()
    inner = ExportTraceServiceRequest.FromString(body)
    inner.resource_spans[0].scope_spans[0].spans[0].MergeFromString(unknown)
    after = REMOVE(Payload(Signal.TRACES, inner.SerializeToString() + unknown)).body
    assert b"secret" in inner.SerializeToString()
    assert after == body


def test_rules_for_single_names_decide_before_all_else_and_the_first_that_fits() -> None:
    rules = [
        {"key": "gen_ai.prompt.name", "action": "remove"},
        {"key": "gen_ai.output.messages", "action": "keep"},
        {"key": "user.*", "action": "mask"},
        {"key": "user.id", "action": "keep"},
    ]
    values = {"gen_ai.prompt.name": "p", "gen_ai.output.messages": "bob@example.com", "user.id": "7", "app": "bob"}
    after = attributes(redacted(span_request({**values, "http.x": "y"}), attributes=rules, patterns=["email"]))
    assert after == {"gen_ai.output.messages": "bob@example.com", "user.id": MASK, "http.x": "y"}


def test_rules_reach_resources_scopes_links_events_and_data_points() -> None:
    request = span_request({}, {"e": {"k": 1}})
    group = request.resource_spans[0]
    group.resource.attributes.extend(key_values({"k": 1}))
    group.scope_spans[0].scope.attributes.extend(key_values({"k": 1}))
    spans(request)[0].links.add(attributes=key_values({"k": 1}))
    assert b"k" not in redacted(request, attributes=[{"key": "k", "action": "remove"}]).SerializeToString()
    metrics = ExportMetricsServiceRequest()
    point = metrics.resource_metrics.add().scope_metrics.add().metrics.add().histogram.data_points.add()
    point.attributes.extend(key_values({"k": 1}))
    point.exemplars.add(filtered_attributes=key_values({"k": 1}))
    assert b"k" not in redacted(metrics, attributes=[{"key": "k", "action": "remove"}]).SerializeToString()


def test_span_names_status_messages_event_names_and_bodies_can_be_named() -> None:
    request = span_request({}, {"asked secret": {}}, name="secret")
    spans(request)[0].status.message = "secret"
    parts = ("span.name", "span.status.message", "event.name", "log.body")
    rules = [{"key": part, "action": "mask"} for part in parts]
    span = spans(redacted(request, attributes=rules))[0]
    assert (span.name, span.status.message, span.events[0].name) == (MASK, MASK, MASK)
    assert spans(redacted(request, attributes=[{"key": "*name", "action": "remove"}]))[0].name == "secret"
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(body=any_value("secret"), event_name="secret")
    assert b"secret" not in redacted(logs, attributes=rules).SerializeToString()


def test_only_allowed_keys_stay_and_of_those_no_content() -> None:
    values = {"http.route": "/x", "http.url": "/x?y", "app.z": "z", "gen_ai.usage.output_tokens": 3, "input.value": "q"}
    after = attributes(redacted(span_request(values), allowed_keys=["http.route", "gen_ai.*", "input.value"]))
    assert after == {"http.route": "/x", "gen_ai.usage.output_tokens": 3}


def test_equal_texts_have_equal_hashes_and_another_key_gives_others() -> None:
    request = span_request({"input.value": "how tall?", "llm.input_messages.0.message.content": "how tall?"})
    first, second = attributes(redacted(request, content="hash", hmac_key=KEY)).values()
    (other, _) = attributes(redacted(request, content="hash", hmac_key=KEY[::-1])).values()
    assert first == second != other
    assert first.startswith(HASH_MARK)


def test_hashing_what_is_hashed_changes_nothing() -> None:
    values = {
        "input.value": "how tall?",
        "output.value": {"a": ["b", 1.5]},
        "http.url": "bob@example.com",
        "user.id": 3,
    }
    settings: dict[str, Any] = {
        "content": "hash",
        "attributes": [{"key": "user.id", "action": "hash"}],
        "patterns": ["email", "phone", "credit_card"],
        "pattern_action": "hash",
        "hmac_key": KEY,
    }
    once = redacted(span_request(values), **settings)
    twice = redacted(once, **settings)
    assert twice == once
    assert once != span_request(values)


def test_nested_values_are_searched_with_their_keys_and_bytes() -> None:
    nested = AnyValue()
    nested.kvlist_value.values.add(key="bob@example.com", value=any_value(["x", {"y": "to eve@example.com"}]))
    nested.kvlist_value.values.add(key="raw", value=AnyValue(bytes_value=b"eve@example.com"))
    request = span_request({})
    spans(request)[0].attributes.append(KeyValue(key="app.data", value=nested))
    after = redacted(request, patterns=["email"])
    assert b"@" not in after.SerializeToString()
    assert attributes(after)["app.data"] == {MASK: ["x", {"y": f"to {MASK}"}], "raw": MASK}


def test_a_reader_without_markers_cannot_be_redacted_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_agent_eval.service.redaction.load_readers", lambda: (lambda _span: None,))
    with pytest.raises(ValueError, match="names no markers"):
        redactor(Redaction())


def test_what_a_plug_in_reads_is_content(monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(_span: object) -> None:
        return None

    reader.markers = ("acme.", "Corp.")  # type: ignore[attr-defined]  (what plug-ins set on their function)
    monkeypatch.setattr("otel_agent_eval.service.redaction.load_readers", lambda: (reader,))
    found = redactor(Redaction())
    payload = Payload(
        Signal.TRACES, span_request({"acme.answer": "secret", "Corp.x": "secret", "acme.tokens": 3}).SerializeToString()
    )
    assert attributes(ExportTraceServiceRequest.FromString(found(payload).body)) == {"acme.tokens": 3}


def test_a_configuration_reads_as_it_is_written() -> None:
    text = "processors: {redaction: {content: keep}}\nexporters: {console: {redaction: redaction}}\n"
    text += "receivers: {otlp: {protocols: {grpc: }}}\n"
    text += "service: {pipelines: {traces: {receivers: [otlp], exporters: [console]}}}"
    assert loads(text, "test", {}).config.exporters["console"].redaction == "redaction"


@pytest.mark.parametrize("action", ["remove", "hash", "mask"])
def test_a_gateway_behind_finds_no_content_to_judge(action: str) -> None:
    values = {"openinference.span.kind": "LLM", "llm.output_messages.0.message.content": "Paris.", "output.value": "P"}
    request = redacted(span_request(values), content=action, hmac_key=KEY)
    scope = request.resource_spans[0].scope_spans[0]
    found = read(view_span(scope.spans[0], scope, {}))
    assert (found.answers, found.question, found.turns, found.documents) == ((), "", (), ())


@pytest.mark.timeout(30)
def test_names_made_to_be_slow_are_compared_all_the_same() -> None:
    rules = [{"key": "*".join("abcdefgh") + "*", "action": "remove"}, {"key": "*a*a*a*a*a*a*b", "action": "remove"}]
    request = span_request({"a" * 1_000_000: 1, "gen_ai.prompt." + "0." * 100_000: 1, "a" * 1_000_000 + "b": 1})
    assert list(attributes(redacted(request, attributes=rules))) == ["a" * 1_000_000]


@pytest.mark.parametrize("name", ["gen_ai.agent.name", "session.id", "status", "agent_eval.label"])
@pytest.mark.parametrize("value", [{"x": "a secret"}, [["a secret"]], b"a secret", [{"x": "a secret"}]])
def test_a_name_that_holds_no_content_is_not_believed_where_it_holds_a_structure(name: str, value: Any) -> None:
    found = redacted(span_request({name: value, "gen_ai.operation.name": "chat"}))
    assert b"a secret" not in found.SerializeToString()
    assert attributes(redacted(span_request({name: ["one", "two"], "gen_ai.operation.name": "chat"})))[name] == [
        "one",
        "two",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "llm.input_messages.0.message.content.object",
        "gen_ai.evaluation.score.explanation",
        "messages.0.content",
        "inputs.0",
        "langgraph.state",
        "copilot_chat.prompt",
        "GEN_AI.Agent.Name",
        "Input.Value",
        "tool_call.function.arguments",
        "tag.tags",
        "db.documents",
        "confident.span.input",
    ],
)
def test_names_near_harmless_ones_are_content(name: str) -> None:
    found = redacted(span_request({name: "a secret", "gen_ai.operation.name": "chat"}))
    assert b"a secret" not in found.SerializeToString()
