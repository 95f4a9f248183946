"""Support by a classifier of tokens that marks what is not supported: LettuceDetect, and others made like it."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise

import numpy as np
from numpy.typing import NDArray

from otel_agent_eval.evaluation import Interaction
from otel_agent_eval.models.pretrained.card import Card
from otel_agent_eval.models.pretrained.model import PretrainedModel
from otel_agent_eval.models.runtime import FloatArray, ModelError
from otel_agent_eval.models.tokens import Ids, Window, spans
from otel_agent_eval.processors.pretrained.closest import Parts
from otel_agent_eval.processors.reading import Steps, pieces, read_in_steps
from otel_agent_eval.processors.sentences import Sentence

# What LettuceDetect was trained on; its models know no other form.
_WITH_QUESTION = (
    "Briefly answer the following question:\n{question}\n"
    "Bear in mind that your response should be strictly based on the following {count} passages:\n{passages}\n"
    "In case the passages do not contain the necessary information to answer the question, please reply with: "
    '"Unable to answer based on given passages."\noutput:'
)
_WITHOUT_QUESTION = "Summarize the following text:\n{passages}\noutput:"
_PASSAGE = "passage {}: {}"
_UNSUPPORTED = frozenset({"hallucinated", "hallucination", "unsupported", "hallucinate", "not_supported"})
_SPARE = 16
_LEAST = 64
"""Tokens that must be left for answer, question and passages."""
_QUESTION = 4_000
"""Characters of the question that are read: the last ones, and of these what a quarter of what is left holds."""
_PIECE = 40_000
"""Characters that are made into tokens in one step."""


class TokenVerifier:
    """Reads the whole answer after the question and the passages; a claim is as supported as its worst token is."""

    def __init__(self, model: PretrainedModel, labels: Sequence[str]) -> None:
        self._model = model
        self._unsupported = unsupporting_labels(model.card, labels)
        (frame,) = model.tokenizer.encode([_prompt([], "?")])
        self._left = model.card.tokens - model.tokenizer.pair_marks - len(frame) - 2 * _SPARE
        if self._left < _LEAST:
            raise ModelError(f"it reads no more than {model.card.tokens} tokens at once, which is too few")

    def support(
        self, documents: Sequence[str], interaction: Interaction, found: Sequence[Sentence]
    ) -> Steps[list[float]]:
        """Return the probability that each claim is supported.

        Passages that do not fit beside the answer are read in groups, of which the closest count: a token is supported
        if one group supports it.
        """
        tokenizer = self._model.tokenizer
        ids, begins, ends = yield from self._read_answer(interaction.answer)
        room = self._model.card.tokens - tokenizer.pair_marks
        parts = spans(len(ids), self._left // 2)
        size = parts[0].stop  # all parts are as long
        prompts = yield from self._prompts(documents, interaction.question, room - size)
        counts: list[int] = []
        rows = iter(
            (
                yield from read_in_steps(
                    lambda windows: [self._of_answer(row, size) for row in self._model.rows(windows)],
                    self._windows(prompts, [ids[part] for part in parts], counts),
                    self._model.step,
                )
            )
        )
        unsupported = np.zeros(len(ids))
        for part, count in zip(parts, counts, strict=True):
            unsupported[part] = np.min([next(rows) for _ in range(count)], axis=0)
        return [1.0 - _worst(claim, unsupported, begins, ends) for claim in found]

    def _read_answer(self, answer: str) -> Steps[tuple[Ids, Ids, Ids]]:
        """Return the token ids of an answer, and where in it each one begins and ends."""
        ids, begins, ends = array("I"), array("I"), array("I")
        place = 0
        for piece in pieces(answer, _PIECE):
            own, offsets = self._model.tokenizer.offsets(piece)
            ids.extend(own)
            begins.extend(place + begin for begin, _ in offsets)
            ends.extend(place + end for _, end in offsets)
            place += len(piece)
            yield
        return ids, begins, ends

    def _windows(self, prompts: Sequence[Ids], parts: Sequence[Ids], counts: list[int]) -> Iterator[Window]:
        """Yield each part of the answer behind the prompts closest to it; `counts` gets how many these are."""
        together = Parts(array("I", chain(*prompts)))
        places = [slice(*pair) for pair in pairwise(accumulate(map(len, prompts), initial=0))]
        for part in parts:
            closest = together.closest(places, part)
            counts.append(len(closest))
            yield from (self._model.tokenizer.pair(prompts[number], part) for number in closest)

    def _of_answer(self, row: FloatArray, size: int) -> NDArray[np.float64]:
        """Return for the last `size` tokens of a window, those of the answer, how likely each one is unsupported."""
        start = len(row) - self._model.tokenizer.trailing_marks - size
        probabilities = self._model.card.probabilities(row[start : start + size])
        return np.asarray(probabilities[:, self._unsupported].sum(axis=1).clip(0.0, 1.0))

    def _prompts(self, documents: Sequence[str], question: str, room: int) -> Steps[list[Ids]]:
        """Put the passages into as few prompts as hold them; return these as tokens."""
        tokenizer = self._model.tokenizer
        question = tokenizer.cut(question[-_QUESTION:], self._left // 4)[-1]
        frame = len(tokenizer.encode([_prompt([], question)])[0])
        budget = room - frame - _SPARE
        groups: list[list[str]] = [[]]
        left = budget
        for piece in chain.from_iterable(pieces(document, _PIECE) for document in documents):
            for passage in tokenizer.cut(piece, budget - _SPARE):
                size = len(tokenizer.encode([f"{_PASSAGE.format(1, passage)}\n"])[0])
                if size > left and groups[-1]:
                    groups.append([])
                    left = budget
                groups[-1].append(passage)
                left -= size
            yield
        prompts: list[Ids] = []
        for group in groups:
            prompts += tokenizer.encode([_prompt(group, question)])
            yield
        return prompts


def unsupporting_labels(card: Card, labels: Sequence[str] = ()) -> list[int]:
    """Return the positions of the labels that mean unsupported. Raises `ModelError` where there is none.

    Of two labels without a telling name the second one means unsupported, as in LettuceDetect.
    """
    found = card.find(labels) or card.known(_UNSUPPORTED)
    if not found and card.labels == ("LABEL_0", "LABEL_1"):
        return [1]
    if not found:
        raise ModelError(f"none of its labels means unsupported; name them in labels: {', '.join(card.labels)}")
    return found


def _prompt(passages: Sequence[str], question: str) -> str:
    lines = "\n".join(_PASSAGE.format(number, passage) for number, passage in enumerate(passages, 1))
    if not question:
        return _WITHOUT_QUESTION.format(passages=lines)
    return _WITH_QUESTION.format(question=question, count=len(passages), passages=lines)


def _worst(claim: Sentence, unsupported: NDArray[np.float64], begins: Ids, ends: Ids) -> float:
    """Return the highest probability of the tokens that stand in a claim; tokens are in order of place."""
    first, last = bisect_right(ends, claim.start), bisect_left(begins, claim.end)
    return float(max(unsupported[first:last], default=0.0))
