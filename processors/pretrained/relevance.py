"""Relevance of the answer, and of the documents, by a bi-encoder or a cross-encoder of sentence-transformers."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final, Protocol

import numpy as np

from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Reason, Scored, Skipped, label
from otel_agent_eval.models.model import sigmoid
from otel_agent_eval.models.pretrained.card import Card, Kind
from otel_agent_eval.models.pretrained.model import PretrainedModel, Steps
from otel_agent_eval.models.pretrained.sentences import SentenceEncoder
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.processors.pretrained.verifier import MAX_WINDOWS
from otel_agent_eval.processors.reading import finish, in_turn

_Pair = tuple[str, str]


class _Scorer(Protocol):
    def scores(self, pairs: Sequence[_Pair]) -> Steps[list[float | None]]:
        """Return how well each second text answers the first, in [0, 1]; None for what is too long to be read."""
        ...


class PretrainedRelevance:
    """How well the answer answers the question: the best pair of their windows. Higher is better.

    The threshold is not calibrated, and the cosine of a bi-encoder is not a probability.
    """

    name = "relevance"
    direction = Direction.HIGHER_IS_BETTER
    needs = frozenset({Part.QUESTION, Part.ANSWER})
    judges_answer = True
    evidence: tuple[str, ...] = ()
    threshold = 0.5
    when_truncated: Final[Mapping[Part, Label]] = {}

    def __init__(self, model: PretrainedModel, labels: Sequence[str]) -> None:
        self._scorer = _scorer(model, labels)
        self.version = model.version

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        """Return one evaluation for each interaction, whatever its language."""
        return finish(self.steps(batch))

    def steps(self, batch: Sequence[Interaction]) -> Steps[list[Evaluation]]:
        """Do what `evaluate` does, in steps."""
        scores = yield from self._scorer.scores([(interaction.question, interaction.answer) for interaction in batch])
        return [Skipped(Reason.TRUNCATED) if score is None else self._judge(score) for score in scores]

    def _judge(self, score: float) -> Scored:
        return Scored(
            score=score,
            label=label(score, self.threshold, self.direction),
            threshold=self.threshold,
            explanation=f"relevance to the question {score:.2f}",
        )


class PretrainedContextRelevance:
    """How well the best of the retrieved documents answers the question. Higher is better.

    Evidence: `documents`, the ids of those at or above the threshold, the best first; the threshold is not calibrated.
    """

    name = "context_relevance"
    direction = Direction.HIGHER_IS_BETTER
    needs = frozenset({Part.QUESTION, Part.DOCUMENTS})
    judges_answer = False
    evidence: tuple[str, ...] = ("documents",)
    threshold = 0.5

    def __init__(self, model: PretrainedModel, labels: Sequence[str]) -> None:
        self._scorer = _scorer(model, labels)
        self.version = model.version
        self.when_truncated: Mapping[Part, Label] = {Part.DOCUMENTS: Label.PASS}

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        """Return one evaluation for each interaction, whatever its language."""
        return finish(self.steps(batch))

    def steps(self, batch: Sequence[Interaction]) -> Steps[list[Evaluation]]:
        """Do what `evaluate` does, in steps."""
        return in_turn(batch, self._judge)

    def _judge(self, interaction: Interaction) -> Steps[Evaluation]:
        documents = interaction.documents
        scores = yield from self._scorer.scores([(interaction.question, document.text) for document in documents])
        read = [(score, document.id) for score, document in zip(scores, documents, strict=True) if score is not None]
        if not read:
            return Skipped(Reason.TRUNCATED)
        ranked = sorted(read, key=lambda pair: -pair[0])
        relevant = tuple(name for score, name in ranked if score >= self.threshold)
        return Scored(
            score=ranked[0][0],
            label=label(ranked[0][0], self.threshold, self.direction),
            threshold=self.threshold,
            explanation=f"{len(relevant)} of {len(documents)} documents answer the question",
            evidence={"documents": relevant} if relevant else {},
        )


class _Cosine:
    """The cosine of the two texts' vectors; a negative one counts 0."""

    def __init__(self, model: PretrainedModel) -> None:
        self._encoder = SentenceEncoder(model)

    def scores(self, pairs: Sequence[_Pair]) -> Steps[list[float | None]]:
        asked = yield from self._encoder.encode([question for question, _ in pairs], self._encoder.query_prompt)
        answered = yield from self._encoder.encode([answer for _, answer in pairs], self._encoder.document_prompt)
        return [float(np.clip((a @ b.T).max(), 0.0, 1.0)) for a, b in zip(asked, answered, strict=True)]


class _CrossEncoder:
    """The model's one value as a probability, or the probability of the labels that mean relevant."""

    def __init__(self, model: PretrainedModel, labels: Sequence[str]) -> None:
        self._model = model
        self._relevant = relevant_labels(model.card, labels)

    def scores(self, pairs: Sequence[_Pair]) -> Steps[list[float | None]]:
        tokenizer, size = self._model.tokenizer, self._model.card.tokens
        asked = tokenizer.encode([question for question, _ in pairs])
        answered = tokenizer.encode([answer for _, answer in pairs])
        laid = [[*chain(*tokenizer.pairs(a, b, size))] for a, b in zip(asked, answered, strict=True)]
        laid = [windows if len(windows) <= MAX_WINDOWS else [] for windows in laid]
        rows = iter((yield from self._model.rows([window for windows in laid for window in windows])))
        return [max((self._probability(next(rows)) for _ in windows), default=None) for windows in laid]

    def _probability(self, logits: np.ndarray) -> float:
        if len(self._model.card.labels) == 1:
            return float(sigmoid(logits[0]))
        return float(self._model.card.probabilities(logits)[self._relevant].sum().clip(0.0, 1.0))


def _scorer(model: PretrainedModel, labels: Sequence[str]) -> _Scorer:
    if model.card.kind is not Kind.ENCODER:
        return _CrossEncoder(model, labels)
    if labels:
        raise ModelError("a bi-encoder has no labels: leave them out")
    return _Cosine(model)


def relevant_labels(card: Card, labels: Sequence[str] = ()) -> list[int]:
    """Return the positions of the labels that mean relevant. Raises `ModelError` where there is none."""
    if card.kind is not Kind.CLASSIFIER:
        raise ModelError(f"it is a {card.kind}; relevance needs a bi-encoder or a cross-encoder")
    found = card.find(labels) or card.known({"relevant"}) or ([0] if len(card.labels) == 1 else [])
    if not found:
        raise ModelError(f"none of its labels is known to mean relevant; name them in labels: {', '.join(card.labels)}")
    return found
