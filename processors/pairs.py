"""How well a text answers a question: the relevance head, over questions and texts of any length."""

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from otel_agent_eval.models.model import Model, sigmoid
from otel_agent_eval.models.runtime import FloatArray
from otel_agent_eval.models.tokens import Ids, Window, spans
from otel_agent_eval.processors.reading import Steps, run_in_steps, sliding, words

_CLOSEST = 8
"""Pairs of a part of the question and a part of the text that are read together, the closest ones first."""
_OVERLAP = 32
"""Words that neighbouring parts of a long question have in common."""
_AT_ONCE = 16
"""Parts of a text that are made into tokens in one step."""
_BLOCK = 512
"""Parts whose closeness to as many others is found in one step."""


class PairReader:
    """Reads questions beside texts.

    All parts are read alone, which takes time in proportion to the text; the model reads together those that lie
    closest. `question_words` is the longest question that is read in one part.
    """

    def __init__(self, model: Model) -> None:
        head = model.heads["relevance"]
        self._model = model
        self._output, self._embedding = str(head["output"]), str(head["embedding_output"])
        self._weights = np.array(head["calibration"]["weights"])
        self._bias = float(head["calibration"]["bias"])
        self._size = int(head["pair_tokens"])
        self.question_words = int(head["template"]["question_words"])
        self._text_words, self._stride = int(head["window_words"]), int(head["stride_words"])

    def probabilities(self, asked: Sequence[tuple[Sequence[str], str]]) -> Steps[list[float]]:
        """Return for each text the probability that it answers the question beside it: that of the best pair of parts.

        A question can have several readings; the mean of what they give counts.
        """
        if not asked:
            return []
        pairs = [(reading, text) for readings, text in asked for reading in readings]
        found = iter((yield from self._each(pairs)))
        return [sum(next(found) for _ in readings) / len(readings) for readings, _ in asked]

    def _each(self, pairs: Sequence[tuple[str, str]]) -> Steps[list[float]]:
        asked: list[list[Ids]] = []
        said: list[list[Ids]] = []
        for question, text in pairs:
            asked.append((yield from self._parts(question, self.question_words, self.question_words - _OVERLAP)))
            said.append((yield from self._parts(text, self._text_words, self._stride)))
        every = [*asked, *said]
        windows = (self._model.tokenizer.single(ids) for parts in every for ids in parts)
        rows = yield from run_in_steps(self._model, self._embedding, windows)
        vectors = np.split(rows, np.cumsum([len(parts) for parts in every])[:-1])

        layouts: list[list[tuple[list[Window], float]]] = []  # for each pair: the windows of two parts, their cosine
        for questions, texts, a, b in zip(asked, said, vectors[: len(asked)], vectors[len(asked) :], strict=True):
            close = yield from _closest(a, b)
            layouts.append([(self._together(questions[i], texts[j]), cosine) for cosine, i, j in close])
        together = (window for layout in layouts for own, _ in layout for window in own)
        logits = iter((yield from run_in_steps(self._model, self._output, together)).reshape(-1).tolist())
        return [max(self._probability([next(logits) for _ in own], cosine) for own, cosine in one) for one in layouts]

    def _together(self, question: Ids, text: Ids) -> list[Window]:
        return [*chain(*self._model.tokenizer.pairs(question, text, self._size))]

    def _probability(self, logits: Sequence[float], cosine: float) -> float:
        return float(sigmoid(np.dot((max(logits), cosine), self._weights) + self._bias))

    def _parts(self, text: str, size: int, stride: int) -> Steps[list[Ids]]:
        """Cut a text into parts of so many words, the last of which ends with the text, and no longer than a window.

        Words that are no words (encoded data) can have any number of tokens. A part that comes again is left out.
        """
        found: dict[bytes, Ids] = {}
        before = None
        for count, part in enumerate(sliding(words(text), size, stride), 1):
            if part != before:
                (ids,) = self._model.tokenizer.encode([" ".join(part)])
                for window in spans(len(ids), self._size - 2):
                    own = array("I", ids[window])  # not a list: a text can have very many parts
                    found.setdefault(own.tobytes(), own)
                before = part
            if count % _AT_ONCE == 0:
                yield
        return [*found.values()]


def _closest(questions: FloatArray, texts: FloatArray) -> Steps[list[tuple[float, int, int]]]:
    """Return the closest pairs of the vectors of two texts: cosine and the numbers of both parts, the best first."""
    best: list[tuple[float, int, int]] = []
    for i, j in _blocks(len(questions), len(texts)):
        cosines = questions[i : i + _BLOCK] @ texts[j : j + _BLOCK].T
        for flat in np.argsort(-cosines, axis=None, kind="stable")[:_CLOSEST]:
            row, column = divmod(int(flat), cosines.shape[1])
            best.append((float(cosines[row, column]), i + row, j + column))
        best = sorted(best, key=lambda pair: (-pair[0], pair[1:]))[:_CLOSEST]
        yield
    return best


def _blocks(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in range(0, rows, _BLOCK) for j in range(0, columns, _BLOCK))
