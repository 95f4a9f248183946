from dataclasses import replace

import pytest

from otel_agent_eval.evaluation import (
    Description,
    Direction,
    Document,
    Evaluation,
    Failed,
    Interaction,
    Label,
    Part,
    Reason,
    Scored,
    Skipped,
)
from otel_agent_eval.evaluation.eligibility import MAX_CHARACTERS, bounded, is_blank, reason_to_skip, settle

PASS = Scored(score=0.1, label=Label.PASS, threshold=0.5)
FAIL = Scored(score=0.9, label=Label.FAIL, threshold=0.5)
TRUNCATED = Skipped(Reason.TRUNCATED)
COMPLETE = Interaction(answer="An answer.", question="A question?", documents=(Document(id="1", text="A text."),))


def evaluator(*needs: Part, **when_truncated: Label) -> Description:
    return Description(
        name="any",
        version="any@1",
        direction=Direction.HIGHER_IS_WORSE,
        needs=frozenset(needs),
        judges_answer=True,
        evidence=(),
        threshold=0.5,
        when_truncated={Part(part): label for part, label in when_truncated.items()},
    )


EVERYTHING = evaluator(*Part)


def test_a_complete_interaction_is_judged() -> None:
    assert reason_to_skip(COMPLETE, EVERYTHING) is None


@pytest.mark.parametrize("blank", ["", " \n\t", "\x00", "\u200b\u2060\ufeff", "\u00a0"])
def test_what_is_missing_is_the_reason(blank: str) -> None:
    assert reason_to_skip(replace(COMPLETE, answer=blank), EVERYTHING) is Reason.NO_ANSWER
    assert reason_to_skip(replace(COMPLETE, question=blank), EVERYTHING) is Reason.NO_QUESTION
    without_text = (Document(id="1", text=blank), Document(id="2", text=""))
    assert reason_to_skip(replace(COMPLETE, documents=without_text), EVERYTHING) is Reason.NO_CONTEXT
    assert reason_to_skip(replace(COMPLETE, documents=()), EVERYTHING) is Reason.NO_CONTEXT


def test_what_an_evaluator_does_not_need_may_be_missing() -> None:
    assert reason_to_skip(Interaction(answer="An answer."), evaluator(Part.ANSWER)) is None


def test_content_that_lies_elsewhere_is_said_to() -> None:
    elsewhere = Interaction(answer="", by_reference=True)
    assert reason_to_skip(elsewhere, evaluator(Part.ANSWER)) is Reason.BY_REFERENCE
    assert reason_to_skip(replace(COMPLETE, by_reference=True), EVERYTHING) is None


def test_a_visible_character_is_found_behind_megabytes_of_invisible_ones() -> None:
    assert is_blank("\u200b" * 3_000_000)
    assert not is_blank("\u200b" * 3_000_000 + "a")


@pytest.mark.parametrize("text", ["🙂", "0", "\ufffd", "\U0001fae9", ".", "\u200ba"])
def test_a_single_visible_character_is_not_blank(text: str) -> None:
    assert not is_blank(text)


@pytest.mark.parametrize("part", Part)
def test_a_cut_part_is_skipped_before_the_model_unless_a_label_could_stand(part: Part) -> None:
    cut = replace(COMPLETE, truncated=frozenset({part}))
    assert reason_to_skip(cut, EVERYTHING) is Reason.TRUNCATED
    assert reason_to_skip(cut, evaluator(*Part, **{part.value: Label.FAIL})) is None
    assert reason_to_skip(cut, evaluator(*(other for other in Part if other is not part))) is None


def test_documents_that_may_be_among_what_was_cut_are_not_said_to_be_missing() -> None:
    cut = replace(COMPLETE, documents=(), truncated=frozenset({Part.DOCUMENTS}))
    assert reason_to_skip(cut, EVERYTHING) is Reason.TRUNCATED


def test_a_missing_part_outweighs_a_cut_one() -> None:
    cut = replace(COMPLETE, answer="", truncated=frozenset({Part.ANSWER}))
    assert reason_to_skip(cut, EVERYTHING) is Reason.NO_ANSWER


@pytest.mark.parametrize(
    ("stands", "given", "expected"),
    [
        (Label.FAIL, FAIL, FAIL),
        (Label.FAIL, PASS, TRUNCATED),
        (Label.PASS, PASS, PASS),
        (Label.PASS, FAIL, TRUNCATED),
        (Label.PASS, Failed("ValueError"), Failed("ValueError")),
        (Label.FAIL, Skipped(Reason.UNSUPPORTED_LANGUAGE), Skipped(Reason.UNSUPPORTED_LANGUAGE)),
    ],
)
def test_of_a_cut_part_only_the_label_stands_that_the_rest_cannot_undo(
    stands: Label, given: Evaluation, expected: Evaluation
) -> None:
    cut = replace(COMPLETE, truncated=frozenset({Part.ANSWER}))
    assert settle(given, cut, evaluator(Part.ANSWER, answer=stands)) == expected
    assert settle(given, COMPLETE, evaluator(Part.ANSWER, answer=stands)) == given
    assert settle(given, cut, evaluator(Part.QUESTION)) == given


def test_what_can_be_read_whole_is_left_as_it_is() -> None:
    assert bounded(COMPLETE) is COMPLETE
    full = replace(COMPLETE, answer="a" * MAX_CHARACTERS)
    assert bounded(full) is full


def test_what_is_too_long_is_cut_and_marked() -> None:
    found = bounded(replace(COMPLETE, answer="a" * (MAX_CHARACTERS + 1), question="q" * (MAX_CHARACTERS + 9)))
    assert found.truncated == {Part.ANSWER, Part.QUESTION}
    assert (len(found.answer), len(found.question)) == (MAX_CHARACTERS, MAX_CHARACTERS)
    assert found.documents == COMPLETE.documents


def test_very_many_documents_are_all_read() -> None:
    documents = tuple(Document(id=str(number), text="A text.") for number in range(10_000))
    assert bounded(replace(COMPLETE, documents=documents)).documents == documents


def test_documents_share_one_limit() -> None:
    documents = tuple(Document(id=str(number), text="a" * (MAX_CHARACTERS // 2 + 1)) for number in range(4))
    found = bounded(replace(COMPLETE, documents=documents))
    assert found.truncated == {Part.DOCUMENTS}
    assert sum(len(document.text) for document in found.documents) == MAX_CHARACTERS
