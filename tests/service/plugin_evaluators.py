"""Evaluators as another package would add them, whose behaviour is read off the answer."""

import os
import time
from collections.abc import Sequence

from otel_agent_eval.evaluation import Evaluation, Interaction, Part, Scored
from otel_agent_eval.evaluation.evaluation import Direction, Label


class RudeWords:
    """Fails answers that say `rude`; an answer `sleep N` takes N seconds, `raise` breaks it.

    Where it runs in a process of its own, `die` ends that, and `hang` never comes back.
    """

    name = "rudeness"
    version = "test/rudeness@1"
    direction = Direction.HIGHER_IS_WORSE
    needs = frozenset({Part.ANSWER})
    judges_answer = True
    evidence = ("words",)
    threshold = 0.5

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        return [self._judge(interaction) for interaction in batch]

    def _judge(self, interaction: Interaction) -> Evaluation:
        words = interaction.answer.split()
        if words[:1] == ["sleep"]:
            time.sleep(float(words[1]))
        if "die" in words:
            os._exit(13)
        while "hang" in words:
            time.sleep(0.01)
        if "raise" in words:
            raise KeyError(interaction.answer)
        rude = "rude" in words
        score = 0.9 if rude else 0.2
        return Scored(
            score=score,
            label=Label.FAIL if score >= self.threshold else Label.PASS,
            threshold=self.threshold,
            explanation=f"{len(words)} words",
            evidence={"words": ("rude",)} if rude else {},
        )


class DocumentCount(RudeWords):
    """Scores by the number of documents, so that tests see what was retrieved: one is 0.1, ten and more are 1."""

    name = "documents"
    version = "test/documents@1"
    direction = Direction.HIGHER_IS_BETTER
    needs = frozenset({Part.DOCUMENTS})
    judges_answer = False
    evidence = ()
    threshold = 0.1

    def _judge(self, interaction: Interaction) -> Evaluation:
        return Scored(score=min(1.0, len(interaction.documents) / 10), label=Label.PASS, threshold=self.threshold)


class Slowness(RudeWords):
    """Takes a quarter of a second for every answer."""

    name = "slowness"
    version = "test/slowness@1"
    judges_answer = False
    evidence = ()

    def _judge(self, interaction: Interaction) -> Evaluation:
        time.sleep(0.25)
        return Scored(score=0.1, label=Label.PASS, threshold=self.threshold)
