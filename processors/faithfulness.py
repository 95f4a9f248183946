"""Is every claim of the answer supported by what was retrieved, or by what the user and the system stated?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Reason, Scored, Skipped, label
from otel_agent_eval.models.model import Model, sigmoid
from otel_agent_eval.models.runtime import FloatArray
from otel_agent_eval.models.tokens import Window
from otel_agent_eval.processors.evidence import EvidenceIndex
from otel_agent_eval.processors.language import readable
from otel_agent_eval.processors.reading import Steps, finish, run_in_steps
from otel_agent_eval.processors.sentences import iter_claims, iter_sentences

_AT_ONCE = 200
"""Sentences that are indexed in one step."""
_QUESTION = 10_000
"""Characters of the question, which is not judged here but helps to find support: of a longer one the end."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """A sentence of the answer beside what may support it.

    `document` is the number of the document that most of the support came from, `features` what plain comparison of
    words says; `windows` counts, for each part of the claim, the windows of that part beside every part of the support.
    """

    text: str
    document: int | None
    features: tuple[float, ...]
    windows: tuple[int, ...]


class Faithfulness:
    """The probability that every claim of the answer is supported: that of the weakest claim. Higher is better.

    Pleasantries, questions and refusals ("I don't know") claim nothing; an answer without claims passes. Statements of
    the user and of the system instructions support as documents do; a question states nothing, however much it
    presumes. Evidence: `unsupported`, the sentences without support; `documents`, the ids of those that support the
    others.
    """

    name = "faithfulness"
    direction = Direction.HIGHER_IS_BETTER
    needs = frozenset({Part.ANSWER, Part.DOCUMENTS})
    judges_answer = True
    evidence: tuple[str, ...] = ("unsupported", "documents")

    def __init__(self, model: Model) -> None:
        head = model.heads["faithfulness"]
        self._model = model
        self._output = str(head["output"])
        self._weights = np.array(head["calibration"]["weights"])
        self._bias = float(head["calibration"]["bias"])
        self._size = int(head["pair_tokens"])
        self._short_claim = int(head["template"]["short_claim_words"])
        self._question_words = int(head["template"]["question_words"])
        self._nothing_claimed = float(sigmoid(float(head["no_claim_logit"])))
        self.version = f"builtin/faithfulness@{model.version}"
        self.threshold = float(head["threshold"])
        self.when_truncated: Mapping[Part, Label] = {Part.DOCUMENTS: Label.PASS}

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        """Return one evaluation for each interaction."""
        return finish(self.steps(batch))

    def steps(self, batch: Sequence[Interaction]) -> Steps[list[Evaluation]]:
        """Do what `evaluate` does, in steps."""
        judged: list[tuple[Interaction, EvidenceIndex] | None] = []
        for interaction in batch:
            ok = yield from self._is_readable(interaction)
            judged.append((interaction, (yield from index_of(interaction))) if ok else None)
        found: list[list[_Claim]] = [[] for _ in judged]
        logits = yield from run_in_steps(self._model, self._output, self._windows(judged, found))
        supported = iter(self._support([claim for own in found for claim in own], logits))
        return [
            self._judge(one[0], own, [next(supported) for _ in own]) if one else Skipped(Reason.UNSUPPORTED_LANGUAGE)
            for one, own in zip(judged, found, strict=True)
        ]

    def _is_readable(self, interaction: Interaction) -> Steps[bool]:
        """Tell whether the answer can be read, and at least half of what the documents say."""
        answer, *documents = yield from readable([interaction.answer, *(d.text for d in interaction.documents)])
        sizes = [(len(document.text), ok) for document, ok in zip(interaction.documents, documents, strict=True)]
        return answer and 2 * sum(size for size, ok in sizes if not ok) <= sum(size for size, _ in sizes)

    def _windows(
        self, judged: Sequence[tuple[Interaction, EvidenceIndex] | None], found: Sequence[list[_Claim]]
    ) -> Iterator[Window | None]:
        """Yield the windows of every claim, None for what is no new claim, and add the claims to `found`."""
        tokenizer = self._model.tokenizer
        for one, own in zip(judged, found, strict=True):
            if one is None:
                continue
            interaction, index = one
            question = interaction.question[-_QUESTION:]
            seen: set[str] = set()
            for sentence in iter_claims(interaction.answer):
                if sentence is None or sentence.text in seen:
                    yield None
                    continue
                seen.add(sentence.text)
                evidence, ground = index.select(sentence.text, question), index.ground(sentence.text)
                read = self._in_context(sentence.text, question)
                support, claim = tokenizer.encode([evidence.text, read])
                layout = tokenizer.pairs(support, claim, self._size)
                own.append(
                    _Claim(
                        text=sentence.text,
                        document=next(iter(evidence.documents), None),
                        features=(ground.coverage, ground.numbers),
                        windows=tuple(map(len, layout)),
                    )
                )
                for part in layout:
                    yield from (_mark_unseen(window, support) for window in part)

    def _in_context(self, claim: str, question: str) -> str:
        """Put the question before a claim that is too short to stand alone."""
        if len(claim.split()) > self._short_claim:
            return claim
        return " ".join([*question.split()[-self._question_words :], claim])

    def _support(self, found: Sequence[_Claim], logits: FloatArray) -> list[float]:
        """Return the probability that each claim is supported.

        Of a claim longer than a window every part must be supported, by any part of the text beside it.
        """
        rows = iter(logits.reshape(-1).tolist())
        weakest = [min(max(next(rows) for _ in range(count)) for count in claim.windows) for claim in found]
        features = [(logit, *claim.features) for logit, claim in zip(weakest, found, strict=True)]
        return [float(sigmoid(np.dot(row, self._weights) + self._bias)) for row in features]

    def _judge(self, interaction: Interaction, found: Sequence[_Claim], supported: Sequence[float]) -> Scored:
        score = min(supported, default=self._nothing_claimed)
        lacking = tuple(claim.text for claim, p in zip(found, supported, strict=True) if p < self.threshold)
        sources = {claim.document for claim, p in zip(found, supported, strict=True) if p >= self.threshold}
        documents = tuple(document.id for i, document in enumerate(interaction.documents) if i in sources)
        evidence = {"unsupported": lacking, "documents": documents}
        return Scored(
            score=score,
            label=label(score, self.threshold, self.direction),
            threshold=self.threshold,
            explanation=f"{len(lacking)} of {len(found)} claims without support" if found else "nothing is claimed",
            evidence={name: values for name, values in evidence.items() if values},
        )


def index_of(interaction: Interaction) -> Steps[EvidenceIndex]:
    """Index what can support an answer: the documents, and what the user and the system stated."""
    index = EvidenceIndex()
    stated = map(iter_claims, interaction.grounding)
    retrieved = (iter_sentences(document.text) for document in interaction.documents)
    count = 0
    for number, sentences in enumerate(chain(retrieved, stated)):
        for sentence in sentences:
            if sentence is not None:
                index.add(number, sentence.text)
            count += 1
            if count % _AT_ONCE == 0:
                yield
    return index


def _mark_unseen(window: Window, support: Sequence[int]) -> Window:
    """Give tokens of the claim that the support lacks the type 2: the model need not find out which ones match."""
    seen = {*support, window.ids[0], window.ids[-1]}
    types = tuple(kind and 1 + (token not in seen) for token, kind in zip(window.ids, window.types, strict=True))
    return Window(window.ids, types)
