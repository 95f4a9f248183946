"""Relevance by a bi-encoder or a cross-encoder of sentence-transformers."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final, Protocol

import numpy as np

from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Reason, Scored, Skipped, label
from otel_agent_eval.models.model import sigmoid
from otel_agent_eval.models.pretrained.card import Card, Kind
from otel_agent_eval.models.pretrained.model import PretrainedModel
from otel_agent_eval.models.pretrained.sentences import SentenceEncoder
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.processors.pretrained.verifier import MAX_WINDOWS

_Pair = tuple[str, str]


class _Scorer(Protocol):
    def scores(self, pairs: Sequence[_Pair]) -> list[float | None]:
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
        if model.card.kind is Kind.ENCODER:
            if labels:
                raise ModelError("a bi-encoder has no labels: leave them out")
            self._scorer: _Scorer = _Cosine(model)
        else:
            self._scorer = _CrossEncoder(model, labels)
        self.version = model.version

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        """Return one evaluation for each interaction, whatever its language."""
        scores = self._scorer.scores([(interaction.question, interaction.answer) for interaction in batch])
        return [Skipped(Reason.TRUNCATED) if score is None else self._judge(score) for score in scores]

    def _judge(self, score: float) -> Scored:
        return Scored(
            score=score,
            label=label(score, self.threshold, self.direction),
            threshold=self.threshold,
            explanation=f"relevance to the question {score:.2f}",
        )


class _Cosine:
    """The cosine of the two texts' vectors; a negative one counts 0."""

    def __init__(self, model: PretrainedModel) -> None:
        self._encoder = SentenceEncoder(model)

    def scores(self, pairs: Sequence[_Pair]) -> list[float | None]:
        asked = self._encoder.encode([question for question, _ in pairs], self._encoder.query_prompt)
        answered = self._encoder.encode([answer for _, answer in pairs], self._encoder.document_prompt)
        return [float(np.clip((a @ b.T).max(), 0.0, 1.0)) for a, b in zip(asked, answered, strict=True)]


class _CrossEncoder:
    """The model's one value as a probability, or the probability of the labels that mean relevant."""

    def __init__(self, model: PretrainedModel, labels: Sequence[str]) -> None:
        self._model = model
        self._relevant = relevant_labels(model.card, labels)

    def scores(self, pairs: Sequence[_Pair]) -> list[float | None]:
        tokenizer, size = self._model.tokenizer, self._model.card.tokens
        asked = tokenizer.encode([question for question, _ in pairs])
        answered = tokenizer.encode([answer for _, answer in pairs])
        laid = [[*chain(*tokenizer.pairs(a, b, size))] for a, b in zip(asked, answered, strict=True)]
        laid = [windows if len(windows) <= MAX_WINDOWS else [] for windows in laid]
        rows = iter(self._model.rows([window for windows in laid for window in windows]))
        return [max((self._probability(next(rows)) for _ in windows), default=None) for windows in laid]

    def _probability(self, logits: np.ndarray) -> float:
        if len(self._model.card.labels) == 1:
            return float(sigmoid(logits[0]))
        return float(self._model.card.probabilities(logits)[self._relevant].sum().clip(0.0, 1.0))


def relevant_labels(card: Card, labels: Sequence[str] = ()) -> list[int]:
    """Return the positions of the labels that mean relevant. Raises `ModelError` where there is none."""
    if card.kind is not Kind.CLASSIFIER:
        raise ModelError(f"it is a {card.kind}; relevance needs a bi-encoder or a cross-encoder")
    found = card.find(labels) or card.known({"relevant"}) or ([0] if len(card.labels) == 1 else [])
    if not found:
        raise ModelError(f"none of its labels is known to mean relevant; name them in labels: {', '.join(card.labels)}")
    return found
