"""What an answer is held against: the question, the turns before it, what user and system stated."""

from assembly_samples import Sample, assembled, llm, only, retriever, span

from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.evaluation.interaction import Interaction, Part, Turn

ANSWER = "The Eiffel Tower is 330 metres tall."


def asked(*samples: Sample, of: str = "call") -> Interaction:
    return only(assembled(*samples)[of])


def test_the_last_user_turn_is_the_question_and_the_others_come_before_it() -> None:
    turns = (Turn("user", "Hello"), Turn("assistant", "Hi"), Turn("user", "How tall?"), Turn("tool", "330"))
    found = asked(llm("call", at=(1, 9), turns=turns, answer=ANSWER))
    assert found.question == "How tall?"
    assert found.turns == turns[:2]


def test_a_user_turn_without_text_is_no_question() -> None:
    turns = (Turn("user", "How tall?"), Turn("user", ""))
    assert asked(llm("call", at=(1, 9), turns=turns, answer=ANSWER)).question == "How tall?"


def test_without_user_turns_the_chains_question_is_taken() -> None:
    found = asked(
        llm("call", "inner", at=(1, 9), answer=ANSWER),
        span("inner", Role.CHAIN, "outer", question='{"state": 1}'),
        span("outer", Role.CHAIN, question="How tall?"),
    )
    assert found.question == "How tall?"


def test_without_any_other_the_retrievers_query_is_taken() -> None:
    found = asked(
        retriever("retriever", "chain", "x", at=(1, 2), question="How tall?"),
        llm("call", "chain", at=(3, 9), answer=ANSWER),
        span("chain", Role.CHAIN),
    )
    assert found.question == "How tall?"


def test_the_question_of_a_stuffed_template_is_the_chains() -> None:
    prompt = "Context information is below.\n---\nThe tower is 330 m tall.\n---\nQuery: How tall?\nAnswer: "
    found = asked(
        llm("call", "chain", at=(3, 9), asked=prompt, answer=ANSWER), span("chain", Role.CHAIN, question="How tall?")
    )
    assert found.question == "How tall?"
    assert not any("330 m" in stated for stated in found.grounding)


def test_the_question_of_a_stuffed_template_can_be_the_retrievers_query() -> None:
    prompt = "Use this context:\nThe tower is 330 m tall.\n\nPlease tell the user: How tall?"
    found = asked(
        retriever("retriever", "chain", "The tower is 330 m tall.", at=(1, 2), question="How tall?"),
        llm("call", "chain", at=(3, 9), asked=prompt, answer=ANSWER),
        span("chain", Role.CHAIN),
    )
    assert found.question == "How tall?"


def test_the_question_of_a_stuffed_template_can_stand_behind_its_mark() -> None:
    prompt = "Context: The tower is 330 m tall. Question: How tall?"
    assert asked(llm("call", at=(3, 9), asked=prompt, answer=ANSWER)).question == "How tall?"


def test_the_question_of_an_agents_template_can_stand_behind_a_label() -> None:
    found = asked(
        llm("call", "agent", at=(3, 9), asked="Current Task: How tall?\n\nExpected: a number.", answer=ANSWER),
        span("agent", Role.AGENT, question="How tall?"),
    )
    assert found.question == "How tall?"


def test_a_chains_topic_within_the_message_is_not_the_question() -> None:
    found = asked(
        llm("call", "chain", at=(3, 9), asked="Tell me about towers in Paris", answer=ANSWER),
        span("chain", Role.CHAIN, question="towers"),
    )
    assert found.question == "Tell me about towers in Paris"


def test_what_user_and_system_stated_is_ground() -> None:
    turns = (
        Turn("system", "Our shop opens at nine.\nContext:\nThe tower is tall."),
        Turn("user", "My name is Ada."),
        Turn("assistant", "Hello Ada."),
        Turn("user", "When do you open?"),
    )
    found = asked(llm("call", at=(1, 9), turns=turns, answer="At nine, Ada."))
    assert found.grounding == ("Our shop opens at nine.", "My name is Ada.", "When do you open?")


def test_who_answered_is_known_from_the_span_or_what_is_around_it() -> None:
    found = asked(
        llm("call", "step", at=(1, 9), asked="?", answer=ANSWER, model="m-1", response_id="r-1"),
        span("step", None, "inner"),
        span("inner", Role.AGENT, "outer", agent="writer"),
        span("outer", Role.AGENT, agent="boss", conversation="c-1"),
    )
    assert (found.service, found.agent, found.conversation) == ("shop", "writer", "c-1")
    assert (found.model, found.response_id, found.convention) == ("m-1", "r-1", "sample")


def test_an_agent_without_a_name_lends_its_spans() -> None:
    found = asked(llm("call", "agent", at=(1, 9), answer=ANSWER), span("agent", Role.AGENT, name="run support"))
    assert found.agent == "run support"


def test_segments_come_from_the_span_then_its_ancestors_then_the_resource() -> None:
    found = assembled(
        llm("call", "agent", at=(1, 9), answer=ANSWER, attributes={"a": "span"}, resource={"d": "eu", "a": "resource"}),
        span("agent", Role.AGENT, "root", attributes={"a": "agent", "b": "agent", "e": [1]}),
        span("root", Role.CHAIN, attributes={"b": "root", "c": 7}),
        segments=("a", "b", "c", "d", "e", "f"),
    )
    assert only(found["call"]).segments == {"a": "span", "b": "agent", "c": "7", "d": "eu"}


def test_cut_documents_are_known_to_be_cut() -> None:
    found = asked(
        retriever("retriever", "chain", "The tower", at=(1, 2), truncated=frozenset({Part.DOCUMENTS})),
        llm("call", "chain", at=(3, 9), asked="?", answer=ANSWER),
        span("chain", Role.CHAIN),
    )
    assert found.truncated == {Part.DOCUMENTS}
