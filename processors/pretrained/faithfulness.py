"""Faithfulness by a classifier of pairs (NLI, HHEM) or of tokens (LettuceDetect)."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Scored, label
from otel_agent_eval.models.pretrained.card import Kind
from otel_agent_eval.models.pretrained.model import PretrainedModel
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.processors.faithfulness import index_of
from otel_agent_eval.processors.pretrained.pairs import PairVerifier
from otel_agent_eval.processors.pretrained.unsupported_tokens import TokenVerifier
from otel_agent_eval.processors.reading import Steps, finish, in_turn
from otel_agent_eval.processors.sentences import Sentence, iter_claims

_AT_ONCE = 200
"""Sentences that are looked at in one step."""
_QUESTION = 10_000
"""Characters of the question that help to find what supports a claim: the last ones."""


class _Verifier(Protocol):
    def support(
        self, documents: Sequence[str], interaction: Interaction, found: Sequence[Sentence]
    ) -> Steps[list[float]]:
        """Return the probability that each claim is supported."""
        ...


class PretrainedFaithfulness:
    """The probability that every claim of the answer is supported: that of the weakest claim. Higher is better.

    Claims are found as for the built-in evaluator, statements of the user and the system support as documents do.
    Evidence: `unsupported`, the sentences below the threshold, which is not calibrated; `documents`, the ids of those
    that share most words with the others.
    """

    name = "faithfulness"
    direction = Direction.HIGHER_IS_BETTER
    needs = frozenset({Part.ANSWER, Part.DOCUMENTS})
    judges_answer = True
    evidence: tuple[str, ...] = ("unsupported", "documents")
    threshold = 0.5

    def __init__(self, model: PretrainedModel, labels: Sequence[str]) -> None:
        kind = model.card.kind
        if kind is Kind.ENCODER:
            raise ModelError(f"it is a {kind}; faithfulness needs a classifier of pairs or of tokens")
        self._verifier: _Verifier = (TokenVerifier if kind is Kind.TOKEN_CLASSIFIER else PairVerifier)(model, labels)
        self.version = model.version
        self.when_truncated: Mapping[Part, Label] = {Part.DOCUMENTS: Label.PASS}

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        """Return one evaluation for each interaction, whatever its language."""
        return finish(self.steps(batch))

    def steps(self, batch: Sequence[Interaction]) -> Steps[list[Evaluation]]:
        """Do what `evaluate` does, in steps."""
        return in_turn(batch, self._judge)

    def _judge(self, interaction: Interaction) -> Steps[Evaluation]:
        found = yield from _claims(interaction.answer)
        documents = [document.text for document in interaction.documents]
        for text in interaction.grounding:
            stated = yield from _claims(text)
            documents += [" ".join(claim.text for claim in stated)] if stated else []
        supported = (yield from self._verifier.support(documents, interaction, found)) if found else []
        score = min(supported, default=1.0)
        lacking = tuple(claim.text for claim, p in zip(found, supported, strict=True) if p < self.threshold)
        kept = [claim.text for claim, p in zip(found, supported, strict=True) if p >= self.threshold]
        sources = yield from _sources(interaction, kept)
        evidence = {"unsupported": lacking, "documents": sources}
        return Scored(
            score=score,
            label=label(score, self.threshold, self.direction),
            threshold=self.threshold,
            explanation=f"{len(lacking)} of {len(found)} claims without support" if found else "nothing is claimed",
            evidence={name: values for name, values in evidence.items() if values},
        )


def _claims(text: str) -> Steps[list[Sentence]]:
    found: list[Sentence] = []
    for count, claim in enumerate(iter_claims(text), 1):
        found += [claim] if claim is not None else []
        if count % _AT_ONCE == 0:
            yield
    return found


def _sources(interaction: Interaction, supported: Sequence[str]) -> Steps[tuple[str, ...]]:
    """Return the ids of the documents that share most words with a supported claim: the models do not say which."""
    index = yield from index_of(interaction)
    numbers: set[int] = set()
    for claim in dict.fromkeys(supported):
        if index.ground(claim).coverage > 0:
            numbers.update(index.select(claim, interaction.question[-_QUESTION:]).documents[:1])
        yield
    return tuple(document.id for number, document in enumerate(interaction.documents) if number in numbers)
