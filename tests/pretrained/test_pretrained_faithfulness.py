from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from tiny_models import (
    Spy,
    bert_classifier,
    bi_encoder,
    deberta_classifier,
    hhem,
    lettuce,
    roberta_classifier,
    windows_read,
)
from transformers import AutoModelForTokenClassification, AutoTokenizer

from otel_agent_eval.evaluation import Document, Evaluator, Interaction, Scored, Skipped
from otel_agent_eval.evaluation.evaluator import Stepwise
from otel_agent_eval.models.pretrained.model import load_pretrained
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.processors.pretrained.load import make_evaluator
from otel_agent_eval.processors.sentences import claims

DOCUMENTS = ["The Eiffel Tower is 330 metres tall.", "The square of Paris around it is wide."]
ANSWER = "The tower is 330 metres tall. The square is very wide indeed. Il est 14 km de haut."
NLI = ["contradiction", "entailment", "neutral"]


def evaluator(folder: Path, labels: tuple[str, ...] = ()) -> Evaluator:
    return make_evaluator("faithfulness", load_pretrained(str(folder), threads=1), labels)


def interaction(answer: str = ANSWER, documents: list[str] = DOCUMENTS, question: str = "How tall?") -> Interaction:
    found = tuple(Document(id=f"d{i}", text=text) for i, text in enumerate(documents))
    return Interaction(answer=answer, question=question, documents=found)


def scored(judge: Evaluator, asked: Interaction) -> Scored:
    (found,) = judge.evaluate([asked])
    assert isinstance(found, Scored)
    return found


@pytest.mark.parametrize("make", [bert_classifier, roberta_classifier, deberta_classifier])
def test_the_weakest_claim_scores_as_the_cross_encoder_does(tmp_path: Path, make: type) -> None:
    folder = make(tmp_path / "nli", NLI)
    judge = evaluator(folder)
    premise = "\n".join(DOCUMENTS)
    pairs = [(premise, claim.text) for claim in claims(ANSWER)]
    logits = CrossEncoder(str(folder), device="cpu").predict(pairs)
    entailed = torch.softmax(torch.tensor(logits), dim=-1)[:, 1].tolist()
    found = scored(judge, interaction())
    assert found.score == pytest.approx(min(entailed), abs=1e-5)
    weak = tuple(text for (_, text), p in zip(pairs, entailed, strict=True) if p < 0.5)
    assert found.evidence.get("unsupported", ()) == weak


def test_one_value_is_the_probability_of_support(tmp_path: Path) -> None:
    folder = bert_classifier(tmp_path / "hhem-1", ["LABEL_0"])
    (expected,) = CrossEncoder(str(folder), device="cpu").predict([(DOCUMENTS[0], "The tower is tall.")])
    found = scored(evaluator(folder), interaction("The tower is tall.", DOCUMENTS[:1]))
    assert found.score == pytest.approx(float(expected), abs=1e-5)


def test_hhem_scores_as_published_and_runs_none_of_its_code(tmp_path: Path) -> None:
    folder, inside = hhem(tmp_path / "hhem")
    prompt = "<pad> Determine if the hypothesis is true given the premise?\n\nPremise: {}\n\nHypothesis: {}"
    texts = [prompt.format("\n".join(DOCUMENTS), claim.text) for claim in claims(ANSWER)]
    tokens = AutoTokenizer.from_pretrained(tmp_path / "hhem", trust_remote_code=False)
    with torch.no_grad():
        logits = inside(**tokens(texts, return_tensors="pt", padding=True, return_token_type_ids=False)).logits
    expected = torch.softmax(logits[:, 0, :], dim=-1)[:, 1]
    found = scored(evaluator(folder), interaction())
    assert found.score == pytest.approx(float(expected.min()), abs=1e-5)
    assert float(expected.max() - expected.min()) > 1e-3


def lettuce_of(folder: Path, prompt: str, answer: str) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """How LettuceDetect reads: the probability that each token of the answer is unsupported, and where it stands."""
    tokens = AutoTokenizer.from_pretrained(folder)
    both = tokens(prompt, answer, return_tensors="pt", return_offsets_mapping=True, return_token_type_ids=False)
    offsets = both.pop("offset_mapping")[0].tolist()
    length = len(tokens(answer, add_special_tokens=False).input_ids)
    with torch.no_grad():
        logits = AutoModelForTokenClassification.from_pretrained(folder).eval()(**both).logits[0]
    own = slice(len(offsets) - length - 1, len(offsets) - 1)
    return torch.softmax(logits, dim=-1)[own, 1].numpy(), [tuple(pair) for pair in offsets[own]]


def test_tokens_are_judged_as_lettucedetect_reads_them(tmp_path: Path) -> None:
    folder = lettuce(tmp_path / "lettuce")
    prompt = (
        "Briefly answer the following question:\nHow tall?\n"
        "Bear in mind that your response should be strictly based on the following 2 passages:\n"
        f"passage 1: {DOCUMENTS[0]}\npassage 2: {DOCUMENTS[1]}\n"
        "In case the passages do not contain the necessary information to answer the question, please reply with: "
        '"Unable to answer based on given passages."\noutput:'
    )
    unsupported, offsets = lettuce_of(folder, prompt, ANSWER)
    by_claim = []
    for claim in claims(ANSWER):
        inside = [p for p, (a, b) in zip(unsupported, offsets, strict=True) if a < claim.end and b > claim.start]
        by_claim.append(1.0 - float(max(inside)))
    found = scored(evaluator(folder), interaction())
    assert found.score == pytest.approx(min(by_claim), abs=1e-5)
    assert len({round(p, 3) for p in by_claim}) > 1


