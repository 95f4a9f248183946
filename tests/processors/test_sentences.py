import pytest

from otel_agent_eval.processors.sentences import claims, is_claim, split_sentences


def texts(answer: str) -> list[str]:
    return [sentence.text for sentence in split_sentences(answer)]


def test_abbreviations_decimals_and_initials_do_not_end_a_sentence() -> None:
    answer = "Dr. J. Smith paid 3.5 million, e.g. in the U.S. market. It rose!"
    assert texts(answer) == ["Dr. J. Smith paid 3.5 million, e.g. in the U.S. market.", "It rose!"]


def test_list_items_and_lines_are_sentences_without_their_marks() -> None:
    assert texts("Steps:\n1. Open it.\n- Close it\n* Wait") == ["Steps:", "Open it.", "Close it", "Wait"]


def test_offsets_point_into_the_answer() -> None:
    answer = "  One here.  Two there.\n\n3. Three."
    assert (
        [answer[s.start : s.end] for s in split_sentences(answer)]
        == texts(answer)
        == [
            "One here.",
            "Two there.",
            "Three.",
        ]
    )


@pytest.mark.parametrize("answer", ["", "   ", "\n\n", "...", "\x00", "🙂", "a" * 100_000, ". " * 50_000])
def test_any_text_is_split(answer: str) -> None:
    split_sentences(answer)
    claims(answer)


def test_a_sentence_never_outgrows_the_model() -> None:
    assert max(len(text.split()) for text in texts("word " * 1000)) <= 80


@pytest.mark.parametrize(
    "sentence",
    [
        "I don't know.",
        "I'm sorry, I can't help with that.",
        "The passages do not mention the price.",
        "Based on the passages, I am unable to provide it.",
        "Is there anything else?",
        "Here are some tips:",
        "Thank you for asking!",
        "---",
    ],
)
def test_pleasantries_questions_and_refusals_claim_nothing(sentence: str) -> None:
    assert not is_claim(sentence)


@pytest.mark.parametrize("sentence", ["Paris", "330", "We do not offer refunds.", "The tower is 330 metres tall."])
def test_statements_are_claims_however_short(sentence: str) -> None:
    assert is_claim(sentence)


def test_a_bare_yes_claims_what_was_asked() -> None:
    assert [claim.text for claim in claims("Yes.")] == ["Yes."]
