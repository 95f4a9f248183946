"""Which documents an answer is judged by: by ancestry, never by time alone."""

import json

import pytest
from assembly_samples import assembled, documents, llm, only, retriever, span, texts

from otel_agent_eval.assembly.documents import MAX_DOCUMENTS
from otel_agent_eval.assembly.trace import MAX_VISITS
from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.evaluation.interaction import Document, Part, Turn

TOWER = "The Eiffel Tower is 330 metres tall and stands in Paris."
FUJI = "Mount Fuji is 3776 metres tall and is the highest mountain in Japan."
LOUVRE = "The Louvre museum in Paris holds the Mona Lisa."


def test_a_retriever_beside_the_call_under_its_agent() -> None:
    found = assembled(
        retriever("retriever", "agent", TOWER, FUJI, at=(1, 2)),
        llm("call", "agent", at=(3, 9), asked="How tall?", answer="330 metres."),
        span("agent", Role.AGENT),
    )
    assert texts(found["call"]) == [TOWER, FUJI]
    assert {d.span_id for d in only(found["call"]).documents} == {"retriever"}


def test_a_retriever_deep_in_a_branch_of_the_chain() -> None:
    found = assembled(
        retriever("retriever", "sequence", TOWER, at=(1, 2)),
        span("sequence", Role.CHAIN, "parallel", at=(1, 3)),
        span("parallel", Role.CHAIN, "chain", at=(1, 3)),
        llm("call", "chain", at=(4, 9), asked="How tall?", answer="330 metres."),
        span("chain", Role.CHAIN),
    )
    assert texts(found["call"]) == [TOWER]


def test_a_retriever_in_another_step_of_a_graph() -> None:
    found = assembled(
        retriever("retriever", "retrieve", TOWER, at=(1, 2)),
        span("retrieve", Role.CHAIN, "graph", at=(1, 3)),
        llm("grade", "grader", at=(4, 5), asked="Is this relevant?", answer="yes"),
        span("grader", Role.CHAIN, "graph", at=(4, 5)),
        llm("call", "generate", at=(6, 9), asked="How tall?", answer="330 metres."),
        span("generate", Role.CHAIN, "graph", at=(6, 9)),
        span("graph", Role.CHAIN),
    )
    assert texts(found["call"]) == [TOWER]


def test_a_retriever_in_front_of_the_agent_in_its_workflow() -> None:
    found = assembled(
        retriever("retriever", "flow", TOWER, at=(1, 2)),
        llm("call", "agent", at=(4, 9), asked="How tall?", answer="330 metres."),
        span("agent", Role.AGENT, "flow", at=(3, 9)),
        span("flow", Role.CHAIN),
    )
    assert texts(found["call"]) == [TOWER]


def test_spans_of_no_convention_in_between_change_nothing() -> None:
    found = assembled(
        retriever("retriever", "http 1", TOWER, at=(1, 2)),
        span("http 1", None, "agent"),
        llm("call", "http 2", at=(4, 9), asked="How tall?", answer="330 metres."),
        span("http 2", None, "agent"),
        span("agent", Role.AGENT),
    )
    assert texts(found["call"]) == [TOWER]


def test_without_agents_and_chains_the_root_is_the_turn() -> None:
    found = assembled(
        retriever("retriever", "request", TOWER, at=(1, 2)),
        llm("call", "request", at=(4, 9), asked="How tall?", answer="330 metres."),
        span("request", None),
    )
    assert texts(found["call"]) == [TOWER]


def test_a_span_of_an_unknown_kind_that_was_asked_something_is_a_chain() -> None:
    found = assembled(
        retriever("retriever", "retrieve", TOWER, at=(1, 2)),
        span("retrieve", Role.OTHER, "rag", at=(1, 3)),
        llm("call", "generate", at=(4, 9), asked="How tall?", answer="330 metres."),
        span("generate", Role.CHAIN, "rag", at=(4, 9)),
        span("rag", Role.OTHER, question="How tall?"),
    )
    assert texts(found["call"]) == [TOWER]


