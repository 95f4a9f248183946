"""Whatever the texts, each evaluator on a model of the user's choice gives a score."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from support.hostile_texts import PLAIN, TEXTS
from tiny_models import bert_classifier, bi_encoder, hhem, lettuce, roberta_classifier

from otel_agent_eval.evaluation import Document, Evaluator, Interaction, Scored, describe
from otel_agent_eval.evaluation.eligibility import bounded, reason_to_skip
from otel_agent_eval.evaluation.running import run
from otel_agent_eval.models.pretrained.model import load_pretrained
from otel_agent_eval.processors.pretrained.load import make_evaluator

NLI = ["contradiction", "entailment", "neutral"]
MAKERS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "classifier": ("toxicity", lambda folder: roberta_classifier(folder, ["fine", "toxic"])),
    "nli": ("faithfulness", lambda folder: bert_classifier(folder, NLI)),
    "hhem": ("faithfulness", lambda folder: hhem(folder)[0]),
    "lettuce": ("faithfulness", lettuce),
    "bi-encoder": ("relevance", lambda folder: bi_encoder(folder, prompts={"query": "how "})),
    "cross-encoder": ("relevance", lambda folder: bert_classifier(folder, ["LABEL_0"])),
    "documents": ("context_relevance", lambda folder: bert_classifier(folder, ["LABEL_0"])),
}


@pytest.fixture(scope="module")
def evaluators(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Evaluator]:
    """Makes the evaluator of a kind, once."""

    @cache
    def made(kind: str) -> Evaluator:
        name, make = MAKERS[kind]
        return make_evaluator(name, load_pretrained(str(make(tmp_path_factory.mktemp(kind))), threads=2))

    return made


def judge(evaluator: Evaluator, interaction: Interaction) -> None:
    interaction = bounded(interaction)
    if reason_to_skip(interaction, describe(evaluator)) is None:
        (found,) = run(evaluator, [interaction])
        assert isinstance(found, Scored)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("kind", MAKERS)
def test_any_text_anywhere_gets_a_score(evaluators: Callable[[str], Evaluator], kind: str, text: str) -> None:
    evaluator, hostile = evaluators(kind), TEXTS[text]
    documents = (Document(id="1", text=PLAIN),)
    judge(evaluator, Interaction(answer=hostile, question="How tall is it?", documents=documents))
    judge(evaluator, Interaction(answer=PLAIN, question=hostile, documents=documents))
    judge(evaluator, Interaction(answer=PLAIN, question="How tall?", documents=(Document(id="1", text=hostile),)))
    judge(evaluator, Interaction(answer=PLAIN, question="How?", documents=documents, grounding=(hostile,)))


@pytest.mark.parametrize("kind", MAKERS)
def test_five_hundred_documents_get_a_score(evaluators: Callable[[str], Evaluator], kind: str) -> None:
    documents = tuple(Document(id=str(n), text=f"The square number {n} of Paris is wide.") for n in range(500))
    last = Document(id="last", text=PLAIN)
    judge(evaluators(kind), Interaction(answer=PLAIN, question=PLAIN, documents=(*documents, last)))
