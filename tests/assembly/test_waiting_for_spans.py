"""What is held, until when, and that the rest never waits."""

import pytest
from assembly_samples import assembled, by_span, counted, llm, new_assembler, put, retriever, span, texts

from otel_agent_eval.assembly.assembler import Limits
from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.evaluation.evaluation import Reason

ANSWER = "The Eiffel Tower is 330 metres tall."
TOWER = "The Eiffel Tower is 330 metres tall and stands in Paris."


@pytest.mark.parametrize("role", [r for r in Role if r is not Role.LLM])
def test_a_span_without_an_answer_never_waits(role: Role) -> None:
    assembler = new_assembler()
    assert put(assembler, [span("a", role, "unknown")]) == []
    assert assembler.next_due() is None
    assert assembler.held == 0


def test_a_call_whose_ancestry_is_known_leaves_at_once() -> None:
    assembler = new_assembler()
    put(
        assembler,
        [
            retriever("retriever", "agent", TOWER, at=(1, 2)),
            llm("call", "agent", at=(3, 9), asked="How tall?", answer=ANSWER),
            span("agent", Role.AGENT, "request"),
            span("request", None),
        ],
    )
    assert texts(by_span(assembler.ready(0.0))["call"]) == [TOWER]
    assert assembler.held == 0


def test_a_call_waits_for_its_ancestry_up_to_the_root() -> None:
    assembler = new_assembler()
    assert put(assembler, [llm("call", "step", at=(3, 9), asked="How tall?", answer=ANSWER)]) == ["call"]
    assert assembler.ready(0.0) == []
    put(assembler, [retriever("retriever", "agent", TOWER, at=(1, 2)), span("step", None, "agent")], 1.0)
    assert assembler.ready(1.0) == []
    put(assembler, [span("agent", Role.AGENT, "request")], 2.0)
    assert assembler.ready(2.0) == []
    put(assembler, [span("request", None)], 3.0)
    assert texts(by_span(assembler.ready(3.0))["call"]) == [TOWER]


def test_a_call_whose_root_never_comes_leaves_after_context_wait() -> None:
    assembler = new_assembler(Limits(context_wait=6.0))
    put(assembler, [llm("call", "remote", at=(3, 9), asked="How tall?", answer=ANSWER)], now=100.0)
    assert assembler.next_due() == 106.0
    assert assembler.ready(105.9) == []
    assert counted(by_span(assembler.ready(106.0))) == {"call"}
    assert assembler.next_due() is None


def test_ancestry_runs_through_plain_spans_that_came_before() -> None:
    assembler = new_assembler()
    put(assembler, [span("step", None, "request"), span("request", None)])
    assembler.ready(0.0)
    put(assembler, [llm("call", "step", at=(3, 9), asked="How tall?", answer=ANSWER)], 1.0)
    assert counted(by_span(assembler.ready(1.0))) == {"call"}


def test_a_call_that_comes_after_its_parent_waits_for_what_else_may_be_late() -> None:
    assembler = new_assembler()
    put(assembler, [span("agent", Role.AGENT)])
    assembler.ready(0.0)
    put(assembler, [llm("call", "agent", at=(3, 9), asked="How tall?", answer=ANSWER)], 1.0)
    assert assembler.ready(1.0) == []
    put(assembler, [retriever("retriever", "agent", TOWER, at=(1, 2))], 2.0)
    assert texts(by_span(assembler.ready(7.0))["call"]) == [TOWER]


def test_a_wrapper_of_which_nothing_below_is_known_waits_for_it() -> None:
    assembler = new_assembler()
    assert put(assembler, [span("agent", Role.AGENT, answers=(ANSWER,))]) == ["agent"]
    assert assembler.ready(0.0) == []
    put(assembler, [llm("call", "agent", at=(3, 9), asked="How tall?", answer=ANSWER)], 1.0)
    found = by_span([*assembler.ready(6.0), *assembler.ready(7.0)])
    assert counted(found) == {"call"}
    assert found["agent"].duplicate_of == "call"


def test_an_agent_without_content_waits_for_log_records_only_where_its_calls_are_not_recorded() -> None:
    assembler = new_assembler()
    with_call = [
        llm("call", "agent", at=(3, 9), answer=ANSWER),
        span("agent", Role.AGENT, attributes={"in_logs": True}),
    ]
    assert put(assembler, with_call) == ["call", "agent"]
    assert {c.span_id for c in assembler.ready(0.0)} == {"call", "agent"}
    assert put(assembler, [span("bare", Role.AGENT, attributes={"in_logs": True}, trace="other")]) == ["bare"]
    assert assembler.ready(0.0) == []
    assert [c.span_id for c in assembler.ready(6.0)] == ["bare"]


def test_a_step_is_let_go_without_a_word() -> None:
    assembler = new_assembler()
    step = span("step", Role.CHAIN, "chain", at=(1, 2), answers=("some text",))
    assert put(assembler, [step, llm("call", "chain", at=(3, 9), answer=ANSWER), span("chain", Role.CHAIN)]) == [
        "step",
        "call",
    ]
    (released,) = [c for c in assembler.ready(0.0) if c.span_id == "step"]
    assert (released.interactions, released.skipped) == ((), None)


def test_every_held_span_is_handed_out_once() -> None:
    assembler = new_assembler()
    samples = [
        span("step", Role.CHAIN, "chain", at=(1, 2), answers=("some text",)),
        llm("call", "chain", at=(3, 9), answer=ANSWER),
        llm("orphan", "elsewhere", at=(3, 9), answer=ANSWER),
        span("chain", Role.CHAIN, answers=(ANSWER,)),
    ]
    held = put(assembler, samples)
    handed_out = [c.span_id for now in (0.0, 6.0, 7.0) for c in assembler.ready(now)]
    assert sorted(handed_out) == sorted(held)
    assert assembler.flush() == []


def test_a_span_sent_again_is_not_taken_again() -> None:
    assembler = new_assembler()
    call = llm("call", at=(3, 9), asked="How tall?", answer=ANSWER)
    assert put(assembler, [call, call]) == ["call"]
    assert len(assembler.ready(0.0)) == 1
    assert put(assembler, [call], 1.0) == []
    assert assembler.ready(10.0) == []


def test_a_flush_hands_out_everything_with_what_is_known() -> None:
    assembler = new_assembler()
    put(assembler, [llm("call", "agent", at=(3, 9), attributes={"in_logs": True}), span("agent", Role.AGENT)])
    assert by_span(assembler.flush())["call"].skipped is Reason.CONTENT_NOT_CAPTURED
    assert assembler.held == 0
    assert assembler.next_due() is None


def test_traces_do_not_meet_though_their_span_ids_do() -> None:
    assembler = new_assembler()
    put(assembler, [retriever("retriever", "root", TOWER, at=(1, 2), trace="one"), span("root", None, trace="one")])
    put(assembler, [llm("call", "root", at=(3, 9), answer=ANSWER, trace="two"), span("root", None, trace="two")])
    assert texts(by_span(assembler.flush())["call"]) == []


@pytest.mark.parametrize("parents", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "b"}])
def test_spans_that_are_their_own_ancestors_are_survived(parents: dict[str, str]) -> None:
    samples = [llm(name, parent, at=(1, 9), asked="?", answer=ANSWER) for name, parent in parents.items()]
    found = assembled(*samples)
    assert set(found) == set(parents)
    assert len(counted(found)) >= 1