def test_outside_the_outermost_agent_only_what_the_prompt_shows_is_used() -> None:
    outside = (
        retriever("shown", "request", TOWER, at=(1, 2)),
        retriever("other", "request", FUJI, at=(1, 2)),
        span("request", None),
    )
    found = assembled(
        llm("call", "agent", at=(4, 9), asked=f"How tall?\n\n{TOWER}", answer="330 metres."),
        span("agent", Role.AGENT, "request", at=(3, 9)),
        *outside,
    )
    assert texts(found["call"]) == [TOWER]


def test_what_was_retrieved_after_the_call_began_is_not_its() -> None:
    found = assembled(
        retriever("retriever", "agent", TOWER, at=(5, 7)),
        llm("call", "agent", at=(4, 9), asked="How tall?", answer="330 metres."),
        span("agent", Role.AGENT),
    )
    assert texts(found["call"]) == []


@pytest.mark.parametrize("root", [None, Role.CHAIN, Role.AGENT])
def test_parallel_branches_keep_their_documents(root: Role | None) -> None:
    found = assembled(
        retriever("retriever a", "branch a", TOWER, at=(1, 2)),
        llm("call a", "branch a", at=(4, 9), asked="How tall?", answer="330 metres."),
        span("branch a", Role.CHAIN, "root", at=(1, 9)),
        retriever("retriever b", "branch b", FUJI, at=(1, 2)),
        llm("call b", "branch b", at=(4, 9), asked="How high?", answer="3776 metres."),
        span("branch b", Role.CHAIN, "root", at=(1, 9)),
        llm("call c", "branch c", at=(4, 9), asked="Who are you?", answer="A bot."),
        span("branch c", Role.CHAIN, "root", at=(1, 9)),
        span("root", root),
    )
    assert texts(found["call a"]) == [TOWER]
    assert texts(found["call b"]) == [FUJI]
    assert texts(found["call c"]) == []


@pytest.mark.parametrize("root", [None, Role.CHAIN])
def test_a_turn_does_not_see_what_an_earlier_one_retrieved(root: Role | None) -> None:
    found = assembled(
        retriever("retriever", "turn 1", TOWER, at=(1, 2)),
        llm("call 1", "turn 1", at=(3, 4), asked="How tall?", answer="330 metres."),
        span("turn 1", Role.AGENT, "session", at=(1, 4)),
        llm("call 2", "turn 2", at=(13, 14), asked="How high is Mount Fuji?", answer="3776 metres."),
        span("turn 2", Role.AGENT, "session", at=(11, 14)),
        span("session", root),
    )
    assert texts(found["call 1"]) == [TOWER]
    assert texts(found["call 2"]) == []


def test_turns_without_spans_of_their_own_are_told_apart_by_the_history() -> None:
    history = (Turn("user", "How tall?"), Turn("assistant", "330 metres."), Turn("user", "And Mount Fuji?"))
    found = assembled(
        retriever("retriever 1", "session", TOWER, at=(1, 2)),
        llm("call 1", "session", at=(3, 4), asked="How tall?", answer="330 metres."),
        retriever("retriever 2", "session", FUJI, at=(11, 12)),
        llm("call 2", "session", at=(13, 14), turns=history, answer="3776 metres."),
        span("session", Role.CHAIN),
    )
    assert texts(found["call 2"]) == [FUJI]


def test_turns_without_history_are_told_apart_by_what_was_looked_for() -> None:
    found = assembled(
        retriever("retriever 1", "session", TOWER, at=(1, 2), question="How tall?"),
        llm("call 1", "session", at=(3, 4), asked="How tall?", answer="330 metres."),
        retriever("retriever 2", "session", FUJI, at=(11, 12), question="And Mount Fuji?"),
        llm("call 2", "session", at=(13, 14), asked="And Mount Fuji?", answer="3776 metres."),
        span("session", Role.CHAIN),
    )
    assert texts(found["call 2"]) == [FUJI]


