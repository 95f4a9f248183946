"""Which of the spans that hold an answer are evaluated, and why the others are not."""

import pytest
from assembly_samples import Sample, assembled, counted, llm, only, retriever, span

from otel_agent_eval.assembly.selection import Verdict
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.evaluation.evaluation import Reason
from otel_agent_eval.evaluation.interaction import Turn

ANSWER = "The Eiffel Tower is 330 metres tall."
LONG = "The tower, which was built for the world's fair of 1889, is 330 metres tall. " * 5
OTHER = "I would rather not talk about towers today."


def test_a_model_call_with_text_counts() -> None:
    found = assembled(llm("call", at=(0, 9), asked="How tall?", answer=ANSWER))
    assert only(found["call"]).answer == ANSWER
    assert counted(found) == {"call"}


def test_every_choice_is_an_interaction_of_its_own() -> None:
    found = assembled(llm("call", at=(0, 9), asked="How tall?", answers=(ANSWER, OTHER)))
    assert [(i.choice, i.answer) for i in found["call"].interactions] == [(0, ANSWER), (1, OTHER)]


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (llm("call", at=(0, 9), asked="Weather?", tool_call=True, output_captured=True), Reason.NO_ANSWER),
        (llm("call", at=(0, 9), asked="Weather?", failed=True), Reason.NO_ANSWER),
        (llm("call", at=(0, 9), asked="Weather?", output_captured=True), Reason.NO_ANSWER),
        (llm("call", at=(0, 9)), Reason.CONTENT_NOT_CAPTURED),
        (llm("call", at=(0, 9), by_reference=True), Reason.BY_REFERENCE),
        (span("call", Role.AGENT, by_reference=True), Reason.BY_REFERENCE),
    ],
)
def test_a_span_without_text_says_why(sample: Sample, reason: Reason) -> None:
    found = assembled(sample)
    assert found["call"].skipped is reason
    assert only(found["call"]).by_reference == (reason is Reason.BY_REFERENCE)


def test_a_span_without_an_answer_still_says_what_was_asked() -> None:
    found = assembled(llm("call", at=(0, 9), asked="Weather?", tool_call=True))
    assert only(found["call"]).question == "Weather?"


def test_text_beside_a_tool_call_is_shown() -> None:
    found = assembled(llm("call", at=(0, 9), asked="Weather?", answer="Let me look.", tool_call=True))
    assert counted(found) == {"call"}


@pytest.mark.parametrize(
    "role", [Role.RETRIEVER, Role.RERANKER, Role.TOOL, Role.EMBEDDING, Role.GUARDRAIL, Role.EVALUATOR, Role.MEMORY]
)
def test_a_model_call_below_a_helper_is_not_user_facing(role: Role) -> None:
    found = assembled(
        llm("rewrite", "plain", at=(2, 3), asked="How tall?", answer="eiffel tower height"),
        span("plain", None, "helper"),
        span("helper", role, "agent", at=(1, 4)),
        llm("call", "agent", at=(5, 9), asked="How tall?", answer=ANSWER),
        span("agent", Role.AGENT, answers=(ANSWER,)),
    )
    assert found["rewrite"].skipped is Reason.NOT_USER_FACING
    assert counted(found) == {"call"}


@pytest.mark.parametrize("role", [Role.GUARDRAIL, Role.EVALUATOR])
def test_guards_are_left_alone(role: Role) -> None:
    assert assembled(span("guard", role, answers=("safe",), documents=())) == {}


def test_an_agent_used_as_a_tool_is_not_user_facing() -> None:
    found = assembled(
        llm("inner", "helper", at=(2, 3), asked="Look up towers", answer="Towers are tall buildings."),
        span("helper", Role.AGENT, "tool", at=(1, 4), answers=("Towers are tall buildings.",)),
        span("tool", Role.TOOL, "agent", at=(1, 4)),
        llm("call", "agent", at=(5, 9), asked="How tall?", answer=ANSWER),
        span("agent", Role.AGENT, answers=(ANSWER,)),
    )
    assert counted(found) == {"call"}
    assert found["inner"].skipped is found["helper"].skipped is Reason.NOT_USER_FACING


