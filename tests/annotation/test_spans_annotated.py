from typing import Any

import pytest
from annotation_samples import EVALUATORS, good, judged, skipped, toxic
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_agent_eval.annotation.catalogue import MAX_EVIDENCE_ITEMS, MAX_TEXT
from otel_agent_eval.annotation.result import Forms
from otel_agent_eval.annotation.spans import annotate
from otel_agent_eval.conventions.span import decode_attributes
from otel_agent_eval.evaluation.evaluation import Direction, Evaluation, Failed, Reason, Scored, Skipped, label

PLAIN = Forms()
EVERYTHING = Forms(openinference=True, span_events=True, explanations=True)


def text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def written(span: Span) -> dict[str, Any]:
    keys = [pair.key for pair in span.attributes]
    assert len(keys) == len(set(keys)), "an attribute was written twice"
    return decode_attributes(span.attributes)


def test_a_scored_answer_carries_exactly_the_documented_attributes() -> None:
    span = Span(attributes=[text("gen_ai.operation.name", "chat")])
    choice = {
        "toxicity": toxic(0.93, categories=("insult", "threat")),
        "input_toxicity": Skipped(Reason.NO_QUESTION),
        "faithfulness": good(0.25, unsupported=("It never rains.",), documents=("d1", "d2")),
        "relevance": Failed("TimeoutError"),
    }
    annotate(span, judged(choice), PLAIN)
    assert written(span) == {
        "gen_ai.operation.name": "chat",
        "agent_eval.label": "fail",
        "agent_eval.toxicity.outcome": "scored",
        "agent_eval.toxicity.evaluator": "builtin/toxicity@3",
        "agent_eval.toxicity.score": 0.93,
        "agent_eval.toxicity.label": "fail",
        "agent_eval.toxicity.threshold": 0.8,
        "agent_eval.toxicity.categories": ["insult", "threat"],
        "agent_eval.input_toxicity.outcome": "skipped",
        "agent_eval.input_toxicity.evaluator": "builtin/toxicity@3",
        "agent_eval.input_toxicity.reason": "no_question",
        "agent_eval.faithfulness.outcome": "scored",
        "agent_eval.faithfulness.evaluator": "builtin/faithfulness@2",
        "agent_eval.faithfulness.score": 0.25,
        "agent_eval.faithfulness.label": "fail",
        "agent_eval.faithfulness.threshold": 0.5,
        "agent_eval.faithfulness.unsupported": ["It never rains."],
        "agent_eval.faithfulness.documents": ["d1", "d2"],
        "agent_eval.relevance.outcome": "failed",
        "agent_eval.relevance.evaluator": "builtin/relevance@1",
        "agent_eval.relevance.reason": "TimeoutError",
    }


def test_scores_and_thresholds_are_doubles_even_when_they_are_whole() -> None:
    span = Span()
    evaluation = Scored(score=1, threshold=1, label=label(1, 1, Direction.HIGHER_IS_BETTER))
    annotate(span, judged({"relevance": evaluation}), PLAIN)
    kinds = {pair.key: pair.value.WhichOneof("value") for pair in span.attributes}
    assert kinds["agent_eval.relevance.score"] == kinds["agent_eval.relevance.threshold"] == "double_value"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"toxicity": toxic(0.1), "relevance": good(0.9)}, "pass"),
        ({"toxicity": toxic(0.1), "relevance": good(0.1)}, "fail"),
        ({"toxicity": toxic(0.1), "input_toxicity": toxic(0.99)}, "pass"),
        ({"input_toxicity": toxic(0.99)}, None),
        ({"toxicity": Failed("RuntimeError")}, None),
        ({"toxicity": Skipped(Reason.DEADLINE)}, None),
        ({}, None),
    ],
)
def test_the_answers_label_comes_from_what_judges_answers(choice: dict[str, Evaluation], expected: str | None) -> None:
    span = Span()
    annotate(span, judged(choice), PLAIN)
    assert written(span).get("agent_eval.label") == expected