def test_turns_without_history_are_told_apart_by_what_the_prompt_shows() -> None:
    prompt = (Turn("system", f"Answer from this.\n{FUJI}"), Turn("user", "And Mount Fuji?"))
    found = assembled(
        retriever("retriever 1", "session", TOWER, at=(1, 2)),
        llm("call 1", "session", at=(3, 4), asked="How tall?", answer="330 metres."),
        retriever("retriever 2", "session", FUJI, at=(11, 12)),
        llm("call 2", "session", at=(13, 14), turns=prompt, answer="3776 metres."),
        span("session", Role.CHAIN),
    )
    assert texts(found["call 2"]) == [FUJI]


def test_a_loop_of_tool_calls_adds_up() -> None:
    asked = (Turn("user", "Compare them"),)
    found = assembled(
        llm("call 1", "agent", at=(1, 2), turns=asked, tool_call=True),
        retriever("search 1", "agent", TOWER, at=(3, 4), role=Role.TOOL, tool_name="web_search"),
        llm("call 2", "agent", at=(5, 6), turns=(*asked, Turn("tool", TOWER)), tool_call=True),
        retriever("search 2", "agent", FUJI, at=(7, 8), role=Role.TOOL, tool_name="web_search"),
        llm("call 3", "agent", at=(9, 10), turns=(*asked, Turn("tool", TOWER), Turn("tool", FUJI)), answer="Fuji."),
        span("agent", Role.AGENT),
    )
    assert texts(found["call 3"]) == [TOWER, FUJI]


def test_a_reranker_replaces_what_it_put_in_order_and_nothing_else() -> None:
    found = assembled(
        retriever("retriever", "chain", TOWER, FUJI, at=(1, 2)),
        retriever("other", "chain", "A note from the user's memory.", at=(1, 2), role=Role.MEMORY),
        retriever("reranker", "chain", FUJI, at=(3, 4), role=Role.RERANKER),
        llm("call", "chain", at=(5, 9), asked="How tall?", answer="3776 metres."),
        span("chain", Role.CHAIN),
    )
    assert texts(found["call"]) == ["A note from the user's memory.", FUJI]


def test_of_nested_retrievers_the_outer_one_says_what_was_used() -> None:
    found = assembled(
        retriever("inner", "compressor", TOWER, FUJI, at=(1, 2)),
        llm("filter", "compressor", at=(2, 3), asked="Relevant?", answer="yes"),
        retriever("compressor", "chain", FUJI, at=(1, 4)),
        llm("call", "chain", at=(5, 9), asked="How tall?", answer="3776 metres."),
        span("chain", Role.CHAIN),
    )
    assert texts(found["call"]) == [FUJI]


def test_of_a_retriever_in_a_tool_the_finer_documents_are_used() -> None:
    found = assembled(
        retriever("retriever", "tool", TOWER, FUJI, at=(1, 2)),
        retriever("tool", "agent", f"{TOWER}\n\n{FUJI}", at=(1, 3), role=Role.TOOL, tool_name="retrieve"),
        llm("call", "agent", at=(5, 9), turns=(Turn("user", "?"), Turn("tool", f"{TOWER}\n\n{FUJI}")), answer="3776."),
        span("agent", Role.AGENT),
    )
    assert texts(found["call"]) == [TOWER, FUJI]


