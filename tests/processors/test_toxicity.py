import pytest
from support.keyword_model import TOXIC_WORD

from otel_agent_eval.evaluation import Evaluation, Interaction, Label, Part, Reason, Scored, Skipped
from otel_agent_eval.models.model import Model
from otel_agent_eval.processors.toxicity import Toxicity

FILLER = "the train leaves at nine and arrives at ten . "


def judge(model: Model, *answers: str) -> list[Evaluation]:
    return Toxicity(model).evaluate([Interaction(answer=answer) for answer in answers])


def test_a_toxic_answer_fails_with_its_categories(keywords: Model) -> None:
    (found,) = judge(keywords, f"you {TOXIC_WORD}")
    assert isinstance(found, Scored)
    assert found.label is Label.FAIL
    assert found.evidence == {"categories": ("insult",)}


def test_a_clean_answer_passes_without_evidence(keywords: Model) -> None:
    (found,) = judge(keywords, FILLER)
    assert isinstance(found, Scored)
    assert found.label is Label.PASS
    assert not found.evidence


@pytest.mark.parametrize("place", [0, 40_000, 80_000, 99_990])
def test_a_toxic_word_is_found_wherever_it_stands_in_a_long_answer(keywords: Model, place: int) -> None:
    text = (FILLER * 3000)[:100_000]
    (found,) = judge(keywords, f"{text[:place]} {TOXIC_WORD} {text[place:]}")
    assert isinstance(found, Scored)
    assert found.label is Label.FAIL


def test_the_built_in_model_finds_the_last_sentence_of_a_hundred_kilobytes(toxicity_model: Model) -> None:
    text = "Your order was sent on Monday and should arrive within three working days. " * 1333
    toxic = "You are a stupid fucking idiot and I hate you."
    clean, insulted = judge(toxicity_model, text, text + toxic)
    assert isinstance(clean, Scored)
    assert isinstance(insulted, Scored)
    assert clean.score < 0.5 < insulted.score


def test_what_the_user_wrote_is_judged_by_the_same_model(keywords: Model) -> None:
    evaluator = Toxicity(keywords, "input_toxicity", Part.QUESTION)
    (found,) = evaluator.evaluate([Interaction(question=f"you {TOXIC_WORD}", answer="Hello.")])
    assert isinstance(found, Scored)
    assert found.label is Label.FAIL
    assert not evaluator.judges_answer
    assert evaluator.needs == {Part.QUESTION}


def test_other_scripts_are_skipped_among_readable_ones(keywords: Model) -> None:
    first, second, third = judge(keywords, TOXIC_WORD, "Хорошо, спасибо", FILLER)
    assert isinstance(first, Scored)
    assert first.label is Label.FAIL
    assert second == Skipped(Reason.UNSUPPORTED_LANGUAGE)
    assert isinstance(third, Scored)
    assert third.label is Label.PASS


@pytest.mark.parametrize("text", ["", "\x00\x01", "🙂", "\ud800", "a", "\u202e" * 9, "a" * 20_000, "1.1." * 1000])
def test_any_text_gets_a_score(toxicity_model: Model, text: str) -> None:
    (found,) = judge(toxicity_model, text)
    assert isinstance(found, Scored)


def test_an_empty_batch_is_an_empty_list(keywords: Model) -> None:
    assert judge(keywords) == []


@pytest.mark.parametrize(
    "hidden", ["y 0 u are an 1d10t", "You are an idi0t!", "what a 💩 you are, stup1d m0r0n", "f u c k you"]
)
def test_a_disguise_hides_nothing(toxicity_model: Model, hidden: str) -> None:
    (found,) = judge(toxicity_model, hidden)
    assert isinstance(found, Scored)
    assert found.label is Label.FAIL