def test_of_several_choices_the_worst_stands_on_the_span() -> None:
    span = Span()
    choices = (
        {"toxicity": toxic(0.1), "relevance": good(0.9)},
        {"toxicity": toxic(0.95, categories=("threat",)), "relevance": Failed("RuntimeError")},
        {"toxicity": toxic(0.85), "faithfulness": good(0.7)},
    )
    annotate(span, judged(*choices), PLAIN)
    attributes = written(span)
    assert attributes["agent_eval.label"] == "fail"
    assert attributes["agent_eval.toxicity.score"] == 0.95
    assert attributes["agent_eval.toxicity.categories"] == ["threat"]
    assert attributes["agent_eval.relevance.outcome"] == "failed"
    assert attributes["agent_eval.faithfulness.score"] == 0.7


def test_a_failed_choice_fails_the_answer_even_where_another_evaluation_broke() -> None:
    span = Span()
    annotate(span, judged({"toxicity": toxic(0.9)}, {"toxicity": Failed("RuntimeError")}), PLAIN)
    assert written(span)["agent_eval.label"] == "fail"


def test_a_duplicate_names_the_answer_that_counts_and_carries_no_label() -> None:
    span = Span()
    annotate(span, skipped(Reason.DUPLICATE, duplicate_of="00f067aa0ba902b7"), PLAIN)
    attributes = written(span)
    assert attributes["agent_eval.duplicate_of"] == "00f067aa0ba902b7"
    assert {attributes[f"agent_eval.{name}.reason"] for name in EVALUATORS} == {"duplicate"}
    assert not any(key.endswith((".label", ".score")) for key in attributes)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_span_that_was_not_scored_says_why(reason: Reason) -> None:
    span = Span()
    annotate(span, skipped(reason), PLAIN)
    attributes = written(span)
    for name in EVALUATORS:
        assert attributes[f"agent_eval.{name}.outcome"] == "skipped"
        assert attributes[f"agent_eval.{name}.reason"] == reason


def test_an_earlier_annotation_is_replaced() -> None:
    span = Span(
        attributes=[
            text("agent_eval.label", "pass"),
            text("llm.model_name", "m"),
            text("agent_eval.politeness.label", "pass"),
            text("agent_eval.duplicate_of", "00f067aa0ba902b7"),
            text("agent_evaluation", "not ours"),
        ]
    )
    annotate(span, judged({"toxicity": toxic(0.9)}), PLAIN)
    attributes = written(span)
    assert attributes["agent_eval.label"] == "fail"
    assert "agent_eval.politeness.label" not in attributes
    assert "agent_eval.duplicate_of" not in attributes
    assert attributes["llm.model_name"] == "m"
    assert attributes["agent_evaluation"] == "not ours"


def test_evidence_is_cut_to_the_declared_limits_and_says_so() -> None:
    span = Span()
    sentences = tuple(f"{number} " + "x" * 2 * MAX_TEXT for number in range(MAX_EVIDENCE_ITEMS + 5))
    annotate(span, judged({"faithfulness": good(0.1, unsupported=sentences, documents=("d",))}), PLAIN)
    attributes = written(span)
    kept = attributes["agent_eval.faithfulness.unsupported"]
    assert len(kept) == MAX_EVIDENCE_ITEMS
    assert all(len(sentence) == MAX_TEXT and sentence.endswith("…") for sentence in kept)
    assert attributes["agent_eval.faithfulness.evidence_cut"] is True


def test_text_that_utf8_cannot_hold_is_written_with_a_replacement() -> None:
    span = Span()
    annotate(span, judged({"faithfulness": good(0.1, unsupported=("caf\u00e9 \ud800!",))}), PLAIN)
    assert written(span)["agent_eval.faithfulness.unsupported"] == ["caf\u00e9 ?!"]
    assert "evidence_cut" not in str(span)


