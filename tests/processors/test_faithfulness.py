import pytest

from otel_agent_eval.evaluation import Document, Interaction, Label, Part, Reason, Scored, Skipped
from otel_agent_eval.models.model import Model
from otel_agent_eval.processors.faithfulness import Faithfulness

TOWER = Document(id="tower", text="The Eiffel Tower is 330 metres tall and stands in Paris.")
FRUIT = Document(id="fruit", text="Bananas are rich in potassium and grow in warm countries.")
SUPPORTED = "The Eiffel Tower is 330 metres tall."
UNSUPPORTED = "Penguins swim faster than most ducks."


def judge(
    model: Model, answer: str, question: str = "", *documents: Document, grounding: tuple[str, ...] = ()
) -> Scored:
    interaction = Interaction(answer=answer, question=question, documents=documents, grounding=grounding)
    (found,) = Faithfulness(model).evaluate([interaction])
    assert isinstance(found, Scored)
    return found


def test_a_supported_answer_passes_and_names_its_document(keywords: Model) -> None:
    found = judge(keywords, SUPPORTED, "How tall is it?", FRUIT, TOWER)
    assert found.label is Label.PASS
    assert found.evidence == {"documents": ("tower",)}


def test_the_weakest_claim_decides_and_is_named(keywords: Model) -> None:
    found = judge(keywords, f"{SUPPORTED} {UNSUPPORTED}", "How tall is it?", TOWER, FRUIT)
    assert found.label is Label.FAIL
    assert found.evidence == {"unsupported": (UNSUPPORTED,), "documents": ("tower",)}


def test_documents_support_different_claims(keywords: Model) -> None:
    found = judge(keywords, f"{SUPPORTED} Bananas are rich in potassium.", "", TOWER, FRUIT)
    assert found.label is Label.PASS
    assert found.evidence == {"documents": ("tower", "fruit")}


@pytest.mark.parametrize("answer", ["I don't know.", "I'm sorry, I can't help with that.", "Is there anything else?"])
def test_an_answer_that_claims_nothing_passes(keywords: Model, answer: str) -> None:
    found = judge(keywords, answer, "", TOWER)
    assert found.label is Label.PASS
    assert not found.evidence


def test_what_was_stated_supports_but_is_no_document(keywords: Model) -> None:
    found = judge(keywords, UNSUPPORTED, "", TOWER, grounding=("Penguins swim faster than most ducks.",))
    assert found.label is Label.PASS
    assert not found.evidence


def test_a_question_supports_nothing(keywords: Model) -> None:
    asked = "Do penguins swim faster than most ducks?"
    found = judge(keywords, UNSUPPORTED, asked, TOWER, grounding=(asked,))
    assert found.label is Label.FAIL


def test_a_claim_is_supported_at_the_end_of_long_documents(keywords: Model) -> None:
    filler = "Warm countries have long summers. " * 3000
    found = judge(keywords, SUPPORTED, "", Document(id="long", text=filler + TOWER.text), FRUIT)
    assert found.evidence == {"documents": ("long",)}


def test_a_claim_longer_than_a_window_needs_support_for_every_part(keywords: Model) -> None:
    half = " ".join(f"tower{number}" for number in range(35))
    other = " ".join(f"banana{number}" for number in range(35))
    both = Document(id="both", text=f"{half} {other}")
    assert judge(keywords, f"{half} {other}", "", both).label is Label.PASS
    assert judge(keywords, f"{half} {other}", "", Document(id="half", text=half)).label is Label.FAIL


def test_a_claim_that_is_made_again_counts_once(keywords: Model) -> None:
    found = judge(keywords, f"{UNSUPPORTED} " * 50, "", TOWER)
    assert found.evidence == {"unsupported": (UNSUPPORTED,)}


def test_documents_mostly_in_another_language_cannot_support_or_refute(keywords: Model) -> None:
    german = Document(id="de", text="Der Turm ist dreihundertdreißig Meter hoch und steht seit langem in Paris. " * 2)
    evaluator = Faithfulness(keywords)
    mostly, partly = ((german, TOWER), (TOWER, FRUIT, german, FRUIT, FRUIT))
    first, second = evaluator.evaluate([Interaction(answer=SUPPORTED, documents=d) for d in (mostly, partly)])
    assert first == Skipped(Reason.UNSUPPORTED_LANGUAGE)
    assert isinstance(second, Scored)


def test_a_megabyte_of_question_does_not_slow_down_every_claim(keywords: Model) -> None:
    asked = " ".join(f"word{number}" for number in range(120_000)) + " How tall is the tower?"
    found = judge(keywords, "330 metres. " + " ".join(f"Item {n} is new." for n in range(100)), asked, TOWER)
    assert found.explanation.endswith("of 101 claims without support")


def test_other_scripts_are_skipped(keywords: Model) -> None:
    evaluator = Faithfulness(keywords)
    russian = Document(id="ru", text="Башня высотой 330 метров")
    batch = [
        Interaction(answer="Башня высотой 330 метров", documents=(TOWER,)),
        Interaction(answer=SUPPORTED, documents=(russian,)),
        Interaction(answer=SUPPORTED, documents=(TOWER,)),
    ]
    first, second, third = evaluator.evaluate(batch)
    assert first == second == Skipped(Reason.UNSUPPORTED_LANGUAGE)
    assert isinstance(third, Scored)


def test_of_very_many_claims_all_are_read(keywords: Model) -> None:
    false = [f"Penguin {number} swims faster than duck {number}." for number in range(300)]
    found = judge(keywords, " ".join([f"{SUPPORTED} " * 300, *false]), "", TOWER)
    assert found.label is Label.FAIL
    assert found.explanation == "300 of 301 claims without support"
    assert found.evidence == {"unsupported": tuple(false), "documents": ("tower",)}


def test_it_needs_an_answer_and_documents() -> None:
    assert Faithfulness.needs == {Part.ANSWER, Part.DOCUMENTS}


def test_a_score_does_not_depend_on_its_batch(grounding_model: Model) -> None:
    evaluator = Faithfulness(grounding_model)
    answers = [SUPPORTED, UNSUPPORTED, f"{SUPPORTED} {UNSUPPORTED} " * 5, "Yes.", "I don't know."]
    batch = [Interaction(answer=text, question="How tall is the tower?", documents=(FRUIT, TOWER)) for text in answers]
    together = evaluator.evaluate(batch)
    for one, interaction in zip(together, batch, strict=True):
        (alone,) = evaluator.evaluate([interaction])
        assert isinstance(one, Scored)
        assert isinstance(alone, Scored)
        assert one.score == pytest.approx(alone.score, abs=1e-5)


@pytest.mark.parametrize("text", ["\x00", "🙂", "\ud800 is here.", "a" * 50_000, "1 " * 2_000, "word. " * 200])
def test_any_text_gets_an_evaluation(grounding_model: Model, text: str) -> None:
    documents = (Document(id="1", text=text), TOWER)
    (found,) = Faithfulness(grounding_model).evaluate([Interaction(answer=text, question=text, documents=documents)])
    assert isinstance(found, Scored | Skipped)
