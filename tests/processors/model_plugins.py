"""What other packages could register as evaluators, right and wrong."""

from collections.abc import Sequence

from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Scored


class Politeness:
    name = "politeness"
    version = "plugin/politeness@1"
    direction = Direction.HIGHER_IS_BETTER
    needs = frozenset({Part.ANSWER})
    judges_answer = True
    evidence: tuple[str, ...] = ()
    threshold = 0.5

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        return [self._judge("please" in interaction.answer) for interaction in batch]

    def _judge(self, polite: bool) -> Scored:
        return Scored(score=float(polite), label=Label.PASS if polite else Label.FAIL, threshold=self.threshold)


class NotAnEvaluator:
    name = "wrong"


def broken() -> None:
    raise RuntimeError("no licence key")
