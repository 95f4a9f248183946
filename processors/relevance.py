"""Does the answer answer the question?"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Reason, Scored, Skipped, label
from otel_agent_eval.models.model import Model, sigmoid
from otel_agent_eval.models.tokens import Ids, Window, spans
from otel_agent_eval.processors.language import is_readable

_CLOSEST = 8
"""Pairs of a part of the question and a part of the answer that are read together, the closest ones first."""


class Relevance:
    """The probability that the answer answers the question: that of the best pair of their parts. Higher is better.

    All parts are read alone, which takes time in proportion to the text; the model reads together those that lie
    closest.
    """

    name = "relevance"
    direction = Direction.HIGHER_IS_BETTER
    needs = frozenset({Part.QUESTION, Part.ANSWER})
    judges_answer = True
    evidence: tuple[str, ...] = ()
    when_truncated: Final[Mapping[Part, Label]] = {}

    def __init__(self, model: Model) -> None:
        head = model.heads["relevance"]
        self._model = model
        self._output, self._embedding = str(head["output"]), str(head["embedding_output"])
        self._weights = np.array(head["calibration"]["weights"])
        self._bias = float(head["calibration"]["bias"])
        self._size = int(head["pair_tokens"])
        self._question_words = int(head["template"]["question_words"])
        self._answer_words, self._stride = int(head["window_words"]), int(head["stride_words"])
        self.version = f"builtin/relevance@{model.version}"
        self.threshold = float(head["threshold"])

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        """Return one evaluation for each interaction."""
        readable = [is_readable(interaction.question) and is_readable(interaction.answer) for interaction in batch]
        scores = iter(self._scores([i for i, ok in zip(batch, readable, strict=True) if ok]))
        return [self._judge(next(scores)) if ok else Skipped(Reason.UNSUPPORTED_LANGUAGE) for ok in readable]

    def _judge(self, score: float) -> Scored:
        return Scored(
            score=score,
            label=label(score, self.threshold, self.direction),
            threshold=self.threshold,
            explanation=f"answers the question with probability {score:.2f}",
        )

    def _scores(self, batch: Sequence[Interaction]) -> list[float]:
        asked = [_parts(interaction.question, self._question_words) for interaction in batch]
        answered = [_parts(interaction.answer, self._answer_words, self._stride) for interaction in batch]
        texts = list(dict.fromkeys(chain(*asked, *answered)))
        ids = dict(zip(texts, self._model.tokenizer.encode(texts), strict=True))
        vectors = dict(zip(texts, self._embed([ids[text] for text in texts]), strict=True))

        windows: list[Window] = []
        read: list[list[tuple[slice, float]]] = []  # for each interaction: the windows of a pair, and how close it is
        for questions, answers in zip(asked, answered, strict=True):
            read.append([])
            cosines = np.array([vectors[text] for text in questions]) @ np.array([vectors[text] for text in answers]).T
            for flat in np.argsort(-cosines, axis=None, kind="stable")[:_CLOSEST]:
                i, j = divmod(int(flat), len(answers))
                pair = chain(*self._model.tokenizer.pairs(ids[questions[i]], ids[answers[j]], self._size))
                start = len(windows)
                windows.extend(pair)
                read[-1].append((slice(start, len(windows)), float(cosines[i, j])))

        logits = self._model.run(self._output, windows)
        return [max(self._probability(float(logits[own].max()), cosine) for own, cosine in pairs) for pairs in read]

    def _probability(self, logit: float, cosine: float) -> float:
        return float(sigmoid(np.dot((logit, cosine), self._weights) + self._bias))

    def _embed(self, texts: Sequence[Ids]) -> list[NDArray[np.float64]]:
        """Return vectors of length 1; that of a text longer than a window has the mean direction of its parts."""
        parts = [[ids[part] for part in spans(len(ids), self._size - 2)] for ids in texts]
        rows = iter(self._model.run(self._embedding, [self._model.tokenizer.single(ids) for ids in chain(*parts)]))
        sums = [np.array([next(rows) for _ in own], dtype=np.float64).sum(axis=0) for own in parts]
        return [total / max(float(np.linalg.norm(total)), 1e-9) for total in sums]


def _parts(text: str, size: int, stride: int = 0) -> list[str]:
    """Cut a text into parts of `size` words; the last one ends with the text."""
    words = text.split()
    return [" ".join(words[part]) for part in spans(len(words), size, stride)]
