"""The contract of an evaluator, built in or plugged in through the entry point `otel_agent_eval.evaluators`."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from otel_agent_eval.evaluation.evaluation import Direction, Evaluation, Label
from otel_agent_eval.evaluation.interaction import Interaction, Part

Steps = Generator[None, None, list[Evaluation]]
"""A batch being judged: yields after each step of some tens of milliseconds at most, and returns the evaluations."""


@runtime_checkable
class Evaluator(Protocol):
    """Judges interactions, in batches.

    `name` is the metric's name as written on telemetry (`toxicity`); `version` names implementation and weights
    (`builtin/toxicity@1`); `needs` lists the parts without which an interaction is skipped before it gets here;
    `judges_answer` says whether a failed threshold fails the answer (`agent_eval.label`); `evidence` names the keys
    that its scores may carry; `threshold` is used where the configuration gives none.

    An evaluator may also have `when_truncated`, see `Description`, and `steps`, see `Stepwise`.
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

        Runs outside the event loop. After an exception the interactions are tried one by one; those that raise again
        have failed.
        """
        ...


@runtime_checkable
class Stepwise(Protocol):
    """An evaluator that can be interrupted: others are judged while it is at a long text."""

    def steps(self, batch: Sequence[Interaction]) -> Steps:
        """Do what `evaluate` does, in steps."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """An evaluator without its models, for processes that do not hold them. The fields are those of `Evaluator`.

    `when_truncated` says for parts that the sender may have cut which label stands all the same, because the rest could
    not undo it (a toxic beginning stays toxic): the other label becomes a skip. An interaction of which another needed
    part was cut is skipped without being judged.
    """

    name: str
    version: str
    direction: Direction
    needs: frozenset[Part]
    judges_answer: bool
    evidence: tuple[str, ...]
    threshold: float
    when_truncated: Mapping[Part, Label] = field(default_factory=dict)


def describe(evaluator: Evaluator) -> Description:
    """Copy what an evaluator says of itself."""
    return Description(
        name=evaluator.name,
        version=evaluator.version,
        direction=evaluator.direction,
        needs=evaluator.needs,
        judges_answer=evaluator.judges_answer,
        evidence=evaluator.evidence,
        threshold=evaluator.threshold,
        when_truncated=getattr(evaluator, "when_truncated", {}),
    )