def test_of_several_agents_the_answer_shown_counts() -> None:
    found = assembled(
        llm(
            "research", "researcher", at=(1, 3), asked="Tall?", answer="Notes: the tower has 330 metres, says the city."
        ),
        span("researcher", Role.AGENT, "flow", at=(1, 3), answers=("Notes: the tower has 330 metres, says the city.",)),
        llm("write", "writer", at=(4, 8), asked="Write it up", answer=ANSWER),
        span("writer", Role.AGENT, "flow", at=(4, 8), answers=(ANSWER,)),
        span("flow", Role.CHAIN, answers=(ANSWER,)),
    )
    assert counted(found) == {"write"}
    assert found["research"].skipped is found["researcher"].skipped is Reason.NOT_USER_FACING
    assert found["flow"].duplicate_of == "write"


def test_where_nothing_is_known_of_the_outermost_answer_each_counts() -> None:
    found = assembled(
        llm("research", "researcher", at=(1, 3), answer="Notes on the tower."),
        span("researcher", Role.AGENT, "flow", at=(1, 3)),
        llm("write", "writer", at=(4, 8), answer=ANSWER),
        span("writer", Role.AGENT, "flow", at=(4, 8)),
        span("flow", Role.CHAIN),
    )
    assert counted(found) == {"research", "write"}


def test_an_answer_that_the_agent_replaced_counts_there() -> None:
    found = assembled(
        llm("call", "agent", at=(1, 8), asked="How tall?", answer="You fool, go and measure it."),
        span("agent", Role.AGENT, answers=(OTHER,)),
    )
    assert counted(found) == {"agent"}
    assert found["call"].skipped is Reason.NOT_USER_FACING
    assert only(found["agent"]).question == "How tall?"


@pytest.mark.parametrize("output", ["ok", '{"documents": 4}', "How tall?", "200"])
def test_the_status_data_or_echo_of_a_chain_replaces_no_answer(output: str) -> None:
    found = assembled(
        llm("call", "chain", at=(1, 8), asked="How tall?", answer=ANSWER),
        span("chain", Role.CHAIN, question="How tall?", answers=(output,)),
    )
    assert counted(found) == {"call"}
    assert "chain" not in found


@pytest.mark.parametrize(
    "rendered",
    [
        f"  {ANSWER}\n",
        f'"{ANSWER}"',
        f"```markdown\n{ANSWER}\n```",
        f'{{"answer": "{ANSWER}", "sources": []}}',
        f"Answer: {ANSWER}",
        ANSWER[:-10],
    ],
)
def test_a_rendered_answer_is_the_same_answer(rendered: str) -> None:
    found = assembled(
        llm("call", "agent", at=(1, 8), asked="How tall?", answer=ANSWER),
        span("agent", Role.AGENT, answers=(rendered,)),
    )
    assert counted(found) == {"call"}
    assert found["agent"].duplicate_of == "call"


def test_a_wrapper_that_kept_only_the_beginning_replaced_nothing() -> None:
    found = assembled(
        llm("call", "agent", at=(1, 8), asked="How tall?", answer=LONG),
        span("agent", Role.AGENT, answers=(f"{LONG[:60]}...",)),
    )
    assert counted(found) == {"call"}


def test_turns_of_one_session_each_count() -> None:
    found = assembled(
        llm("call 1", "turn 1", at=(1, 8), asked="How tall?", answer=ANSWER),
        span("turn 1", Role.AGENT, "session", at=(1, 8), answers=(ANSWER,)),
        llm("call 2", "turn 2", at=(11, 18), asked="Who built it?", answer="Gustave Eiffel's company built it."),
        span("turn 2", Role.AGENT, "session", at=(11, 18), answers=("Gustave Eiffel's company built it.",)),
        span("session", None),
    )
    assert counted(found) == {"call 1", "call 2"}


def test_an_answer_that_the_user_went_on_from_was_shown() -> None:
    history = (Turn("user", "How tall?"), Turn("assistant", ANSWER), Turn("user", "Who built it?"))
    found = assembled(
        llm("call 1", "session", at=(1, 8), asked="How tall?", answer=ANSWER),
        llm("call 2", "session", at=(11, 18), turns=history, answer="Gustave Eiffel's company built it."),
        span("session", Role.AGENT, answers=("Gustave Eiffel's company built it.",)),
    )
    assert counted(found) == {"call 1", "call 2"}


def test_an_answer_only_on_wrappers_counts_on_the_outermost() -> None:
    found = assembled(
        span("inner", Role.AGENT, "outer", at=(3, 8), answers=(ANSWER,)),
        retriever("retriever", "outer", "The tower has 330 metres.", at=(1, 2)),
        span("outer", Role.CHAIN, question="How tall?", answers=(ANSWER,)),
    )
    assert counted(found) == {"outer"}
    assert found["inner"].duplicate_of == "outer"


