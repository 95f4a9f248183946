# ruff: noqa: RUF001 (a typographic apostrophe is tested)
import pytest

from otel_agent_eval.evaluation import Interaction, Turn
from otel_agent_eval.processors.question import readings

SUMMER = "What are the opening hours in summer?"
BEFORE = (Turn("system", "Be kind."), Turn("user", SUMMER), Turn("assistant", "From nine to six."))


def read(question: str, *turns: Turn, words: int = 64) -> tuple[str, ...]:
    return readings(Interaction(question=question, answer="-", turns=turns), words)


@pytest.mark.parametrize(
    "question",
    [
        "And in winter?",
        "Why?",
        "What about Sundays?",
        "Until when?",
        "Is it open on holidays, too?",
        "How much do they charge for children?",
        "But that isn't what I asked.",
        "The second one, please",
        "What’s that in minutes?",
    ],
)
def test_a_question_that_leans_on_what_was_said_is_read_behind_it_as_well(question: str) -> None:
    assert read(question, *BEFORE) == (question, f"{SUMMER} {question}")


@pytest.mark.parametrize(
    "question",
    ["What is the capital of France?", "How do I reset my password?", "Please cancel order 12345 for me", "word " * 20],
)
def test_a_question_that_stands_alone_is_read_alone(question: str) -> None:
    assert read(question, *BEFORE) == (question,)


def test_without_turns_there_is_nothing_to_lean_on() -> None:
    assert read("And in winter?") == ("And in winter?",)
    assert read("And in winter?", Turn("user", "And in winter?")) == ("And in winter?",)


def test_a_reply_to_the_assistants_question_leans_on_what_it_was_about() -> None:
    turns = (Turn("user", "I want to cancel my subscription."), Turn("assistant", "Which account do you mean?"))
    assert read("My account at work", *turns)[1:] == ("I want to cancel my subscription. My account at work",)
    assert read("What is the capital of France?", *turns) == ("What is the capital of France?",)


def test_it_goes_back_to_what_stands_alone_and_no_further() -> None:
    turns = (Turn("user", "Where is Vienna on the map?"), *BEFORE, Turn("user", "And in winter?"))
    assert read("Why?", *turns)[1] == f"{SUMMER} And in winter? Why?"


def test_no_more_words_are_read_than_the_model_reads_at_once() -> None:
    turns = (Turn("user", "so " * 500 + "the end"),)
    assert read("And then?", *turns, words=6)[1] == "so so the end And then?"
