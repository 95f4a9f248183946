"""One answer that several spans record counts once."""

import itertools

import pytest
from assembly_samples import assembled, by_span, counted, llm, new_assembler, put, span

from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.evaluation.evaluation import Reason
from otel_agent_eval.evaluation.interaction import Turn

ANSWER = "The Eiffel Tower is 330 metres tall."


def test_of_nested_model_calls_the_innermost_counts() -> None:
    found = assembled(
        llm("inner", "outer", at=(2, 8), asked="How tall?", answer=ANSWER, scope="client"),
        llm("outer", "agent", at=(1, 9), asked="How tall?", answer=ANSWER, scope="framework"),
        span("agent", Role.AGENT, answers=(ANSWER,)),
    )
    assert counted(found) == {"inner"}
    assert found["outer"].duplicate_of == found["agent"].duplicate_of == "inner"


def test_a_record_with_the_question_counts_before_one_without() -> None:
    found = assembled(
        llm("inner", "outer", at=(2, 8), answer=ANSWER), llm("outer", at=(1, 9), asked="How tall?", answer=ANSWER)
    )
    assert counted(found) == {"outer"}


def test_a_call_without_text_around_the_one_with_it_is_no_gap_in_capture() -> None:
    found = assembled(
        llm("stream", at=(1, 9), asked="A template: How tall?"),
        llm("inner", "stream", at=(2, 8), asked="How tall?", answer=ANSWER),
    )
    assert counted(found) == {"inner"}
    assert found["stream"].duplicate_of == "inner"


def test_a_copy_with_the_same_times_does_not_count() -> None:
    found = assembled(
        llm("copy", "call", at=(1, 9), asked="How tall?", answer=ANSWER),
        llm("call", at=(1, 9), asked="How tall?", answer=ANSWER),
    )
    assert counted(found) == {"call"}


@pytest.mark.parametrize("parent", ["outer", "agent"], ids=["child", "sibling"])
def test_a_record_without_content_of_a_recorded_call_is_its_duplicate(parent: str) -> None:
    found = assembled(
        llm("bare", parent, at=(2, 8), scope="sdk"),
        llm("outer", "agent", at=(1, 9), asked="How tall?", answer=ANSWER, scope="instrumentation"),
        span("agent", None),
    )
    assert counted(found) == {"outer"}
    assert found["bare"].duplicate_of == "outer"


def test_a_record_without_content_of_a_tool_call_has_no_answer_either() -> None:
    found = assembled(
        llm("bare", "outer", at=(2, 8), scope="sdk"), llm("outer", at=(1, 9), asked="Weather?", tool_call=True)
    )
    assert found["bare"].skipped is Reason.NO_ANSWER


def test_another_call_without_content_is_no_duplicate() -> None:
    found = assembled(
        llm("bare", "agent", at=(5, 20), scope="sdk"),
        llm("call", "agent", at=(1, 9), asked="How tall?", answer=ANSWER, scope="instrumentation"),
        span("agent", None),
    )
    assert found["bare"].skipped is Reason.CONTENT_NOT_CAPTURED


def test_siblings_of_two_instrumentations_are_one_call() -> None:
    found = assembled(
        llm("a", "agent", at=(1, 9), asked="How tall?", answer=ANSWER, scope="one"),
        llm("b", "agent", at=(2, 8), asked="How tall?", answer=ANSWER, scope="two"),
        span("agent", None),
    )
    assert counted(found) == {"b"}


def test_the_text_of_a_stream_may_be_recorded_after_its_call() -> None:
    found = assembled(
        llm("call", "root", at=(1, 4), asked="How tall?"),
        llm("text", "root", at=(9, 9), asked="How tall?", answer=ANSWER),
        llm("other", "root", at=(5, 6), asked="Who built it?"),
        span("root", None),
    )
    assert counted(found) == {"text"}
    assert found["call"].duplicate_of == "text"
    assert found["other"].skipped is Reason.CONTENT_NOT_CAPTURED


def test_parallel_calls_of_one_instrumentation_are_several() -> None:
    found = assembled(
        *(llm(f"call {n}", "agent", at=(1, 9), asked=f"question {n}", answer=ANSWER) for n in range(3)),
        span("agent", None),
    )
    assert counted(found) == {"call 0", "call 1", "call 2"}


