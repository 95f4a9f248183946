"""Choose, for one claim, the sentences of the documents that are most likely to support it.

The faithfulness head reads one short evidence text per claim instead of every window of every document: five passages
and seven claims cost seven short runs instead of twenty long ones, and evidence from several documents can be read
together. The head was trained on what this module selects, so a change here changes scores.
"""

# ruff: noqa: SIM905 (a text of words reads better than a list)

import heapq
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from otel_agent_eval.processors.sentences import split_sentences

MAX_EVIDENCE_WORDS = 110
MAX_SENTENCES = 4000
"""More sentences than this are not looked at: time and memory stay bounded for any input."""
_QUESTION_WEIGHT = 0.3
_REPEAT_WEIGHT = 0.3
_SHORT_LIST = 64
_SHORT_WORD, _STEM = 4, 6

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
    """The sentences of one answer's documents, ready to be searched once per claim."""

    def __init__(self, documents: Sequence[str]) -> None:
        self._texts: list[str] = []
        self._owner: list[int] = []
        for number, document in enumerate(documents):
            for sentence in split_sentences(document):
                if len(self._texts) >= MAX_SENTENCES:
                    break
                self._texts.append(sentence.text)
                self._owner.append(number)
        self._words = [content_words(text) for text in self._texts]
        self._lengths = [len(text.split()) for text in self._texts]
        counts: dict[str, int] = {}
        for words in self._words:
            for word in words:
                counts[word] = counts.get(word, 0) + 1
        total = len(self._texts)
        self._idf = {word: math.log(1 + total / count) for word, count in counts.items()}

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
        missing = sum(word not in self._idf for word in figures)
        return Grounding(
            coverage=sum(word in self._idf for word in words) / len(words) if words else 1.0,
            numbers=missing / len(figures) if figures else 0.0,
        )

    def _rank(self, wanted: dict[str, float], max_words: int) -> list[int]:
        """Greedy cover: a word already covered counts little, so that the second sentence adds something new."""
        weights = {word: weight * self._idf[word] for word, weight in wanted.items() if word in self._idf}
        room = max_words
        picked: list[int] = []
        candidates = {i: words & weights.keys() for i, words in enumerate(self._words)}
        # A score can only fall while words get covered, so the best few at the start are enough; that bounds the time.
        first = heapq.nlargest(_SHORT_LIST, candidates, key=lambda i: (sum(weights[w] for w in candidates[i]), -i))
        candidates = {i: candidates[i] for i in first if candidates[i]}
        while room > 0 and candidates:
            best = max(candidates, key=lambda i: (sum(weights[word] for word in candidates[i]), -i))
            common = candidates.pop(best)
            if self._lengths[best] <= room or not picked:
                picked.append(best)
                room -= self._lengths[best]
                for word in common & weights.keys():
                    weights[word] *= _REPEAT_WEIGHT
        # What room is left goes to the neighbours of the best sentence, which often hold what a pronoun stands for.
        centre = picked[0] if picked else 0
        near = range(max(0, centre - 20), min(len(self._texts), centre + 21))
        for index in sorted(near, key=lambda i: (abs(i - centre), i)):
            if index not in picked and self._lengths[index] <= room:
                picked.append(index)
                room -= self._lengths[index]
        return picked


def _stem(word: str) -> str:
    if len(word) > _SHORT_WORD and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return word[:_STEM] if word.isalpha() else word
