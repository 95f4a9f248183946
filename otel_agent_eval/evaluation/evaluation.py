"""What an evaluator says of an interaction: scored, skipped for a reason, or failed; never two of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar, Literal


class Outcome(StrEnum):
    """The three ways in which an evaluation can end."""

    SCORED = "scored"
    SKIPPED = "skipped"
    FAILED = "failed"


class Label(StrEnum):
    """A score read against its threshold."""

    PASS = "pass"  # noqa: S105 (a verdict, not a secret)
    FAIL = "fail"


class Direction(StrEnum):
    """Which end of the score is good."""

    HIGHER_IS_BETTER = "higher_is_better"
    HIGHER_IS_WORSE = "higher_is_worse"


class Reason(StrEnum):
    """Why something that could have been scored was not: a closed list, each a series of the metrics."""

    NO_ANSWER = "no_answer"
    NO_QUESTION = "no_question"
    NO_CONTEXT = "no_context"
    CONTENT_NOT_CAPTURED = "content_not_captured"
    BY_REFERENCE = "by_reference"
    TRUNCATED = "truncated"
    UNSUPPORTED_LANGUAGE = "unsupported_language"
    NOT_USER_FACING = "not_user_facing"
    DUPLICATE = "duplicate"
    SAMPLED_OUT = "sampled_out"
    FILTERED = "filtered"
    OVERLOADED = "overloaded"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A score in [0, 1] with the verdict that follows from its threshold.

    `evidence` maps a short name (`categories`, `unsupported`, `documents`) to what the score rests on; it is written
    as `agent_eval.<evaluator>.<name>`.
    """

    outcome: ClassVar[Literal[Outcome.SCORED]] = Outcome.SCORED
    score: float
    label: Label
    threshold: float
    explanation: str = ""
    evidence: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0.0 <= self.score <= 1.0:  # also catches NaN
            raise ValueError(f"score {self.score} is outside [0, 1]")


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not evaluated, and why."""

    outcome: ClassVar[Literal[Outcome.SKIPPED]] = Outcome.SKIPPED
    reason: Reason


@dataclass(frozen=True, slots=True)
class Failed:
    """The evaluation itself broke. `error_type` is OpenTelemetry's `error.type`: a class name, never content."""

    outcome: ClassVar[Literal[Outcome.FAILED]] = Outcome.FAILED
    error_type: str


Evaluation = Scored | Skipped | Failed


def label(score: float, threshold: float, direction: Direction) -> Label:
    """Read a score against its threshold; exactly at it, a score that is worse when higher fails, the other passes."""
    bad = score >= threshold if direction is Direction.HIGHER_IS_WORSE else score < threshold
    return Label.FAIL if bad else Label.PASS


def with_threshold(evaluation: Evaluation, threshold: float, direction: Direction) -> Evaluation:
    """Return the evaluation judged by another threshold; skipped and failed ones come back as they are."""
    if not isinstance(evaluation, Scored):
        return evaluation
    return replace(evaluation, threshold=threshold, label=label(evaluation.score, threshold, direction))
