"""Support by a classifier that reads a premise beside a hypothesis: any NLI cross-encoder, and HHEM."""

from collections.abc import Sequence
from itertools import chain

from otel_agent_eval.evaluation import Interaction
from otel_agent_eval.models.pretrained.card import Card, Kind
from otel_agent_eval.models.pretrained.model import PretrainedModel, Steps
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.models.tokens import Window
from otel_agent_eval.processors.pretrained.verifier import MAX_WINDOWS, TooLongError
from otel_agent_eval.processors.sentences import Sentence

_SHORT_CLAIM = 3
"""A claim of so few words ("Yes.") is read behind the question."""
_SUPPORTED = frozenset(
    {"entailment", "entailed", "entails", "supported", "supports", "support", "consistent", "faithful"}
)
_HHEM_PROMPT = "<pad> Determine if the hypothesis is true given the premise?\n\nPremise: {}\n\nHypothesis: {}"
_SPARE = 16
"""Tokens that a text may have more of when it is put together than its parts have."""


class PairVerifier:
    """Reads each claim beside every part of the documents, which are read together as far as they fit."""

    def __init__(self, model: PretrainedModel, labels: Sequence[str]) -> None:
        self._model = model
        self._supported = supporting_labels(model.card, labels)

    def support(
        self, documents: Sequence[str], interaction: Interaction, found: Sequence[Sentence]
    ) -> Steps[list[float]]:
        """Return the probability that each claim is supported: by the best part of the documents.

        Of a claim longer than half a window every part must be supported. Raises `TooLongError`.
        """
        premise = "\n".join(documents)
        hypotheses = [_in_context(claim.text, interaction.question) for claim in found]
        lay_out = self._prompts if self._model.card.kind is Kind.HHEM else self._windows
        laid: list[list[list[Window]]] = []
        for hypothesis in hypotheses:
            laid.append(lay_out(premise, hypothesis))
            if sum(len(part) for claim in laid for part in claim) > MAX_WINDOWS:
                raise TooLongError
        windows = [window for claim in laid for part in claim for window in part]
        probabilities = yield from self._model.probabilities(windows)
        values = iter(probabilities[:, self._supported].sum(axis=1).clip(0.0, 1.0).tolist())
        return [min(max(next(values) for _ in part) for part in claim) for claim in laid]

    def _windows(self, premise: str, hypothesis: str) -> list[list[Window]]:
        first, second = self._model.tokenizer.encode([premise, hypothesis])
        return self._model.tokenizer.pairs(first, second, self._model.card.tokens)

    def _prompts(self, premise: str, hypothesis: str) -> list[list[Window]]:
        """Lay out HHEM's prompt; its positions are relative, so that a few tokens too many do no harm."""
        tokenizer = self._model.tokenizer
        frame, wanted, given = map(len, tokenizer.encode([_HHEM_PROMPT, hypothesis, premise]))
        room = self._model.card.tokens - tokenizer.single_marks - frame - _SPARE
        for_hypothesis = min(wanted, max(room - given, room // 2))
        premises = tokenizer.cut(premise, room - for_hypothesis)
        parts = tokenizer.cut(hypothesis, max(for_hypothesis, 1))
        texts = [[_HHEM_PROMPT.format(a, b) for a in premises] for b in parts]
        ids = iter(tokenizer.encode([*chain(*texts)]))
        return [[tokenizer.single(next(ids)) for _ in part] for part in texts]


def supporting_labels(card: Card, labels: Sequence[str] = ()) -> list[int]:
    """Return the positions of the labels that mean supported. Raises `ModelError` where there is none."""
    if card.kind is Kind.HHEM:
        if labels:
            raise ModelError("HHEM knows what supported means: leave labels out")
        return [1]
    found = card.find(labels) or card.known(_SUPPORTED) or ([0] if len(card.labels) == 1 else [])
    if not found:
        raise ModelError(
            f"it has no entailment label; name those that mean supported in labels: {', '.join(card.labels)}"
        )
    return found


def _in_context(claim: str, question: str) -> str:
    return f"{question} {claim}".strip() if len(claim.split()) <= _SHORT_CLAIM else claim
