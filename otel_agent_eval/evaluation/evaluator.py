"""The contract of an evaluator, built in or plugged in through the entry point `otel_agent_eval.evaluators`."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from otel_agent_eval.evaluation.evaluation import Direction, Evaluation
from otel_agent_eval.evaluation.interaction import Interaction, Part


@runtime_checkable
class Evaluator(Protocol):
    """Judges interactions, in batches.

    `name` is the metric's name as written on telemetry (`toxicity`); `version` names implementation and weights
    (`builtin/toxicity@1`); `needs` lists the parts without which an interaction is skipped before it gets here;
    `judges_answer` says whether a failed threshold fails the answer (`agent_eval.label`); `evidence` names the keys
    that its scores may carry; `threshold` is used where the configuration gives none.
    """

    name: str
    version: str
    direction: Direction
    needs: frozenset[Part]
    judges_answer: bool
    evidence: tuple[str, ...]
    threshold: float

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        """Return one evaluation for each interaction, in order. A score must not depend on what else is in the batch.

        Runs outside the event loop. An exception fails every interaction of the batch.
        """
        ...