def test_an_answer_on_a_wrapper_counts_where_its_model_call_recorded_none() -> None:
    found = assembled(llm("call", "agent", at=(1, 8)), span("agent", Role.AGENT, answers=(ANSWER,)))
    assert counted(found) == {"agent"}
    assert found["call"].skipped is Reason.CONTENT_NOT_CAPTURED


def test_an_answer_made_of_a_tool_call_counts_on_the_agent() -> None:
    found = assembled(
        llm("call", "agent", at=(1, 8), asked="Where?", tool_call=True),
        span("agent", Role.AGENT, answers=('{"city": "Paris"}',)),
    )
    assert counted(found) == {"agent"}


def test_steps_that_pass_data_on_are_no_answers() -> None:
    found = assembled(
        retriever("retriever", "parallel", "The tower has 330 metres.", at=(1, 2)),
        span("format", Role.CHAIN, "parallel", at=(2, 3), answers=("The tower has 330 metres.",)),
        span("parallel", Role.CHAIN, "chain", at=(1, 3), answers=('{"context": "The tower has 330 metres."}',)),
        span("prompt", Role.PROMPT, "chain", at=(3, 4)),
        llm("call", "chain", at=(4, 8), asked="How tall?", answer=ANSWER),
        span("parser", Role.CHAIN, "chain", at=(8, 9), answers=(ANSWER,)),
        span("chain", Role.CHAIN, question="How tall?", answers=(ANSWER,)),
    )
    assert counted(found) == {"call"}
    assert {"format", "parallel", "prompt"}.isdisjoint(found)
    assert found["parser"].duplicate_of == found["chain"].duplicate_of == "call"


def test_what_went_through_a_failed_chain_is_no_answer() -> None:
    found = assembled(
        span("format", Role.CHAIN, "chain", at=(2, 3), answers=("The tower has 330 metres.",)),
        llm("call", "chain", at=(4, 8), asked="How tall?", failed=True),
        span("chain", Role.CHAIN, question="How tall?", failed=True),
    )
    assert counted(found) == set()


def test_a_wrapper_that_repeats_a_tools_answer_counts_itself() -> None:
    found = assembled(
        llm("inner", "tool", at=(2, 3), answer=ANSWER),
        span("tool", Role.TOOL, "agent", at=(1, 4)),
        span("agent", Role.AGENT, question="How tall?", answers=(ANSWER,)),
    )
    assert counted(found) == {"agent"}


def select(view: SpanView, _extract: Extract) -> Verdict | None:
    return {"excluded": Verdict.EXCLUDE, "shown": Verdict.USER_FACING, "hidden": Verdict.NOT_USER_FACING}.get(view.name)


def test_a_selector_knows_the_agent_around_a_span() -> None:
    found = assembled(
        llm("call", "agent", at=(1, 9), answer=ANSWER),
        span("agent", Role.AGENT, agent="billing"),
        selector=lambda _view, extract: Verdict.EXCLUDE if extract.agent == "billing" else None,
    )
    assert found["call"].skipped is Reason.FILTERED


def test_an_intermediate_agent_can_be_selected_as_user_facing() -> None:
    found = assembled(
        span("first", Role.AGENT, "flow", at=(1, 3), answers=("Notes: the tower is high.",), name="shown"),
        llm("write", "flow", at=(4, 8), asked="Write it up", answer=ANSWER),
        span("flow", Role.CHAIN, answers=(ANSWER,)),
        selector=select,
    )
    assert counted(found) == {"first", "write"}


def test_what_an_agent_that_failed_gives_is_no_answer() -> None:
    found = assembled(span("agent", Role.AGENT, failed=True, answers=("AgentError: not resolved in 20 steps.",)))
    assert found["agent"].skipped is Reason.NO_ANSWER


def test_selectors_override_the_rules() -> None:
    found = assembled(
        llm("call 1", at=(0, 9), answer=ANSWER, name="excluded"),
        llm("call 2", "tool", at=(0, 9), answer=OTHER, name="shown", trace="b"),
        span("tool", Role.TOOL, trace="b"),
        llm("call 3", at=(0, 9), answer=ANSWER, name="hidden", trace="c"),
        selector=select,
    )
    assert found["call 1"].skipped is Reason.FILTERED
    assert counted(found) == {"call 2"}
    assert found["call 3"].skipped is Reason.NOT_USER_FACING
