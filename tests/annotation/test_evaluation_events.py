from annotation_samples import SPAN_ID, TRACE_ID, good, judged, named_resource, skipped, toxic

from otel_agent_eval import __version__
from otel_agent_eval.annotation.events import evaluation_events
from otel_agent_eval.annotation.result import Forms
from otel_agent_eval.conventions.span import decode_attributes
from otel_agent_eval.evaluation.evaluation import Failed, Label, Reason, Scored, Skipped

NOW = 1_700_000_123_000_000_000


def test_a_scored_evaluation_becomes_a_log_record_of_the_judged_span() -> None:
    request = evaluation_events([judged({"toxicity": toxic(0.93)})], NOW, Forms())
    (resource_logs,) = request.resource_logs
    (scope_logs,) = resource_logs.scope_logs
    (record,) = scope_logs.log_records
    assert resource_logs.resource == named_resource("shop")
    assert (scope_logs.scope.name, scope_logs.scope.version) == ("otel_agent_eval", __version__)
    assert record.event_name == "gen_ai.evaluation.result"
    assert (record.trace_id.hex(), record.span_id.hex()) == (TRACE_ID, SPAN_ID)
    assert record.flags == 1
    assert (record.time_unix_nano, record.observed_time_unix_nano) == (1_700_000_000_000_000_000, NOW)
    assert (record.severity_number, record.severity_text) == (9, "INFO")
    assert not record.HasField("body")
    assert decode_attributes(record.attributes) == {
        "gen_ai.evaluation.name": "toxicity",
        "gen_ai.evaluation.score.value": 0.93,
        "gen_ai.evaluation.score.label": "fail",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.agent.name": "helper",
        "gen_ai.conversation.id": "c-1",
        "agent_eval.evaluator": "builtin/toxicity@3",
        "agent_eval.threshold": 0.8,
        "agent_eval.direction": "higher_is_worse",
        "agent_eval.choice": 0,
    }


def test_a_failed_evaluation_has_an_error_type_and_no_score() -> None:
    request = evaluation_events([judged({"relevance": Failed("TimeoutError")})], NOW, Forms())
    attributes = decode_attributes(request.resource_logs[0].scope_logs[0].log_records[0].attributes)
    assert attributes["error.type"] == "TimeoutError"
    assert not any("score" in key or "threshold" in key for key in attributes)


def test_nothing_is_said_of_skipped_evaluations() -> None:
    spans = [judged({"relevance": Skipped(Reason.NO_QUESTION)}), skipped(Reason.DUPLICATE)]
    assert not evaluation_events(spans, NOW, Forms()).resource_logs


def test_each_choice_has_its_own_record() -> None:
    request = evaluation_events([judged({"relevance": good(0.9)}, {"relevance": good(0.2)})], NOW, Forms())
    records = request.resource_logs[0].scope_logs[0].log_records
    found = [decode_attributes(record.attributes) for record in records]
    assert [(a["agent_eval.choice"], a["gen_ai.evaluation.score.label"]) for a in found] == [(0, "pass"), (1, "fail")]


def test_records_are_grouped_by_the_resource_of_the_judged_span() -> None:
    choice = {"relevance": good(0.9)}
    spans = [judged(choice, resource=name) for name in ("shop", "bank", "shop")]
    request = evaluation_events(spans, NOW, Forms())
    counts = [(logs.resource, len(logs.scope_logs[0].log_records)) for logs in request.resource_logs]
    assert counts == [(named_resource("shop"), 2), (named_resource("bank"), 1)]


def test_explanations_leave_only_when_asked_for() -> None:
    scored = Scored(score=0.9, threshold=0.5, label=Label.PASS, explanation="It says " + "so" * 1000)
    span = judged({"relevance": scored})
    for forms, expected in ((Forms(), None), (Forms(explanations=True), 500)):
        record = evaluation_events([span], NOW, forms).resource_logs[0].scope_logs[0].log_records[0]
        explanation = decode_attributes(record.attributes).get("gen_ai.evaluation.explanation")
        assert (explanation and len(explanation)) == expected


def test_the_events_name_can_be_an_attribute_too() -> None:
    span = judged({"relevance": good(0.9)})
    for forms, expected in ((Forms(), None), (Forms(event_name_attribute=True), "gen_ai.evaluation.result")):
        record = evaluation_events([span], NOW, forms).resource_logs[0].scope_logs[0].log_records[0]
        assert decode_attributes(record.attributes).get("event.name") == expected
