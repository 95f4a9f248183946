"""What several conventions say of one span becomes one account, with its provenance."""

import json
from typing import Any

import pytest
from convention_spans import make_span

from otel_agent_eval.conventions import read
from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.conventions.span import EventView
from otel_agent_eval.evaluation.interaction import Part

Q, A = "How tall is it?", "It is 330 metres tall."


def message(role: str, content: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": content}]}])


def test_a_span_of_no_convention_says_nothing() -> None:
    found = read(make_span({"http.request.method": "GET", "thread.id": 3}, name="GET /"))
    assert (found.convention, found.role, found.keys) == ("", Role.OTHER, ())


def test_each_part_comes_from_the_first_convention_that_has_it() -> None:
    found = read(
        make_span(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.input.messages": message("user", Q),
                "openinference.span.kind": "LLM",
                "llm.input_messages.0.message.content": "something else",
                "llm.output_messages.0.message.content": A,
            }
        )
    )
    assert (found.turns, found.answers) == ((("user", Q),), (A,))
    assert found.convention == "openinference"  # where the answer stands
    assert {"gen_ai.input.messages", "llm.output_messages.0.message.content"} <= set(found.keys)


def test_one_content_in_two_conventions_is_read_once() -> None:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.output.messages": message("assistant", A), "output.value": A}
    found = read(make_span(attributes))
    assert (found.answers, found.convention, found.keys) == ((A,), "otel_genai", ("gen_ai.output.messages",))


def test_logs_do_not_repeat_what_the_span_says() -> None:
    content = {"gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": A}]}]}
    span = make_span(
        {"gen_ai.operation.name": "chat", "gen_ai.output.messages": message("assistant", A)},
        [EventView("gen_ai.client.inference.operation.details", content)],
    )
    assert read(span).answers == (A,)


@pytest.mark.parametrize(
    ("attributes", "question"),
    [
        ({"gen_ai.input.messages.0.message.role": "user", "gen_ai.input.messages.0.message.content": Q}, Q),
        ({"gen_ai.input.messages": json.dumps([{"message.role": "user", "message.content": Q}])}, Q),
        (
            {
                "gen_ai.operation.name": "invoke_workflow",
                "gen_ai.input.messages": json.dumps({"inputs": {"question": Q}}),
            },
            Q,
        ),
        (
            {
                "gen_ai.operation.name": "invoke_workflow",
                "gen_ai.input.messages": message("user", json.dumps({"input": Q})),
            },
            Q,
        ),
    ],
)
def test_half_normalised_spans_are_read(attributes: dict[str, Any], question: str) -> None:
    found = read(make_span(attributes))
    assert (found.question or found.turns[-1].text) == question


def test_several_choices_are_kept_apart() -> None:
    choices = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": c}]} for c in (A, "330 m.")])
    assert read(make_span({"gen_ai.operation.name": "chat", "gen_ai.output.messages": choices})).answers == (
        A,
        "330 m.",
    )


def test_pieces_of_a_stream_sent_as_messages_are_one_answer() -> None:
    words = ["It", " is", " three", " hundred", " and", " thirty", " metres", " tall."]
    pieces = {f"llm.output_messages.{i}.message.content": word for i, word in enumerate(words)}
    found = read(make_span({"openinference.span.kind": "LLM", **pieces}))
    assert found.answers == ("It is three hundred and thirty metres tall.",)


def test_a_value_cut_in_its_json_is_salvaged_and_marked() -> None:
    found = read(
        make_span(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.input.messages": message("user", Q),
                "gen_ai.output.messages": message("assistant", A)[:70],
            }
        )
    )
    assert A.startswith(found.answers[0])
    assert found.truncated == {Part.ANSWER}


def test_a_plain_value_as_long_as_one_cut_in_its_json_is_marked() -> None:
    given = json.dumps({"messages": [{"role": "user", "content": Q * 9}]})[:64]
    found = read(
        make_span(
            {
                "openinference.span.kind": "LLM",
                "input.value": given,
                "llm.input_messages.0.message.content": Q,
                "llm.output_messages.0.message.content": ("a b " * 40)[:64],
            }
        )
    )
    assert found.truncated == {Part.ANSWER}


def test_a_part_that_is_cut_in_one_convention_and_whole_in_the_one_read_is_not_marked() -> None:
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.output_messages.0.message.content": A,
        "output.value": json.dumps({"choices": [{"message": {"content": A * 5}}]})[:64],
    }
    found = read(make_span(attributes))
    assert (found.answers, found.truncated) == ((A,), frozenset())


def test_dropped_attributes_that_leave_a_gap_mark_what_they_held() -> None:
    attributes = {"openinference.span.kind": "RETRIEVER", "retrieval.documents.2.document.content": "The third."}
    assert read(make_span(attributes, dropped=4)).truncated == {Part.DOCUMENTS}
    assert read(make_span(attributes)).truncated == frozenset()


@pytest.mark.parametrize("placeholder", ["__REDACTED__", "", "{}", "N/A", "<not serializable>"])
def test_hidden_content_is_not_captured(placeholder: str) -> None:
    found = read(make_span({"openinference.span.kind": "LLM", "input.value": placeholder, "output.value": placeholder}))
    assert (found.convention, found.turns, found.answers, found.output_captured) == ("openinference", (), (), False)


def test_content_that_lies_elsewhere_is_named() -> None:
    reference = {"gen_ai.operation.name": "chat", "gen_ai.output.messages_ref": "gs://bucket/1_output.jsonl"}
    assert read(make_span(reference)).by_reference
    assert not read(make_span({**reference, "gen_ai.output.messages": message("assistant", A)})).by_reference


def test_an_empty_output_was_captured() -> None:
    found = read(make_span({"gen_ai.operation.name": "chat", "gen_ai.output.messages": "[]"}))
    assert (found.answers, found.output_captured) == ((), True)


def test_prompt_variables_give_the_question_and_themselves() -> None:
    found = read(
        make_span(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.input.messages": message("user", f"Context: The text. Question: {Q}"),
                "gen_ai.prompt.variable.context": "The text.",
                "gen_ai.prompt.variable.question": Q,
            }
        )
    )
    assert found.question == Q
    assert found.variables == {"context": "The text.", "question": Q}


def test_structured_values_are_read_as_json_text_is() -> None:
    structured = [{"role": "assistant", "parts": [{"type": "text", "content": A}]}]
    assert read(make_span({"gen_ai.operation.name": "chat", "gen_ai.output.messages": structured})).answers == (A,)


def test_a_function_that_retrieved_is_a_retriever_by_its_name_and_what_it_returned() -> None:
    attributes = {
        "traceloop.span.kind": "task",
        "traceloop.entity.output": json.dumps(["The tower is 330 metres tall."]),
    }
    assert read(make_span(attributes, name="retrieve_context.task")).role == Role.RETRIEVER
    assert read(make_span(attributes, name="rewrite.task")).role == Role.CHAIN


def test_a_model_that_stopped_at_its_length_was_not_cut_by_telemetry() -> None:
    cut = json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": "It is"}], "finish_reason": "length"}]
    )
    assert not read(make_span({"gen_ai.operation.name": "chat", "gen_ai.output.messages": cut})).truncated