def test_openinference_evaluations_follow_those_of_others() -> None:
    span = Span(
        attributes=[
            text("evaluations.4.evaluation.name", "tone"),
            text("evaluations.4.evaluation.label", "fine"),
            text("evaluations.x.evaluation.name", "odd"),
        ]
    )
    choice = {"toxicity": toxic(0.9), "relevance": Skipped(Reason.NO_QUESTION), "faithfulness": good(0.7)}
    for _ in range(2):
        annotate(span, judged(choice), Forms(openinference=True))
        attributes = {key: value for key, value in written(span).items() if key.startswith("evaluations.")}
        assert attributes == {
            "evaluations.4.evaluation.name": "tone",
            "evaluations.4.evaluation.label": "fine",
            "evaluations.x.evaluation.name": "odd",
            "evaluations.5.evaluation.name": "toxicity",
            "evaluations.5.evaluation.score": 0.9,
            "evaluations.5.evaluation.label": "fail",
            "evaluations.5.evaluation.annotator_kind": "CODE",
            "evaluations.5.evaluation.identifier": "otel-agent-eval/builtin/toxicity@3",
            "evaluations.6.evaluation.name": "faithfulness",
            "evaluations.6.evaluation.score": 0.7,
            "evaluations.6.evaluation.label": "pass",
            "evaluations.6.evaluation.annotator_kind": "CODE",
            "evaluations.6.evaluation.identifier": "otel-agent-eval/builtin/faithfulness@2",
        }


def test_span_events_are_written_once_for_each_choice_and_leave_others_alone() -> None:
    span = Span(end_time_unix_nano=99)
    span.events.add(name="exception")
    span.events.add(name="gen_ai.evaluation.result", attributes=[text("gen_ai.evaluation.name", "by the application")])
    choices = ({"toxicity": toxic(0.1)}, {"toxicity": toxic(0.9), "relevance": Skipped(Reason.NO_QUESTION)})
    for _ in range(2):
        annotate(span, judged(*choices), Forms(span_events=True))
    own = [event for event in span.events if any(pair.key == "agent_eval.choice" for pair in event.attributes)]
    assert len(span.events) == 4
    assert [event.time_unix_nano for event in own] == [99, 99]
    assert [decode_attributes(event.attributes)["agent_eval.choice"] for event in own] == [0, 1]


scores = st.floats(0, 1)
texts = st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates too
evaluations = st.one_of(
    st.builds(
        lambda score, threshold, explanation, evidence: Scored(
            score=score,
            threshold=threshold,
            label=label(score, threshold, Direction.HIGHER_IS_WORSE),
            explanation=explanation,
            evidence=evidence,
        ),
        scores,
        scores,
        texts,
        st.dictionaries(
            st.sampled_from(["categories", "unsupported", "documents"]), st.lists(texts, max_size=12).map(tuple)
        ),
    ),
    st.sampled_from(Reason).map(Skipped),
    texts.map(Failed),
)
choices = st.lists(st.dictionaries(st.sampled_from(list(EVALUATORS)), evaluations), max_size=3)


@given(choices)
def test_annotating_twice_is_annotating_once(verdicts: list[dict[str, Evaluation]]) -> None:
    span = Span(name="chat", attributes=[text("a", "b")])
    annotate(span, judged(*verdicts), EVERYTHING)
    once = span.SerializeToString(deterministic=True)
    annotate(span, judged(*verdicts), EVERYTHING)
    assert span.SerializeToString(deterministic=True) == once
    assert written(span)["a"] == "b"


@given(choices)
def test_only_scored_evaluations_have_a_score(verdicts: list[dict[str, Evaluation]]) -> None:
    span = Span()
    annotate(span, judged(*verdicts), PLAIN)
    attributes = written(span)
    for name in EVALUATORS:
        outcome = attributes.get(f"agent_eval.{name}.outcome")
        assert (outcome == "scored") == (f"agent_eval.{name}.score" in attributes)
        assert (outcome in ("skipped", "failed")) == (f"agent_eval.{name}.reason" in attributes)
