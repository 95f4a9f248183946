import pytest
from support.windows_run import record_runs

from otel_agent_eval.evaluation import Interaction, Label, Reason, Scored, Skipped, Turn
from otel_agent_eval.models.model import Model
from otel_agent_eval.processors.relevance import Relevance

QUESTION = "when does the night train to vienna leave"
ON_TOPIC = "the night train to vienna does leave"
OFF_TOPIC = "bananas are rich in potassium"


def judge(model: Model, question: str, answer: str) -> Scored:
    (found,) = Relevance(model).evaluate([Interaction(question=question, answer=answer)])
    assert isinstance(found, Scored)
    return found


def test_an_answer_is_judged_by_its_question(keywords: Model) -> None:
    assert judge(keywords, QUESTION, ON_TOPIC).label is Label.PASS
    assert judge(keywords, QUESTION, OFF_TOPIC).label is Label.FAIL


def test_the_best_part_of_a_long_answer_decides(keywords: Model) -> None:
    filler = f"{OFF_TOPIC} " * 400
    assert judge(keywords, QUESTION, filler).label is Label.FAIL
    assert judge(keywords, QUESTION, f"{filler}{ON_TOPIC} " * 2 + f"{ON_TOPIC} " * 4).label is Label.PASS


def test_the_question_may_stand_anywhere_in_a_long_prompt(keywords: Model) -> None:
    filler = "bananas grow in warm countries and are rich in potassium " * 100
    for prompt in (f"{QUESTION} {filler}", f"{filler} {QUESTION}", f"{filler} {QUESTION} {filler}"):
        assert judge(keywords, prompt, ON_TOPIC).label is Label.PASS


def test_time_grows_with_the_text_not_with_its_square(keywords: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = record_runs(keywords, monkeypatch)
    asked, answered = (" ".join(f"{text} {number}" for number in range(500)) for text in (QUESTION, ON_TOPIC))
    judge(keywords, asked, answered)
    assert 100 < sum(runs) < 1000


def test_a_question_that_leans_on_the_turns_before_is_judged_with_them(keywords: Model) -> None:
    turns = (Turn("user", QUESTION), Turn("assistant", "at nine"))
    alone = judge(keywords, "and on sunday?", ON_TOPIC)
    (found,) = Relevance(keywords).evaluate([Interaction(question="and on sunday?", answer=ON_TOPIC, turns=turns)])
    assert isinstance(found, Scored)
    assert found.score > alone.score + 0.3


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Are you open on Sundays?", "yes"),
        ("Are you open on Sundays?", "No, sorry."),
        ("What is six times seven?", "42"),
        ("What is the capital of France?", "Paris"),
        ("Please close my account.", "Which account do you mean?"),
        ("I want a refund for my order.", "Could you tell me the order number?"),
    ],
)
def test_short_answers_and_clarifying_questions_are_more_relevant_than_other_topics(
    grounding_model: Model, question: str, answer: str
) -> None:
    other = judge(grounding_model, question, "Photosynthesis turns light into sugar.")
    assert judge(grounding_model, question, answer).score > other.score


def test_other_scripts_are_skipped(keywords: Model) -> None:
    batch = [
        Interaction(question="Как дела?", answer=ON_TOPIC),
        Interaction(question=QUESTION, answer="Хорошо, спасибо"),
        Interaction(question=QUESTION, answer=ON_TOPIC),
    ]
    first, second, third = Relevance(keywords).evaluate(batch)
    assert first == second == Skipped(Reason.UNSUPPORTED_LANGUAGE)
    assert isinstance(third, Scored)


def test_a_score_does_not_depend_on_its_batch(grounding_model: Model) -> None:
    evaluator = Relevance(grounding_model)
    batch = [Interaction(question=QUESTION, answer=text) for text in (ON_TOPIC, OFF_TOPIC, ON_TOPIC * 60, "No.", "🙂")]
    for together, interaction in zip(evaluator.evaluate(batch), batch, strict=True):
        (alone,) = evaluator.evaluate([interaction])
        assert isinstance(together, Scored)
        assert isinstance(alone, Scored)
        assert together.score == pytest.approx(alone.score, abs=1e-5)


@pytest.mark.parametrize("text", ["", "\x00", "🙂", "\ud800", "a" * 10_000, "? " * 1000])
def test_any_text_gets_a_score(grounding_model: Model, text: str) -> None:
    assert 0.0 <= judge(grounding_model, text, text).score <= 1.0
