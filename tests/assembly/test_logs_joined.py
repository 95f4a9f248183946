"""Content in log records joins its span, whether it comes long before it or long after."""

import pytest
from assembly_samples import by_span, counted, llm, new_assembler, only, put, said, span

from otel_agent_eval.assembly.assembler import Limits
from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.conventions.span import EventView
from otel_agent_eval.evaluation.evaluation import Reason

ANSWER = "The Eiffel Tower is 330 metres tall."
ASKED = said("gen_ai.user.message", "How tall?", 1)
ANSWERED = said("gen_ai.choice", ANSWER, 2)
CALL = llm("call", at=(3, 9), attributes={"in_logs": True})


def test_records_that_came_minutes_before_their_span() -> None:
    assembler = new_assembler()
    assembler.add_log("trace", "call", ASKED, 0.0)
    assembler.add_log("trace", "call", ANSWERED, 200.0)
    assembler.ready(200.0)
    put(assembler, [CALL], 201.0)
    interaction = only(by_span(assembler.ready(201.0))["call"])
    assert (interaction.question, interaction.answer) == ("How tall?", ANSWER)


def test_records_that_come_while_their_span_waits() -> None:
    assembler = new_assembler()
    assembler.add_log("trace", "call", ASKED, 0.0)
    assert put(assembler, [CALL], 1.0) == ["call"]
    assert assembler.ready(1.0) == []
    assembler.add_log("trace", "call", ANSWERED, 2.0)
    interaction = only(by_span(assembler.ready(2.0))["call"])
    assert (interaction.question, interaction.answer) == ("How tall?", ANSWER)


def test_records_in_any_order_are_read_in_order_of_time() -> None:
    assembler = new_assembler()
    put(assembler, [CALL])
    assembler.ready(0.0)
    assembler.add_log("trace", "call", said("gen_ai.choice", "second", 3), 1.0)
    assembler.add_log("trace", "call", said("gen_ai.choice", "first", 2), 1.0)
    assert [i.answer for i in by_span(assembler.ready(1.0))["call"].interactions] == ["first", "second"]


def test_a_span_whose_records_never_come_leaves_without_content() -> None:
    assembler = new_assembler(Limits(context_wait=6.0))
    put(assembler, [CALL])
    assert assembler.ready(5.9) == []
    assert by_span(assembler.ready(6.0))["call"].skipped is Reason.CONTENT_NOT_CAPTURED


def test_a_span_that_records_no_content_anywhere_does_not_wait() -> None:
    assembler = new_assembler()
    put(assembler, [llm("call", at=(3, 9))])
    assert by_span(assembler.ready(0.0))["call"].skipped is Reason.CONTENT_NOT_CAPTURED


def test_a_failed_call_waits_for_no_content() -> None:
    assembler = new_assembler()
    put(assembler, [llm("call", at=(3, 9), attributes={"in_logs": True}, failed=True)])
    assert by_span(assembler.ready(0.0))["call"].skipped is Reason.NO_ANSWER


def test_content_still_waits_for_the_ancestry() -> None:
    assembler = new_assembler()
    put(assembler, [llm("call", "agent", at=(3, 9), attributes={"in_logs": True})])
    assembler.add_log("trace", "call", ANSWERED, 1.0)
    assert assembler.ready(1.0) == []
    put(assembler, [span("agent", Role.AGENT)], 2.0)
    assert counted(by_span(assembler.ready(2.0))) == {"call"}


def test_records_after_the_span_left_give_a_late_candidate_once() -> None:
    assembler = new_assembler()
    put(assembler, [CALL])
    first = by_span(assembler.ready(6.0))["call"]
    assert not first.late
    assembler.add_log("trace", "call", ASKED, 8.0)
    assert assembler.ready(8.0) == []
    assembler.add_log("trace", "call", ANSWERED, 9.0)
    late = by_span(assembler.ready(9.0))["call"]
    assert late.late
    assert late.skipped is None
    assert (only(late).question, only(late).answer) == ("How tall?", ANSWER)
    assembler.add_log("trace", "call", ANSWERED, 10.0)
    assert assembler.ready(10.0) == []


def test_a_late_answer_that_was_counted_elsewhere_is_no_candidate() -> None:
    assembler = new_assembler()
    put(assembler, [llm("call", "agent", at=(3, 9), attributes={"in_logs": True})])
    put(assembler, [span("agent", Role.AGENT, answers=(ANSWER,))])
    assert counted(by_span(assembler.ready(6.0))) == {"agent"}
    assembler.add_log("trace", "call", ANSWERED, 8.0)
    assert assembler.ready(8.0) == []


def test_records_are_forgotten_after_minutes() -> None:
    assembler = new_assembler(Limits(logs_kept=300.0))
    assembler.add_log("trace", "call", ANSWERED, 0.0)
    assert assembler.size > 0
    assembler.ready(300.0)
    assert assembler.size == 0


@pytest.mark.parametrize("event", [EventView("", {"code.lineno": 7}, "retrying"), EventView("exception", {}, None)])
def test_other_log_records_are_not_kept(event: EventView) -> None:
    assembler = new_assembler()
    assembler.add_log("trace", "call", event, 0.0)
    assert assembler.size == 0


def test_records_do_not_change_a_span_that_has_its_content() -> None:
    assembler = new_assembler()
    put(assembler, [llm("call", "agent", at=(3, 9), asked="?", answer="on the span")])
    assembler.add_log("trace", "call", ANSWERED, 0.0)
    put(assembler, [span("agent", Role.AGENT)])
    assert only(by_span(assembler.ready(0.0))["call"]).answer == "on the span"
