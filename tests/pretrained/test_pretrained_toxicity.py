from pathlib import Path

import numpy as np
import pytest
from detoxify import Detoxify
from tiny_models import Spy, bert_classifier, detoxify_checkpoint, lettuce, roberta_classifier
from transformers import pipeline

from otel_agent_eval.evaluation import Evaluator, Interaction, Label, Part, Scored
from otel_agent_eval.models.pretrained.model import load_pretrained
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.models.tokens import spans
from otel_agent_eval.processors.pretrained.load import make_evaluator

TEXTS = ["The tower is 330 metres tall.", "who are you, you stupid idiot?", "Башня очень высокая.", "!", "塔は高いです"]
CLASSES = ["toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat", "sexual_explicit"]


def evaluator(folder: Path, name: str = "toxicity", labels: tuple[str, ...] = ()) -> Evaluator:
    return make_evaluator(name, load_pretrained(str(folder), threads=1), labels)


def scored(judge: Evaluator, texts: list[str]) -> list[Scored]:
    found = judge.evaluate([Interaction(answer=text, question=text) for text in texts])
    assert all(isinstance(evaluation, Scored) for evaluation in found)
    return [evaluation for evaluation in found if isinstance(evaluation, Scored)]


def test_a_checkpoint_scores_as_detoxify_does(tmp_path: Path) -> None:
    path = detoxify_checkpoint(tmp_path / "unbiased", CLASSES, outputs=len(CLASSES) + 9)
    theirs = Detoxify(checkpoint=str(path)).predict(TEXTS)
    ours = scored(evaluator(path), TEXTS)
    assert [own.score for own in ours] == pytest.approx(theirs["toxicity"], abs=1e-5)
    assert max(theirs["toxicity"]) - min(theirs["toxicity"]) > 0.05


def test_labels_become_the_categories_that_are_known(tmp_path: Path) -> None:
    path = detoxify_checkpoint(tmp_path / "original", CLASSES, outputs=len(CLASSES))
    theirs = Detoxify(checkpoint=str(path)).predict(TEXTS)
    names = {"insult": "insult", "threat": "threat", "obscene": "obscene"}
    names |= {"identity_attack": "identity_attack", "sexual_explicit": "sexual"}
    found = scored(evaluator(path), TEXTS)
    for i, own in enumerate(found):
        likely = {names[name] for name in names if theirs[name][i] >= 0.5 and theirs["toxicity"][i] >= 0.5}
        assert set(own.evidence.get("categories", ())) == likely
    assert any(own.evidence for own in found)


@pytest.mark.parametrize("problem", ["single_label_classification", "multi_label_classification"])
@pytest.mark.parametrize("make", [bert_classifier, roberta_classifier])
def test_a_classifier_scores_as_its_pipeline_does(tmp_path: Path, make: type, problem: str) -> None:
    folder = make(tmp_path / "classifier", ["neutral", "hate", "offensive"], problem_type=problem)
    theirs = pipeline("text-classification", model=str(folder), device="cpu")(TEXTS, top_k=None)
    by_label = [{entry["label"]: entry["score"] for entry in entries} for entries in theirs]
    together = sum if problem.startswith("single") else max
    expected = [together([labels["hate"], labels["offensive"]]) for labels in by_label]
    assert [own.score for own in scored(evaluator(folder), TEXTS)] == pytest.approx(expected, abs=1e-5)
    (only_hate, *_) = scored(evaluator(folder, labels=("Hate",)), TEXTS)
    assert only_hate.score == pytest.approx(by_label[0]["hate"], abs=1e-5)


def test_a_long_text_is_read_to_its_end_and_its_worst_window_counts(tmp_path: Path) -> None:
    model = load_pretrained(str(bert_classifier(tmp_path / "classifier", ["fine", "toxic"], length=16)), threads=1)
    judge, spy = make_evaluator("toxicity", model), Spy(model)
    (marker,) = model.tokenizer.encode(["stupid"])[0]
    (found,) = scored(judge, ["the tower is tall " * 20 + "stupid"])
    assert marker in spy.read
    room = 16 - 2
    ids = model.tokenizer.encode(["the tower is tall " * 20 + "stupid"])[0]
    windows = [model.tokenizer.single(ids[part]) for part in spans(len(ids), room)]
    assert found.score == pytest.approx(np.array(model.probabilities(windows))[:, 1].max(), abs=1e-6)
    assert len(windows) > 5


def test_input_toxicity_judges_the_question(tmp_path: Path) -> None:
    judge = evaluator(bert_classifier(tmp_path / "classifier", ["fine", "toxic"]), "input_toxicity")
    assert judge.needs == {Part.QUESTION}
    assert not judge.judges_answer
    (one,) = judge.evaluate([Interaction(answer="The tower is tall.", question=TEXTS[1])])
    (other,) = judge.evaluate([Interaction(answer="!", question=TEXTS[1])])
    assert one == other


def test_what_else_is_in_a_batch_does_not_change_a_score(tmp_path: Path) -> None:
    judge = evaluator(roberta_classifier(tmp_path / "classifier", ["fine", "toxic"]))
    texts = [*TEXTS, " ".join(TEXTS * 9)]
    together = [own.score for own in scored(judge, texts)]
    alone = [scored(judge, [text])[0].score for text in texts]
    assert together == pytest.approx(alone, abs=1e-5)


def test_the_threshold_and_the_version_say_what_they_are(tmp_path: Path) -> None:
    judge = evaluator(bert_classifier(tmp_path / "mine", ["fine", "toxic"]))
    assert judge.threshold == 0.5
    assert judge.version.startswith("mine@")
    assert len(judge.version) == len("mine@") + 8
    for own in scored(judge, TEXTS):
        assert own.label is (Label.FAIL if own.score >= 0.5 else Label.PASS)


@pytest.mark.parametrize("text", ["", " ", "\x00", "\ud800", "a" * 5000, "🙂" * 300, "\u202e\u200b"])
def test_any_text_gets_a_score(tmp_path: Path, text: str) -> None:
    assert scored(evaluator(bert_classifier(tmp_path / "classifier", ["fine", "toxic"])), [text])


def test_a_classifier_without_a_toxic_label_asks_for_one(tmp_path: Path) -> None:
    folder = bert_classifier(tmp_path / "mood", ["joy", "anger"])
    with pytest.raises(ModelError, match=r"toxicity cannot use mood@.*name them in labels: joy, anger"):
        evaluator(folder)
    assert scored(evaluator(folder, labels=("anger",)), TEXTS)
    with pytest.raises(ModelError, match="no label 'rage', but joy, anger"):
        evaluator(folder, labels=("rage",))


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a token classifier; toxicity needs a classifier of texts"):
        evaluator(lettuce(tmp_path / "lettuce"))
