"""Retrieved texts are found in the prompts into which they were pasted."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.assembly.pasted import Stuffed, pasted_variables, pieces, take_apart


@pytest.mark.parametrize(
    ("message", "pasted", "question"),
    [
        (
            "Answer only from this context:\nThe tower is tall.\nIt is in Paris.",
            "The tower is tall.\nIt is in Paris.",
            "",
        ),
        ("Context: Tall towers. Question: How tall?", "Tall towers.", "How tall?"),
        ("Be brief. Context: Tall towers.\nHow tall?", "Tall towers.", "How tall?"),
        ("<context>\nTall towers.\n</context>\n\nQuestion: How tall?", "Tall towers.", "How tall?"),
        ("<documents>Tall towers.", "Tall towers.", ""),
        ("Context:\nTall towers.\n\nHow tall?", "Tall towers.", "How tall?"),
        (
            (
                "Use the following pieces of context to answer the question at the end. If you don't know, say so.\n\n"
                "Tall towers.\n\nSmall towers.\n\nQuestion: How tall?\nHelpful Answer:"
            ),
            "Tall towers.\n\nSmall towers.",
            "How tall?",
        ),
        (
            (
                "Context information is below.\n---------------------\nsource: kb/3.md\n\nTall towers.\n"
                "---------------------\nGiven the context information and not prior knowledge, answer the query.\n"
                "Query: How tall?\nAnswer: "
            ),
            "source: kb/3.md\n\nTall towers.",
            "How tall?",
        ),
        (
            (
                "You are an assistant. Use the following pieces of retrieved context to answer the question.\n"
                "Question: How tall? \nContext: Tall towers. \n\nAnswer:"
            ),
            "Tall towers.",
            "How tall?",
        ),
        ("Rewrite it.\nNew Context: Tall towers.\nQuery: How tall?\nOriginal Answer: No.", "Tall towers.", "How tall?"),
        ("### Search results:\n1. Tall towers.\n\n### User question: How tall?", "1. Tall towers.", "How tall?"),
    ],
)
def test_pasted_text_is_told_from_the_question(message: str, pasted: str, question: str) -> None:
    found = take_apart(message)
    assert (found.pasted, found.question) == ((pasted,), question)
    assert pasted not in found.rest


@pytest.mark.parametrize(
    "message",
    [
        "",
        "How tall is the Eiffel Tower?",
        "Answer from retrieved documents only.",
        "What sources do you use: books or web?",
        "Answer only from this context:\n",
        "Which documents do I need for a visa? I have a passport.",
        "Use these tools to read documents:\n<code>",
    ],
)
def test_a_message_without_pasted_text_stays_whole(message: str) -> None:
    assert take_apart(message).pasted == ()


def test_variables_named_like_context_are_pasted() -> None:
    variables = {"context": "a", "context_str": "b", "retrieved_docs": "c", "question": "d", "tone": "e", "docs": ""}
    assert pasted_variables(variables) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "count", "cut"),
    [
        ("a\nb", 2, ("a", "b")),
        ("a\nb", 3, ("a\nb",)),
        ("a\nb\n\nc", 2, ("a\nb", "c")),
        ("a\n---\nb", 0, ("a", "b")),
        ("", 0, ()),
    ],
)
def test_pasted_text_is_cut_into_its_documents(text: str, count: int, cut: tuple[str, ...]) -> None:
    assert pieces(text, count) == cut


@given(st.text(alphabet=st.sampled_from("context:question <>/\n.-*#ab"), max_size=300))
def test_any_message_can_be_taken_apart(message: str) -> None:
    assert isinstance(take_apart(message), Stuffed)


@pytest.mark.parametrize(
    "message",
    [
        "The context is a source " * 5_000,
        "Context:\n" + "word word word word\n" * 5_000,
        "Context:\n---\n" + "- x\n" * 20_000,
        "<context>" * 10_000,
        "Question: " * 10_000,
        "\n" * 100_000,
        "Context:\n" + "user " * 20_000,
    ],
    ids=range(7),
)
def test_long_messages_take_time_in_proportion(message: str) -> None:
    began = time.perf_counter()
    take_apart(message)
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize(
    "message", ["Context:\n" + "-" * 1_000_000, "docs " * 24 + "the b" * 1_000_000 + "\n"], ids=range(2)
)
def test_what_is_no_frame_is_not_tried_again_and_again(message: str) -> None:
    assert take_apart(message).pasted == ()  # the square of the length would outlast the test's limit


def test_a_huge_message_is_left_whole() -> None:
    short = "Context:\n" + "Paris is the capital of France.\n" * 9 + "\nQuestion: What is the capital?"
    assert take_apart(short).pasted
    message = short.replace("Paris", "Paris " * 100_000)
    assert len(message) > 4 << 20
    assert take_apart(message) == Stuffed((), "", message)