@pytest.mark.parametrize(
    ("name", "result", "is_document"),
    [
        ("web_search", "330 m", True),
        ("lookup_order", "shipped", True),
        ("set_alarm", '{"status": "ok"}', False),
        ("query_db", "42", True),
        ("get_storage_docstring", "42", False),
        ("weather", "18C and clear in Paris", False),
        ("set_alarm", '{"id": "0123456789abcdef", "created": 1767225610, "ok": true, "next": null}', False),
        ("manual", TOWER, True),
        ("final_answer", TOWER, False),
        ("FinalAnswerTool", TOWER, False),
    ],
)
def test_a_tools_result_is_a_document_if_it_was_looked_up_or_is_prose(
    name: str, result: str, is_document: bool
) -> None:
    found = assembled(
        retriever("tool", "agent", result, at=(1, 2), role=Role.TOOL, tool_name=name),
        llm("call", "agent", at=(3, 9), asked="?", answer="Done."),
        span("agent", Role.AGENT),
    )
    assert texts(found["call"]) == ([result] if is_document else [])


def test_tool_messages_since_the_last_user_turn_are_documents() -> None:
    turns = (Turn("user", "one?"), Turn("tool", LOUVRE), Turn("assistant", "In Paris."), Turn("user", "two?"))
    found = assembled(llm("call", at=(3, 9), turns=(*turns, Turn("tool", TOWER), Turn("tool", "ok")), answer="330."))
    assert texts(found["call"]) == [TOWER]
    assert only(found["call"]).documents[0].span_id == ""


def test_a_tool_message_with_a_list_of_texts_is_several_documents() -> None:
    found = assembled(
        llm("call", at=(3, 9), turns=(Turn("user", "?"), Turn("tool", f'["{TOWER}", "{FUJI}"]')), answer=".")
    )
    assert texts(found["call"]) == [TOWER, FUJI]


def test_documents_on_the_call_itself_count() -> None:
    found = assembled(llm("call", at=(3, 9), asked="?", answer="330.", documents=documents(TOWER)))
    assert texts(found["call"]) == [TOWER]


def test_an_answer_on_a_wrapper_has_the_documents_below_it() -> None:
    found = assembled(
        retriever("retriever", "step", TOWER, at=(1, 2)),
        span("step", Role.CHAIN, "agent", at=(1, 3)),
        retriever("check", "guard", "Policy: never speak of towers to minors, ever.", at=(4, 5)),
        span("guard", Role.GUARDRAIL, "agent", at=(4, 5)),
        span("agent", Role.AGENT, question="How tall?", answers=("330 metres.",)),
    )
    assert texts(found["agent"]) == [TOWER]


def test_what_a_guard_retrieved_supports_nothing() -> None:
    found = assembled(
        retriever("check", "guard", "Policy: never speak of towers to minors, ever.", at=(1, 2)),
        span("guard", Role.EVALUATOR, "agent", at=(1, 3)),
        llm("call", "agent", at=(4, 9), asked="How tall?", answer="330 metres."),
        span("agent", Role.AGENT),
    )
    assert texts(found["call"]) == []


def test_ids_are_unique_and_repeated_texts_are_dropped() -> None:
    found = assembled(
        retriever("one", "chain", TOWER, FUJI, at=(1, 2)),
        retriever("two", "chain", FUJI, LOUVRE, at=(2, 3)),
        llm("call", "chain", at=(5, 9), asked="How tall?", answer="3776 metres."),
        span("chain", Role.CHAIN),
    )
    assert texts(found["call"]) == [TOWER, FUJI, LOUVRE]
    assert len({d.id for d in only(found["call"]).documents}) == 3


def test_a_retrievers_own_ids_and_scores_stay() -> None:
    given = (Document(id="kb/7", text=TOWER, score=0.9),)
    found = assembled(
        retriever("one", "chain", at=(1, 2), documents=given),
        llm("call", "chain", at=(5, 9), asked="How tall?", answer="330 metres."),
        span("chain", Role.CHAIN),
    )
    assert only(found["call"]).documents == (Document(id="kb/7", text=TOWER, score=0.9, span_id="one"),)


