"""Evaluators whose scores stand in the answer: `toxicity=0.95 relevance=raise`; what is not named is fine."""

import re
from collections.abc import Sequence

from otel_agent_eval.evaluation import Evaluation, Interaction, Part, Scored
from otel_agent_eval.evaluation.evaluation import Direction, label


class Stub:
    needs = frozenset({Part.ANSWER})
    judges_answer = True
    evidence = ()
    threshold = 0.5

    def __init__(self, about: str, direction: Direction, usual: float) -> None:
        self.name = f"stub_{about}"
        self.version = f"test/{about}@1"
        self.direction = direction
        self._about = re.compile(rf"\b{about}=(\S+)")
        self._usual = usual

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        return [self._judge(interaction.answer) for interaction in batch]

    def _judge(self, answer: str) -> Evaluation:
        found = self._about.search(answer)
        if found and found[1] == "raise":
            raise RuntimeError("broken")
        score = float(found[1]) if found else self._usual
        return Scored(score=score, label=label(score, self.threshold, self.direction), threshold=self.threshold)


def toxicity() -> Stub:
    return Stub("toxicity", Direction.HIGHER_IS_WORSE, 0.05)


def faithfulness() -> Stub:
    return Stub("faithfulness", Direction.HIGHER_IS_BETTER, 0.9)


def relevance() -> Stub:
    return Stub("relevance", Direction.HIGHER_IS_BETTER, 0.9)
