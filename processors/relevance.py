"""Does the answer answer the question?"""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Final

import numpy as np

from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Reason, Scored, Skipped, label
from otel_agent_eval.models.model import Model, sigmoid
from otel_agent_eval.models.runtime import FloatArray
from otel_agent_eval.models.tokens import Window, spans
from otel_agent_eval.processors.language import is_readable

_CLOSEST = 8
"""Pairs of a part of the question and a part of the answer that are read together, the closest ones first."""

_Part = tuple[int, ...]
"""The token ids of a part of a text."""


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
        asked = self._parts([interaction.question for interaction in batch], self._question_words)
        answered = self._parts([interaction.answer for interaction in batch], self._answer_words, self._stride)
        vectors = self._embed({ids for parts in (*asked, *answered) for ids in parts})

        windows: list[Window] = []
        read: list[list[tuple[slice, float]]] = []  # for each interaction: the windows of a pair, and how close it is
        for questions, answers in zip(asked, answered, strict=True):
            read.append([])
            cosines = np.array([vectors[ids] for ids in questions]) @ np.array([vectors[ids] for ids in answers]).T
            for flat in np.argsort(-cosines, axis=None, kind="stable")[:_CLOSEST]:
                i, j = divmod(int(flat), len(answers))
                start = len(windows)
                windows.extend(chain(*self._model.tokenizer.pairs(questions[i], answers[j], self._size)))
                read[-1].append((slice(start, len(windows)), float(cosines[i, j])))

        logits = self._model.run(self._output, windows)
        return [max(self._probability(float(logits[own].max()), cosine) for own, cosine in pairs) for pairs in read]

    def _probability(self, logit: float, cosine: float) -> float:
        return float(sigmoid(np.dot((logit, cosine), self._weights) + self._bias))

    def _parts(self, texts: Sequence[str], words: int, stride: int = 0) -> list[list[_Part]]:
        """Cut each text into parts of so many words, the last of which ends with the text, and no longer than a window.

        Words that are no words (encoded data) can have any number of tokens.
        """
        cut = [[" ".join(every[part]) for part in spans(len(every), words, stride)] for every in map(str.split, texts)]
        ids = iter(self._model.tokenizer.encode(list(chain(*cut))))
        return [
            [tuple(own[part]) for own in (next(ids) for _ in parts) for part in spans(len(own), self._size - 2)]
            for parts in cut
        ]

    def _embed(self, parts: Collection[_Part]) -> dict[_Part, FloatArray]:
        """Return a vector of length 1 for each part."""
        ordered = list(parts)
        rows = self._model.run(self._embedding, [self._model.tokenizer.single(ids) for ids in ordered])
        return dict(zip(ordered, rows, strict=True))
