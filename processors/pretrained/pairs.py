"""Support by a classifier that reads a premise beside a hypothesis: any NLI cross-encoder, and HHEM."""

from collections.abc import Iterator, Sequence
from itertools import chain

from otel_agent_eval.evaluation import Interaction
from otel_agent_eval.models.pretrained.card import Card, Kind
from otel_agent_eval.models.pretrained.model import PretrainedModel
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.models.tokens import Ids, Window
from otel_agent_eval.processors.pretrained.closest import Parts, beside
from otel_agent_eval.processors.reading import Steps, encoded, read_in_steps
from otel_agent_eval.processors.sentences import Sentence

_SHORT_CLAIM = 3
"""A claim of so few words ("Yes.") is read behind the question."""
_QUESTION = 2_000
"""Characters of the question that it is read behind: the last ones."""
_SUPPORTED = frozenset(
    {"entailment", "entailed", "entails", "supported", "supports", "support", "consistent", "faithful"}
)
_HHEM_PROMPT = "<pad> Determine if the hypothesis is true given the premise?\n\nPremise: {}\n\nHypothesis: {}"


class PairVerifier:
    """Reads each claim beside every part of the documents, which are read together as far as they fit."""

    def __init__(self, model: PretrainedModel, labels: Sequence[str]) -> None:
        self._model = model
        self._supported = supporting_labels(model.card, labels)
        self._is_hhem = model.card.kind is Kind.HHEM
        before, between, _ = _HHEM_PROMPT.split("{}")
        self._frame = model.tokenizer.encode([before.strip(), between.strip()]) if self._is_hhem else [[], []]

    def support(
        self, documents: Sequence[str], interaction: Interaction, found: Sequence[Sentence]
    ) -> Steps[list[float]]:
        """Return the probability that each claim is supported: by the best part of the documents, of the closest ones.

        Of a claim longer than half a window every part must be supported.
        """
        premise = "\n".join(documents)
        ids = yield from encoded(premise, self._model.tokenizer)
        claims = [*dict.fromkeys(_in_context(claim.text, interaction.question) for claim in found)]
        counts: list[list[int]] = []
        windows = self._windows(premise, Parts(ids), claims, counts)
        values = iter((yield from read_in_steps(self._probabilities, windows, self._model.step)))
        best = (min(max(next(values) for _ in range(count)) for count in own) for own in counts)
        supported = dict(zip(claims, best, strict=True))
        return [supported[_in_context(claim.text, interaction.question)] for claim in found]

    def _probabilities(self, windows: Sequence[Window]) -> list[float]:
        rows = self._model.probabilities(windows)
        return [float(row[self._supported].sum().clip(0.0, 1.0)) for row in rows]

    def _windows(
        self, premise: str, first: Parts, claims: Sequence[str], counts: list[list[int]]
    ) -> Iterator[Window | None]:
        """Yield the windows of every claim; `counts` gets, for each claim and part of it, how many there are."""
        tokenizer = self._model.tokenizer
        marks = tokenizer.single_marks + sum(map(len, self._frame)) if self._is_hhem else tokenizer.pair_marks
        room = self._model.card.tokens - marks
        for claim in claims:
            (second,) = tokenizer.encode([claim])
            counts.append([])
            for part, others in beside(first, second, room):
                counts[-1].append(len(others))
                if self._is_hhem and len(first.ids) + len(second) <= room:
                    yield tokenizer.single(tokenizer.encode([_HHEM_PROMPT.format(premise, claim)])[0])
                else:
                    yield from (self._pair(other, part) for other in others)
            yield None

    def _pair(self, premise: Ids, hypothesis: Ids) -> Window:
        if not self._is_hhem:
            return self._model.tokenizer.pair(premise, hypothesis)
        before, between = self._frame
        return self._model.tokenizer.single([*chain(before, premise, between, hypothesis)])


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
    return f"{question[-_QUESTION:]} {claim}".strip() if len(claim.split()) <= _SHORT_CLAIM else claim
