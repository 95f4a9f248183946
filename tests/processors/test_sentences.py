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


@pytest.mark.parametrize("text", ["x" * 100_000, "https://example.com/" + "a" * 20_000])
def test_a_run_without_spaces_never_outgrows_the_model(text: str) -> None:
    found = split_sentences(text)
    assert max(len(sentence.text) for sentence in found) <= 2400
    assert "".join(sentence.text for sentence in found) == text


@pytest.mark.parametrize(
    "sentence",
    [
        "I don't know.",
        "I'm sorry, I can't help with that.",
        "Sorry, but I could not find that in our records.",
        "The passages do not mention the price.",
        "The documents that were provided do not contain an answer.",
        "Based on the passages, I am unable to provide it.",
        "There is no information about refunds.",
        "As an AI language model, I have no feelings.",
        "Is there anything else?",
        "Here are some tips:",
        "Thank you for asking!",
        "Hi there!",
        "Sure, I can help you with that!",
        "Certainly! ",
        "I'd be happy to assist you.",
        "If you have any more questions, please let me know.",
        "I hope this helps 🙂",
        "Have a great day!",
        "---",
        "🙂👍",
        "[1]",
        "[2][3].",
        "(4)",
        "```",
        "...",
    ],
)
def test_pleasantries_questions_refusals_and_citations_claim_nothing(sentence: str) -> None:
    assert not is_claim(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Paris",
        "330",
        "1889.",
        "We do not offer refunds.",
        "We do not provide refunds after opening.",
        "The tower is 330 metres tall.",
        "The tower is 330 metres tall [1].",
        "His sister was born in 1850.",
        "High doses are dangerous.",
        "Highway 70",
        "Thanksgiving is on Thursday.",
        "Sure, the tower is 500 metres tall.",
        "Of course, the pool is heated.",
        "Sorry, the shop closes at five.",
        "Yes, it opens at nine.",
        "If you have any pain, take ibuprofen.",
        "If you have any questions, call 555-1234.",
        "Feel free to use the gym from 6 to 9.",
        "The article says that employees do not have a right to it.",
        "The plan has no data cap.",
        "Source: World Health Organization",
        "See https://example.com/refunds.",
        "| Basic | 10 euros |",
        "“It is closed”, he said.",
        "Well... it depends on the weather, e.g. on rain.",
    ],
)
def test_statements_are_claims_however_short_or_polite(sentence: str) -> None:
    assert is_claim(sentence)


def test_a_bare_yes_claims_what_was_asked() -> None:
    assert [claim.text for claim in claims("Yes.")] == ["Yes."]
    assert [claim.text for claim in claims("Yes. The pool is heated.")] == ["The pool is heated."]


MARKDOWN = """## Overview

Sure! Here is what I found:

1. The **Basic** plan costs 3.50 euros a month. [1]
2. Dr. Smith, e.g., uses the Pro plan... It has 100 GB. 🙂
   - Support by phone, i.e. until 5 p.m. on weekdays

| Plan | Price |
|------|:-----:|
| Basic | 3.50 |

```python
print("a plan")
```

> He said: "It works." Then he left.

I hope this helps!"""


def test_of_markdown_the_statements_are_claims() -> None:
    assert [claim.text for claim in claims(MARKDOWN)] == [
        "The **Basic** plan costs 3.50 euros a month.",
        "Dr. Smith, e.g., uses the Pro plan...",
        "It has 100 GB.",
        "Support by phone, i.e. until 5 p.m. on weekdays",
        "| Basic | 3.50 |",
        'He said: "It works."',
        "Then he left.",
    ]


def test_a_fence_that_nothing_closes_hides_nothing() -> None:
    assert [claim.text for claim in claims("```\nThe tower is tall.")] == ["The tower is tall."]


@pytest.mark.parametrize(
    ("text", "cites"),
    [
        *((text, True) for text in ("[1]", "(2).", "[1, 2] (3)", "[1][2]!", "— (17)", "1) [2 3].", "[]]1]")),
        *((text, False) for text in ("[1] 2", "(1234)", "[a1]", "[1", "1]", "(1]", "][1")),
    ],
)
def test_a_sentence_of_references_alone_claims_nothing(text: str, *, cites: bool) -> None:
    assert is_claim(text) is not cites


def test_brackets_and_digits_without_end_are_looked_at_once() -> None:
    sentence = "[" * 1_200 + "1" * 1_200 + "\n"
    assert len(claims(sentence * 400)) == 400  # 1.5 s each before
