"""Does the answer answer the question, and do the retrieved documents?"""

from collections.abc import Mapping, Sequence
from typing import Final

from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Reason, Scored, Skipped, label
from otel_agent_eval.models.model import Model
from otel_agent_eval.processors.language import readable
from otel_agent_eval.processors.pairs import PairReader
from otel_agent_eval.processors.question import readings
from otel_agent_eval.processors.reading import Steps, finish


class Relevance:
    """The probability that the answer answers the question: that of the best pair of their parts. Higher is better.

    A question that leans on what the user said before is read twice, alone and behind that; the mean counts.
    """

    name = "relevance"
    direction = Direction.HIGHER_IS_BETTER
    needs = frozenset({Part.QUESTION, Part.ANSWER})
    judges_answer = True
    evidence: tuple[str, ...] = ()
    when_truncated: Final[Mapping[Part, Label]] = {}

    def __init__(self, model: Model) -> None:
        self._pairs = PairReader(model)
        self.version = f"builtin/relevance@{model.version}"
        self.threshold = float(model.heads["relevance"]["threshold"])

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        """Return one evaluation for each interaction."""
        return finish(self.steps(batch))

    def steps(self, batch: Sequence[Interaction]) -> Steps[list[Evaluation]]:
        """Do what `evaluate` does, in steps."""
        asked = yield from readable(interaction.question for interaction in batch)
        answered = yield from readable(interaction.answer for interaction in batch)
        ok = [question and answer for question, answer in zip(asked, answered, strict=True)]
        words = self._pairs.question_words
        pairs = [(readings(one, words), one.answer) for one, judged in zip(batch, ok, strict=True) if judged]
        scores = iter((yield from self._pairs.probabilities(pairs)))
        return [self._judge(next(scores)) if judged else Skipped(Reason.UNSUPPORTED_LANGUAGE) for judged in ok]

    def _judge(self, score: float) -> Scored:
        return Scored(
            score=score,
            label=label(score, self.threshold, self.direction),
            threshold=self.threshold,
            explanation=f"answers the question with probability {score:.2f}",
        )


class ContextRelevance:
    """The probability that a retrieved document answers the question: that of the best document. Higher is better.

    The best one, because one good document is enough for a good answer, and retrievers return a fixed number whether or
    not there are as many good ones. Evidence: `documents`, the ids of those that are relevant, the best first.
    """

    name = "context_relevance"
    direction = Direction.HIGHER_IS_BETTER
    needs = frozenset({Part.QUESTION, Part.DOCUMENTS})
    judges_answer = False
    evidence: tuple[str, ...] = ("documents",)

    def __init__(self, model: Model) -> None:
        self._pairs = PairReader(model)
        self.version = f"builtin/context_relevance@{model.version}"
        self.threshold = float(model.heads["relevance"]["threshold"])
        self.when_truncated: Mapping[Part, Label] = {Part.DOCUMENTS: Label.PASS}

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        """Return one evaluation for each interaction."""
        return finish(self.steps(batch))

    def steps(self, batch: Sequence[Interaction]) -> Steps[list[Evaluation]]:
        """Do what `evaluate` does, in steps."""
        asked = yield from readable(interaction.question for interaction in batch)
        found: list[Evaluation] = []
        for interaction, ok in zip(batch, asked, strict=True):
            judged = (yield from self._judge(interaction)) if ok else Skipped(Reason.UNSUPPORTED_LANGUAGE)
            found.append(judged)
        return found

    def _judge(self, interaction: Interaction) -> Steps[Evaluation]:
        ok = yield from readable(document.text for document in interaction.documents)
        documents = [document for document, judged in zip(interaction.documents, ok, strict=True) if judged]
        if not documents:
            return Skipped(Reason.UNSUPPORTED_LANGUAGE)
        questions = readings(interaction, self._pairs.question_words)
        scores = yield from self._pairs.probabilities([(questions, document.text) for document in documents])
        ranked = sorted(zip(scores, documents, strict=True), key=lambda pair: -pair[0])
        relevant = tuple(document.id for score, document in ranked if score >= self.threshold)
        score = ranked[0][0]
        return Scored(
            score=score,
            label=label(score, self.threshold, self.direction),
            threshold=self.threshold,
            explanation=f"{len(relevant)} of {len(documents)} documents answer the question",
            evidence={"documents": relevant} if relevant else {},
        )
