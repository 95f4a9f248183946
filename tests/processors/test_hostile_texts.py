"""Whatever the texts, each built-in evaluator gives a score or a reason."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.hostile_texts import MEGABYTE, PLAIN, TEXTS
from support.keyword_model import TOXIC_WORD
from support.windows_run import record_runs

from otel_agent_eval.evaluation import Document, Evaluator, Interaction, Label, Scored, Skipped, describe
from otel_agent_eval.evaluation.eligibility import bounded, reason_to_skip
from otel_agent_eval.evaluation.running import run
from otel_agent_eval.models.model import Model
from otel_agent_eval.processors.registry import BUILT_IN


@pytest.fixture(params=BUILT_IN)
def evaluator(request: pytest.FixtureRequest, keywords: Model) -> Evaluator:
    made: Evaluator = BUILT_IN[request.param](keywords)
    return made


def judge(evaluator: Evaluator, interaction: Interaction) -> None:
    interaction = bounded(interaction)
    if reason_to_skip(interaction, describe(evaluator)) is None:
        (found,) = run(evaluator, [interaction])
        assert isinstance(found, Scored | Skipped)


@pytest.mark.parametrize("kind", TEXTS)
def test_any_text_anywhere_gets_a_score_or_a_reason(evaluator: Evaluator, kind: str) -> None:
    text, documents = TEXTS[kind], (Document(id="1", text=PLAIN),)
    judge(evaluator, Interaction(answer=text, question="How tall is it?", documents=documents))
    judge(evaluator, Interaction(answer=PLAIN, question=text, documents=documents))
    judge(evaluator, Interaction(answer=PLAIN, question="How tall is it?", documents=(Document(id="1", text=text),)))
    judge(evaluator, Interaction(answer=PLAIN, question="How?", documents=documents, grounding=(text,)))


@settings(max_examples=50)
@given(st.text(max_size=80), st.text(max_size=80), st.lists(st.text(max_size=80), max_size=3))
def test_any_texts_together_get_a_score_or_a_reason(
    keywords: Model, answer: str, question: str, texts: list[str]
) -> None:
    documents = tuple(Document(id=str(number), text=text) for number, text in enumerate(texts))
    for make in BUILT_IN.values():
        judge(make(keywords), Interaction(answer=answer, question=question, documents=documents, grounding=(answer,)))


def test_five_hundred_documents_are_all_read(evaluator: Evaluator) -> None:
    documents = tuple(Document(id=str(n), text=f"Banana number {n} is rich in potassium.") for n in range(500))
    last = Document(id="last", text=PLAIN)
    (found,) = run(evaluator, [Interaction(answer=PLAIN, question=PLAIN, documents=(*documents, last))])
    assert isinstance(found, Scored)
    if "documents" in evaluator.evidence:
        assert "last" in found.evidence["documents"]


def test_ten_megabytes_are_read_to_their_end_and_what_comes_again_is_run_once(
    keywords: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = record_runs(keywords, monkeypatch)
    (found,) = run(BUILT_IN["toxicity"](keywords), [Interaction(answer="a" * (10 * MEGABYTE) + f" {TOXIC_WORD}")])
    assert isinstance(found, Scored)
    assert found.label is Label.FAIL
    assert sum(runs) < 200