def test_parallel_calls_recorded_twice_find_their_own_record() -> None:
    found = assembled(
        llm("a 1", "agent", at=(1, 9), asked="one?", answer=ANSWER, scope="a"),
        llm("a 2", "agent", at=(1, 9), asked="two?", answer=ANSWER, scope="a"),
        llm("b 1", "agent", at=(2, 8), asked="one?", answer=ANSWER, scope="b"),
        llm("b 2", "agent", at=(2, 8), asked="two?", answer=ANSWER, scope="b"),
        span("agent", None),
    )
    assert {s: found[s].duplicate_of for s in found} == {"a 1": "b 1", "a 2": "b 2", "b 1": "", "b 2": ""}


def test_records_of_one_response_are_one_call_wherever_they_are() -> None:
    found = assembled(
        llm("a", "task", at=(1, 9), asked="How tall?", answer=ANSWER, response_id="r-1"),
        span("task", None, "root"),
        llm("b", "root", at=(2, 8), response_id="r-1"),
        span("root", None),
    )
    assert counted(found) == {"a"}
    assert found["b"].duplicate_of == "a"


def test_the_same_answer_in_two_turns_counts_twice() -> None:
    found = assembled(
        llm("call 1", "turn 1", at=(1, 8), asked="How tall?", answer=ANSWER),
        span("turn 1", Role.AGENT, "root", at=(1, 8), answers=(ANSWER,)),
        llm("call 2", "turn 2", at=(11, 18), asked="How tall is it?", answer=ANSWER),
        span("turn 2", Role.AGENT, "root", at=(11, 18), answers=(ANSWER,)),
        span("root", None),
    )
    assert counted(found) == {"call 1", "call 2"}
    assert found["turn 1"].duplicate_of == "call 1"
    assert found["turn 2"].duplicate_of == "call 2"


def test_the_same_answer_after_each_other_under_one_agent_counts_twice() -> None:
    history = (Turn("user", "How tall?"), Turn("assistant", ANSWER), Turn("user", "Again?"))
    found = assembled(
        llm("call 1", "agent", at=(1, 8), asked="How tall?", answer=ANSWER),
        llm("call 2", "agent", at=(11, 18), turns=history, answer=ANSWER),
        span("agent", Role.AGENT, answers=(ANSWER,)),
    )
    assert counted(found) == {"call 1", "call 2"}


def test_a_duplicate_names_the_same_answer_in_every_order_of_arrival() -> None:
    samples = [
        llm("inner", "outer", at=(2, 8), asked="How tall?", answer=ANSWER, scope="client"),
        llm("bare", "outer", at=(3, 7), scope="sdk"),
        llm("outer", "agent", at=(1, 9), asked="How tall?", answer=ANSWER, scope="framework"),
        span("agent", Role.AGENT, answers=(ANSWER,)),
    ]
    for order in itertools.permutations(samples):
        found = assembled(*order)
        assert counted(found) == {"inner"}
        assert {found[s].duplicate_of for s in ("bare", "outer", "agent")} == {"inner"}


def test_what_was_counted_stays_counted_when_a_better_record_comes() -> None:
    assembler = new_assembler()
    put(assembler, [llm("outer", "agent", at=(1, 9), asked="How tall?", answer=ANSWER, scope="framework")])
    assert counted(by_span(assembler.ready(10.0))) == {"outer"}
    put(assembler, [llm("inner", "outer", at=(2, 8), asked="How tall?", answer=ANSWER, scope="client")], 11.0)
    put(assembler, [span("agent", Role.AGENT, answers=(ANSWER,))], 11.0)
    found = by_span(assembler.ready(30.0))
    assert found["inner"].duplicate_of == found["agent"].duplicate_of == "outer"


def test_an_answer_counted_on_a_wrapper_is_not_counted_again_on_its_call() -> None:
    assembler = new_assembler()
    put(assembler, [span("agent", Role.AGENT, answers=(ANSWER,))])
    assert counted(by_span(assembler.ready(10.0))) == {"agent"}
    put(assembler, [llm("call", "agent", at=(1, 9), asked="How tall?", answer=ANSWER)], 11.0)
    assert by_span(assembler.ready(30.0))["call"].duplicate_of == "agent"
