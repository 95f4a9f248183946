"""Is every claim of the answer supported by what was retrieved, or by what the user and the system stated?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Reason, Scored, Skipped, label
from otel_agent_eval.models.model import Model, sigmoid
from otel_agent_eval.models.tokens import Window
from otel_agent_eval.processors.evidence import EvidenceIndex
from otel_agent_eval.processors.language import is_readable
from otel_agent_eval.processors.sentences import claims

# An answer that needs more is not read at all, and says so: time stays bounded for any text.
_MAX_CLAIMS = 256
_MAX_WINDOWS = 256
_MAX_SUPPORT = 512
"""Tokens of what may support a claim: words of a language stay below, encoded data in their place does not."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """A sentence of the answer beside what may support it.

    `document` is the number of the document that most of the support came from, `features` what plain comparison of
    words says; `windows` holds, for each part of the claim, that part beside every part of the support.
    """

    text: str
    document: int | None
    features: tuple[float, ...]
    windows: list[list[Window]]


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
        prepared = [self._prepare(interaction) for interaction in batch]
        everything = [claim for found in prepared if not isinstance(found, Skipped) for claim in found]
        supported = iter(self._support(everything))
        return [
            found if isinstance(found, Skipped) else self._judge(interaction, found, [next(supported) for _ in found])
            for interaction, found in zip(batch, prepared, strict=True)
        ]

    def _prepare(self, interaction: Interaction) -> list[_Claim] | Skipped:
        """Find the answer's claims and, for each, what may support it."""
        if not is_readable(interaction.answer) or not all(is_readable(d.text) for d in interaction.documents):
            return Skipped(Reason.UNSUPPORTED_LANGUAGE)
        sentences = [sentence.text for sentence in claims(interaction.answer)]
        if len(sentences) > _MAX_CLAIMS:
            return Skipped(Reason.TRUNCATED)
        stated = [" ".join(claim.text for claim in claims(text)) for text in interaction.grounding]
        index = EvidenceIndex([*(document.text for document in interaction.documents), *stated])
        chosen = [index.select(text, interaction.question) for text in sentences]
        supports = self._model.tokenizer.encode([evidence.text for evidence in chosen])
        reads = self._model.tokenizer.encode([self._in_context(text, interaction.question) for text in sentences])
        found: list[_Claim] = []
        for text, evidence, whole, read in zip(sentences, chosen, supports, reads, strict=True):
            ground = index.ground(text)
            support = whole[:_MAX_SUPPORT]
            layout = self._model.tokenizer.pairs(support, read, self._size)
            windows = [[_mark_unseen(window, support) for window in part] for part in layout]
            features = (ground.coverage, ground.numbers)
            found.append(_Claim(text, next(iter(evidence.documents), None), features, windows))
        too_many = sum(len(part) for claim in found for part in claim.windows) > _MAX_WINDOWS
        return Skipped(Reason.TRUNCATED) if too_many else found

    def _in_context(self, claim: str, question: str) -> str:
        """Put the question before a claim that is too short to stand alone."""
        if len(claim.split()) > self._short_claim:
            return claim
        return " ".join([*question.split()[-self._question_words :], claim])

    def _support(self, found: Sequence[_Claim]) -> list[float]:
        """Return the probability that each claim is supported.

        Of a claim longer than a window every part must be supported, by any part of the text beside it.
        """
        windows = [window for claim in found for part in claim.windows for window in part]
        logits = iter(self._model.run(self._output, windows).reshape(-1).tolist())
        weakest = [min(max(next(logits) for _ in part) for part in claim.windows) for claim in found]
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


def _mark_unseen(window: Window, support: Sequence[int]) -> Window:
    """Give tokens of the claim that the support lacks the type 2: the model need not find out which ones match."""
    seen = {*support, window.ids[0], window.ids[-1]}
    types = tuple(kind and 1 + (token not in seen) for token, kind in zip(window.ids, window.types, strict=True))
    return Window(window.ids, types)
