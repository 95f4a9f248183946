import pytest

from otel_agent_eval.evaluation import Document, Interaction, Label, Part, Reason, Scored, Skipped, Turn
from otel_agent_eval.models.model import Model
from otel_agent_eval.processors.relevance import ContextRelevance

QUESTION = "when does the night train to vienna leave"
ON_TOPIC = Document(id="trains", text="the night train to vienna does leave")
OFF_TOPIC = Document(id="fruit", text="bananas are rich in potassium")
FOREIGN = Document(id="de", text="Der Zug nach Wien fährt um neun Uhr von Gleis vier ab und ist leider schon voll.")


def judge(model: Model, *documents: Document, question: str = QUESTION, turns: tuple[Turn, ...] = ()) -> Scored:
    interaction = Interaction(question=question, answer="-", documents=documents, turns=turns)
    (found,) = ContextRelevance(model).evaluate([interaction])
    assert isinstance(found, Scored)
    return found


def test_the_best_document_decides_and_the_relevant_ones_are_named(keywords: Model) -> None:
    found = judge(keywords, OFF_TOPIC, ON_TOPIC, OFF_TOPIC)
    assert found.label is Label.PASS
    assert found.evidence == {"documents": ("trains",)}
    assert found.explanation == "1 of 3 documents answer the question"


def test_without_a_relevant_document_it_fails(keywords: Model) -> None:
    found = judge(keywords, OFF_TOPIC, OFF_TOPIC)
    assert found.label is Label.FAIL
    assert not found.evidence


def test_documents_are_read_to_their_end(keywords: Model) -> None:
    long = Document(id="long", text="bananas grow in warm countries " * 500 + f"{ON_TOPIC.text} " * 5)
    assert judge(keywords, OFF_TOPIC, long).evidence == {"documents": ("long",)}


def test_a_question_that_leans_on_the_turns_before_is_read_with_them(keywords: Model) -> None:
    alone = judge(keywords, ON_TOPIC, question="and on sunday?")
    together = judge(keywords, ON_TOPIC, question="and on sunday?", turns=(Turn("user", QUESTION),))
    assert together.score > alone.score + 0.3


def test_documents_in_other_languages_are_left_out(keywords: Model) -> None:
    assert judge(keywords, FOREIGN, ON_TOPIC).explanation == "1 of 1 documents answer the question"
    evaluator = ContextRelevance(keywords)
    batch = [
        Interaction(question=QUESTION, answer="-", documents=(FOREIGN,)),
        Interaction(question="Как дела?", answer="-", documents=(ON_TOPIC,)),
    ]
    assert evaluator.evaluate(batch) == [Skipped(Reason.UNSUPPORTED_LANGUAGE)] * 2


def test_it_does_not_fail_the_answer(keywords: Model) -> None:
    evaluator = ContextRelevance(keywords)
    assert not evaluator.judges_answer
    assert evaluator.needs == {Part.QUESTION, Part.DOCUMENTS}


def test_a_score_does_not_depend_on_its_batch(grounding_model: Model) -> None:
    evaluator = ContextRelevance(grounding_model)
    batch = [Interaction(question=QUESTION, answer="-", documents=d) for d in ((ON_TOPIC,), (OFF_TOPIC, ON_TOPIC))]
    for together, interaction in zip(evaluator.evaluate(batch), batch, strict=True):
        (alone,) = evaluator.evaluate([interaction])
        assert isinstance(together, Scored)
        assert isinstance(alone, Scored)
        assert together.score == pytest.approx(alone.score, abs=1e-5)
