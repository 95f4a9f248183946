"""Support by a classifier of tokens that marks what is not supported: LettuceDetect, and others made like it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from otel_agent_eval.evaluation import Interaction
from otel_agent_eval.models.pretrained.card import Card
from otel_agent_eval.models.pretrained.model import PretrainedModel, Steps
from otel_agent_eval.models.runtime import FloatArray, ModelError
from otel_agent_eval.models.tokens import spans
from otel_agent_eval.processors.pretrained.verifier import MAX_WINDOWS, TooLongError
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


class TokenVerifier:
    """Reads the whole answer after the question and the passages; a claim is as supported as its worst token is."""

    def __init__(self, model: PretrainedModel, labels: Sequence[str]) -> None:
        self._model = model
        self._unsupported = unsupporting_labels(model.card, labels)

    def support(
        self, documents: Sequence[str], interaction: Interaction, found: Sequence[Sentence]
    ) -> Steps[list[float]]:
        """Return the probability that each claim is supported. Raises `TooLongError`.

        Passages that do not fit beside the answer are read in groups: a token is supported if one group supports it.
        """
        tokenizer = self._model.tokenizer
        ids, offsets = tokenizer.offsets(interaction.answer)
        room = self._model.card.tokens - tokenizer.pair_marks
        parts = spans(len(ids), room // 2)
        for_prompt = room - max(part.stop - part.start for part in parts)
        prompts = tokenizer.encode(self._prompts(documents, interaction.question, for_prompt))
        windows = [tokenizer.pair(prompt, ids[part]) for part in parts for prompt in prompts]
        if len(windows) > MAX_WINDOWS or any(len(window.ids) > self._model.card.tokens for window in windows):
            raise TooLongError
        rows = iter((yield from self._model.rows(windows)))
        unsupported = np.zeros(len(ids))
        for part in parts:
            size = part.stop - part.start
            unsupported[part] = np.min([self._of_answer(next(rows), size) for _ in prompts], axis=0)
        return [1.0 - _worst(claim, unsupported, offsets) for claim in found]

    def _of_answer(self, row: FloatArray, size: int) -> NDArray[np.float64]:
        """Return for the last `size` tokens of a window, those of the answer, how likely each one is unsupported."""
        start = len(row) - self._model.tokenizer.trailing_marks - size
        probabilities = self._model.card.probabilities(row[start : start + size])
        return np.asarray(probabilities[:, self._unsupported].sum(axis=1).clip(0.0, 1.0))

    def _prompts(self, documents: Sequence[str], question: str, room: int) -> list[str]:
        """Put the passages into as few prompts as hold them."""
        tokenizer = self._model.tokenizer
        frame = len(tokenizer.encode([_prompt([], question)])[0])
        budget = room - frame - _SPARE
        if budget < _SPARE:
            raise TooLongError
        passages = [part for document in documents for part in tokenizer.cut(document, budget - _SPARE)]
        sizes = [len(ids) for ids in tokenizer.encode([f"{_PASSAGE.format(1, passage)}\n" for passage in passages])]
        groups: list[list[str]] = [[]]
        left = budget
        for passage, size in zip(passages, sizes, strict=True):
            if size > left and groups[-1]:
                groups.append([])
                left = budget
            groups[-1].append(passage)
            left -= size
        return [_prompt(group, question) for group in groups]


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


def _worst(claim: Sentence, unsupported: NDArray[np.float64], offsets: Sequence[tuple[int, int]]) -> float:
    """Return the highest probability of the tokens that stand in a claim."""
    own = [p for p, (start, end) in zip(unsupported, offsets, strict=True) if start < claim.end and end > claim.start]
    return float(max(own, default=0.0))