def test_without_a_question_lettucedetect_reads_a_summary(tmp_path: Path) -> None:
    folder = lettuce(tmp_path / "lettuce")
    prompt = f"Summarize the following text:\npassage 1: {DOCUMENTS[0]}\noutput:"
    unsupported, _ = lettuce_of(folder, prompt, "The tower is tall.")
    found = scored(evaluator(folder), interaction("The tower is tall.", DOCUMENTS[:1], question=""))
    assert found.score == pytest.approx(1.0 - float(unsupported.max()), abs=1e-5)


KINDS = {
    "nli": lambda folder: bert_classifier(folder, NLI),
    "hhem": lambda folder: hhem(folder)[0],
    "lettuce": lettuce,
}


@pytest.mark.parametrize("kind", KINDS)
def test_documents_longer_than_a_window_are_read_to_the_end(tmp_path: Path, kind: str) -> None:
    model = load_pretrained(str(KINDS[kind](tmp_path / kind)), threads=1)
    spy, (last,) = Spy(model), model.tokenizer.encode(["Il est haut"])
    filler = ["The square of Paris is wide, and very wide it is." for _ in range(200 if kind == "hhem" else 12)]
    judge = make_evaluator("faithfulness", model)
    scored(judge, interaction("The tower is 330 metres tall.", filler))
    before = frozenset(spy.read)
    scored(judge, interaction("The tower is 330 metres tall.", [*filler, "Il est haut"]))
    assert (spy.read - before) & set(last)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_of_many_claims_is_read_in_steps_to_its_last_one(tmp_path: Path, kind: str) -> None:
    model = load_pretrained(str(KINDS[kind](tmp_path / kind)), threads=1)
    spy, judge = Spy(model), make_evaluator("faithfulness", model)
    assert isinstance(judge, Stepwise)
    claims = " ".join(f"The tower is {i} metres tall." for i in range(300))
    steps = judge.steps([interaction(f"{claims} It is stupid.")])
    assert sum(1 for _ in steps) > 10
    before, after = model.tokenizer.encode([claims, f"{claims} It is stupid."])
    assert {*after} - {*before} <= spy.read


def test_of_many_documents_each_claim_is_read_beside_the_closest(tmp_path: Path) -> None:
    model = load_pretrained(str(bert_classifier(tmp_path / "nli", NLI)), threads=1)
    read, judge = windows_read(model), make_evaluator("faithfulness", model)
    documents = [f"The square of Paris is wide and very wide indeed, {i}." for i in range(500)]
    scored(judge, interaction("The tower is stupid.", [*documents, "The tower is stupid.", *documents]))
    (wanted,) = model.tokenizer.encode(["stupid"])
    assert len(read) <= 16
    assert any(window.ids.count(wanted[0]) > 1 for window in read)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_longer_than_a_window_gets_a_score(tmp_path: Path, kind: str) -> None:
    judge = evaluator(KINDS[kind](tmp_path / kind))
    answer = "The tower " + "is wide and " * 200 + "tall."
    assert 0.0 <= scored(judge, interaction(answer)).score <= 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_texts_get_a_score_or_a_reason(tmp_path: Path, kind: str) -> None:
    judge = evaluator(KINDS[kind](tmp_path / kind))
    texts = [
        "\x00",
        "\ud800 is \ud800.",
        "塔は高いです。とても高い。",
        "a" * 3000,
        "{0} {premise} %s",
        "<pad></s>",
        ".",
    ]
    for text in texts:
        (found,) = judge.evaluate([interaction(text, [text, *DOCUMENTS], question=text)])
        assert isinstance(found, Scored | Skipped)


def test_what_claims_nothing_passes(tmp_path: Path) -> None:
    found = scored(evaluator(bert_classifier(tmp_path / "nli", NLI)), interaction("I don't know."))
    assert (found.score, found.explanation) == (1.0, "nothing is claimed")


def test_documents_named_are_those_that_share_words_with_a_supported_claim(tmp_path: Path) -> None:
    folder = bert_classifier(tmp_path / "nli", NLI)
    judge = evaluator(folder, labels=tuple(NLI))  # everything is supported
    found = scored(judge, interaction("The Eiffel Tower is 330 metres tall."))
    assert found.score == pytest.approx(1.0)
    assert found.evidence == {"documents": ("d0",)}


def test_a_classifier_without_an_entailment_label_asks_for_one(tmp_path: Path) -> None:
    folder = bert_classifier(tmp_path / "mood", ["LABEL_0", "LABEL_1"])
    with pytest.raises(ModelError, match=r"faithfulness cannot use mood@\w+: it has no entailment label.*LABEL_0"):
        evaluator(folder)
    assert 0.0 <= scored(evaluator(folder, labels=("LABEL_1",)), interaction()).score <= 1.0


def test_a_bi_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a bi-encoder; faithfulness needs a classifier of pairs or of tokens"):
        evaluator(bi_encoder(tmp_path / "bi"))
