"""Relevance of the answer, and of the documents, by a bi-encoder or a cross-encoder of sentence-transformers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import numpy as np

from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Scored, label
from otel_agent_eval.models.model import sigmoid
from otel_agent_eval.models.pretrained.card import Card, Kind
from otel_agent_eval.models.pretrained.model import PretrainedModel
from otel_agent_eval.models.pretrained.sentences import SentenceEncoder
from otel_agent_eval.models.runtime import FloatArray, ModelError
from otel_agent_eval.models.tokens import Window, spans
from otel_agent_eval.processors.pretrained.closest import Parts, beside
from otel_agent_eval.processors.reading import Steps, encoded, finish, in_turn, read_in_steps

_BLOCK = 512
"""Vectors that are compared with others at once."""

_Pair = tuple[str, str]


class _Scorer(Protocol):
    def scores(self, pairs: Sequence[_Pair]) -> Steps[list[float]]:
        """Return how well each second text answers the first, in [0, 1]."""
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
        return [self._judge(score) for score in scores]

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
        ranked = sorted(zip(scores, (document.id for document in documents), strict=True), key=lambda pair: -pair[0])
        relevant = tuple(name for score, name in ranked if score >= self.threshold)
        return Scored(
            score=ranked[0][0],
            label=label(ranked[0][0], self.threshold, self.direction),
            threshold=self.threshold,
            explanation=f"{len(relevant)} of {len(documents)} documents answer the question",
            evidence={"documents": relevant} if relevant else {},
        )


class _Cosine:
    """The cosine of the closest vectors of the two texts' windows; a negative one counts 0."""

    def __init__(self, model: PretrainedModel) -> None:
        encoder = SentenceEncoder(model)
        self._model = model
        self._prompts = (encoder.query_prompt, encoder.document_prompt)
        self._readers = tuple(map(encoder.reader, self._prompts))

    def scores(self, pairs: Sequence[_Pair]) -> Steps[list[float]]:
        asked = yield from self._vectors([question for question, _ in pairs], 0)
        answered = yield from self._vectors([answer for _, answer in pairs], 1)
        return [_closeness(a, b) for a, b in zip(asked, answered, strict=True)]

    def _vectors(self, texts: Sequence[str], side: int) -> Steps[list[FloatArray]]:
        """Return an array [windows, size] for each text."""
        counts: list[int] = []
        windows = self._windows(texts, self._prompts[side], counts)
        rows = iter((yield from read_in_steps(self._readers[side], windows, self._model.step)))
        return [np.array([next(rows) for _ in range(count)]) for count in counts]

    def _windows(self, texts: Sequence[str], prompt: str, counts: list[int]) -> Iterator[Window | None]:
        """Yield the windows of the texts, each behind the prompt; `counts` gets how many each text has."""
        tokenizer = self._model.tokenizer
        room = self._model.card.tokens - tokenizer.single_marks
        (lead,) = tokenizer.encode([prompt])
        for text in texts:
            ids = yield from encoded(prompt + text, tokenizer)
            before = ids[:0]
            if len(ids) > room and prompt:
                before, ids = ids[: len(lead)], (yield from encoded(text, tokenizer))
            parts = spans(len(ids), room - len(before))
            counts.append(len(parts))
            yield from (tokenizer.single(before + ids[part]) for part in parts)


class _CrossEncoder:
    """The model's one value as a probability, or the probability of the labels that mean relevant."""

    def __init__(self, model: PretrainedModel, labels: Sequence[str]) -> None:
        self._model = model
        self._relevant = relevant_labels(model.card, labels)

    def scores(self, pairs: Sequence[_Pair]) -> Steps[list[float]]:
        counts: list[int] = []
        windows = self._windows(pairs, counts)
        found = iter((yield from read_in_steps(self._probabilities, windows, self._model.step)))
        return [max(next(found) for _ in range(count)) for count in counts]

    def _windows(self, pairs: Sequence[_Pair], counts: list[int]) -> Iterator[Window | None]:
        """Yield the windows of the pairs; `counts` gets how many each pair has."""
        tokenizer = self._model.tokenizer
        for question, answer in pairs:
            asked = Parts((yield from encoded(question, tokenizer)))
            answered = yield from encoded(answer, tokenizer)
            counts.append(0)
            for part, others in beside(asked, answered, self._model.card.tokens - tokenizer.pair_marks):
                counts[-1] += len(others)
                yield from (tokenizer.pair(other, part) for other in others)

    def _probabilities(self, windows: Sequence[Window]) -> list[float]:
        return [self._probability(row) for row in self._model.rows(windows)]

    def _probability(self, logits: FloatArray) -> float:
        if len(self._model.card.labels) == 1:
            return float(sigmoid(logits[0]))
        return float(self._model.card.probabilities(logits)[self._relevant].sum().clip(0.0, 1.0))


def _closeness(one: FloatArray, other: FloatArray) -> float:
    """Return the largest cosine of a vector of one text and one of the other, in [0, 1]."""
    blocks = (one[start : start + _BLOCK] @ other.T for start in range(0, len(one), _BLOCK))
    return float(np.clip(max(block.max() for block in blocks), 0.0, 1.0))


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
