"""Choose, for one claim, the sentences of the documents that are most likely to support it.

The faithfulness head reads one short evidence text per claim instead of every window of every document: five passages
and seven claims cost seven short runs instead of twenty long ones, and evidence from several documents can be read
together. The head was trained on what this module selects, so a change here changes scores.
"""

# ruff: noqa: SIM905 (a text of words reads better than a list)

import math
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otel_agent_eval.processors.sentences import iter_sentences, length_in_words

MAX_EVIDENCE_WORDS = 110
_QUESTION_WEIGHT = 0.3
_REPEAT_WEIGHT = 0.3
_SHORT_LIST = 64
_NEAR = 20
_SHORT_WORD, _STEM = 4, 6
_DIGITS = 9
"""Weights that differ by less are the same: the order in which they were added must not decide."""

_TOKEN = re.compile(r"[^\W_]+")
_STOP = frozenset(
    "a an the and or but if of in on at to for from by with as is are was were be been being it its this that "
    "these those he she they them his her their we you i my your our not no do does did has have had will would "
    "can could may might should there here what which who whom when where how why than then so also such into "
    "about over".split()
)


@dataclass(frozen=True, slots=True)
class Grounding:
    """What words alone say about a claim; the faithfulness score adds it to what the model says."""

    coverage: float
    """Share of the claim's content words that stand somewhere in the documents (1 if it has none)."""
    numbers: float
    """Share of the claim's numbers that do not stand in the documents (0 if it has none)."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The chosen text, and the documents it came from (indices, the best first)."""

    text: str
    documents: tuple[int, ...]


def content_words(text: str) -> set[str]:
    """Lower-cased words without the stop words, cut to a crude stem."""
    return {_stem(word) for word in _TOKEN.findall(text.lower()) if word not in _STOP}


class EvidenceIndex:
    """The sentences of one answer's documents by the words in them, to be searched once per claim.

    Time and memory grow with the text; a search takes time in proportion to the sentences that share a word with it.
    """

    def __init__(self, documents: Sequence[str] = ()) -> None:
        self._texts: list[str] = []
        self._owner = array("I")
        self._lengths = array("I")
        self._places: dict[str, array[int]] = {}  # for each word the sentences that have it, in order
        for number, document in enumerate(documents):
            for sentence in iter_sentences(document):
                self.add(number, sentence.text)

    def add(self, document: int, sentence: str) -> None:
        """Add the next sentence of a document; documents are numbered in ascending order."""
        for word in content_words(sentence):
            self._places.setdefault(word, array("I")).append(len(self._texts))
        self._texts.append(sentence)
        self._owner.append(document)
        self._lengths.append(length_in_words(sentence))

    def select(self, claim: str, question: str = "", max_words: int = MAX_EVIDENCE_WORDS) -> Evidence:
        """The sentences that share the rarest words with the claim, in document order, at most ``max_words``."""
        wanted = dict.fromkeys(content_words(question), _QUESTION_WEIGHT)
        wanted.update(dict.fromkeys(content_words(claim), 1.0))
        order = self._rank(wanted, max_words)
        chosen = sorted(order)
        lines: list[str] = []
        for position, index in enumerate(chosen):
            new_document = position > 0 and self._owner[index] != self._owner[chosen[position - 1]]
            lines.append(("\n" if new_document else " ") + self._texts[index])
        return Evidence("".join(lines).strip(), tuple(dict.fromkeys(self._owner[i] for i in order)))

    def ground(self, claim: str) -> Grounding:
        """Word coverage of the claim, and its numbers that no document has."""
        words = content_words(claim)
        figures = {word for word in words if any(c.isdigit() for c in word)}
        missing = sum(word not in self._places for word in figures)
        return Grounding(
            coverage=sum(word in self._places for word in words) / len(words) if words else 1.0,
            numbers=missing / len(figures) if figures else 0.0,
        )

    def _rank(self, wanted: Mapping[str, float], max_words: int) -> list[int]:
        """Greedy cover: a word already covered counts little, so that the second sentence adds something new."""
        words = sorted(word for word in wanted if word in self._places)
        places = [np.frombuffer(self._places[word], dtype=np.dtype("I")) for word in words]
        weights = np.array([wanted[w] * math.log(1 + len(self._texts) / len(self._places[w])) for w in words])
        candidates = self._short_list(places, weights)
        has = self._occurrences(places, candidates)
        lengths = np.array([self._lengths[i] for i in candidates], dtype=np.intp)
        room = max_words
        picked: list[int] = []
        fitting = np.ones(len(candidates), dtype=bool)
        while fitting.any():
            best = int(np.where(fitting, np.round(has @ weights, _DIGITS), -1.0).argmax())
            picked.append(int(candidates[best]))
            room -= int(lengths[best])
            weights[has[best] > 0] *= _REPEAT_WEIGHT
            fitting[best] = False
            fitting &= lengths <= room
        # What room is left goes to the neighbours of the best sentence, which often hold what a pronoun stands for.
        centre = picked[0] if picked else 0
        near = range(max(0, centre - _NEAR), min(len(self._texts), centre + _NEAR + 1))
        for index in sorted(near, key=lambda i: (abs(i - centre), i)):
            if index not in picked and self._lengths[index] <= room:
                picked.append(index)
                room -= self._lengths[index]
        return picked

    def _short_list(self, places: Sequence[NDArray[np.uint32]], weights: NDArray[np.float64]) -> NDArray[np.intp]:
        """The sentences that share most with what is wanted, in order of place.

        What a sentence is worth can only fall while words get covered, so the best few at the start are enough; that
        bounds the time.
        """
        scores = np.zeros(len(self._texts))
        for own, weight in zip(places, weights, strict=True):
            scores[own] += weight
        scores = np.round(scores, _DIGITS)
        found = np.flatnonzero(scores)
        if len(found) > _SHORT_LIST:
            least = np.partition(scores[found], -_SHORT_LIST)[-_SHORT_LIST]
            found = found[scores[found] >= least]
        order = np.lexsort((found, -scores[found]))
        return np.sort(found[order[:_SHORT_LIST]])

    def _occurrences(self, places: Sequence[NDArray[np.uint32]], candidates: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return for each candidate and word 1 where the sentence has the word, else 0."""
        rows = np.full(len(self._texts), -1)
        rows[candidates] = np.arange(len(candidates))
        has = np.zeros((len(candidates), len(places)))
        for column, own in enumerate(places):
            found = rows[own]
            has[found[found >= 0], column] = 1.0
        return has


def _stem(word: str) -> str:
    if len(word) > _SHORT_WORD and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return word[:_STEM] if word.isalpha() else word