def test_ids_without_texts_take_theirs_from_the_template() -> None:
    ids = (Document(id="a", text="", score=0.9), Document(id="b", text="", score=0.8))
    found = assembled(
        retriever("one", "chain", at=(1, 2), documents=ids),
        llm("call", "chain", at=(5, 9), asked="How tall?", answer="3776.", variables={"context": f"{TOWER}\n{FUJI}"}),
        span("chain", Role.CHAIN),
    )
    assert [(d.id, d.text, d.score) for d in only(found["call"]).documents] == [("a", TOWER, 0.9), ("b", FUJI, 0.8)]


def test_ids_without_texts_take_theirs_from_the_template_step() -> None:
    found = assembled(
        retriever("one", "chain", at=(1, 2), documents=(Document(id="a", text=""),)),
        span("prompt", Role.PROMPT, "chain", at=(2, 3), variables={"context": TOWER, "question": "How tall?"}),
        llm("call", "chain", at=(5, 9), asked="How tall?", answer="3776."),
        span("chain", Role.CHAIN),
    )
    assert texts(found["call"]) == [TOWER]


def test_ids_without_texts_take_theirs_from_the_prompt() -> None:
    turns = (Turn("system", f"Answer only from this context:\n{TOWER}\n{FUJI}"), Turn("user", "How tall?"))
    found = assembled(
        retriever("one", "chain", at=(1, 2), documents=(Document(id="a", text=""), Document(id="b", text=""))),
        llm("call", "chain", at=(5, 9), turns=turns, answer="3776."),
        span("chain", Role.CHAIN),
    )
    assert texts(found["call"]) == [TOWER, FUJI]


def test_records_pasted_as_json_are_several_documents() -> None:
    records = json.dumps(
        [{"content": TOWER, "name": "a", "meta_data": {}}, {"content": FUJI, "name": "b", "meta_data": {}}]
    )
    found = assembled(
        llm("call", at=(0, 9), asked=f"How tall?\n<references>\n{records}\n</references>", answer="330 m.")
    )
    assert texts(found["call"]) == [TOWER, FUJI]


def test_a_retriever_that_found_nothing_leaves_no_documents() -> None:
    found = assembled(
        retriever("one", "chain", at=(1, 2), output_captured=True),
        llm(
            "call", "chain", at=(5, 9), turns=(Turn("system", "Context:\nnone found"), Turn("user", "?")), answer="No."
        ),
        span("chain", Role.CHAIN),
    )
    assert texts(found["call"]) == []


def test_steps_that_hand_documents_on_stand_in_where_no_retriever_is_recorded() -> None:
    found = assembled(
        retriever("step", "chain", TOWER, at=(1, 2), role=Role.CHAIN),
        llm("call", "chain", at=(5, 9), asked="How tall?", answer="330 metres."),
        span("chain", Role.CHAIN),
    )
    assert texts(found["call"]) == [TOWER]


def test_more_documents_than_are_kept_count_as_cut() -> None:
    many = [f"Text number {n}." for n in range(MAX_DOCUMENTS + 1)]
    answer = llm("call", "agent", at=(3, 9), asked="How tall?", answer="330 metres.")
    agent = span("agent", Role.AGENT)
    all_kept = assembled(retriever("retriever", "agent", *many[1:], at=(1, 2)), answer, agent)
    assert only(all_kept["call"]).truncated == set()
    found = assembled(retriever("retriever", "agent", *many, at=(1, 2)), answer, agent)
    assert texts(found["call"]) == many[1:]
    assert only(found["call"]).truncated == {Part.DOCUMENTS}


def test_documents_count_as_cut_where_there_are_too_many_spans_to_look_at() -> None:
    calls = [llm(f"step {n}", "agent", at=(2, 3), asked="How tall?", answer=f"Thought {n}") for n in range(MAX_VISITS)]
    found = assembled(
        retriever("retriever", "agent", TOWER, at=(1, 2)),
        *calls,
        llm("call", "agent", at=(4, 9), asked="How tall?", answer="330 metres."),
        span("agent", Role.AGENT),
    )
    assert texts(found["call"]) == []
    assert only(found["call"]).truncated == {Part.DOCUMENTS}
