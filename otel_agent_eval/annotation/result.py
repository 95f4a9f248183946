"""What annotation writes down: a span with the verdicts on each of its choices."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_agent_eval.annotation.catalogue import RESULT_ATTRIBUTES
from otel_agent_eval.assembly.candidate import Candidate
from otel_agent_eval.evaluation.evaluation import Direction, Evaluation, Failed, Label, Scored, Skipped
from otel_agent_eval.evaluation.evaluator import Description
from otel_agent_eval.evaluation.interaction import Interaction

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RESERVED: Final = frozenset(attribute.suffix for attribute in RESULT_ATTRIBUTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """What is written beyond the default.

    - `openinference`: span attributes `evaluations.N.evaluation.*`.
    - `span_events`: `gen_ai.evaluation.result` as span events too, for consumers without logs.
    - `explanations`: explanations in events and OpenInference attributes; they can quote content.
    - `event_name_attribute`: the log records' event name also as the attribute `event.name`.
    """

    openinference: bool = False
    span_events: bool = False
    explanations: bool = False
    event_name_attribute: bool = False


@dataclass(frozen=True, slots=True)
class EvaluatorInfo:
    """What is written about an evaluator; the fields are those of `Description`."""

    name: str
    version: str
    direction: Direction
    judges_answer: bool


def evaluator_info(evaluator: Description) -> EvaluatorInfo:
    """Keep what is written.

    Raises `ValueError` where its name or the names of its evidence cannot be attribute names.
    """
    for name in (evaluator.name, *evaluator.evidence):
        if not _NAME.fullmatch(name):
            raise ValueError(f"evaluator {evaluator.name!r}: {name!r} is not a lower-case name such as 'toxicity'")
    if taken := _RESERVED & set(evaluator.evidence):
        raise ValueError(f"evaluator {evaluator.name!r}: evidence cannot be called {', '.join(sorted(taken))}")
    return EvaluatorInfo(evaluator.name, evaluator.version, evaluator.direction, evaluator.judges_answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSpan:
    """A candidate with its verdicts.

    - `evaluators`: the configured evaluators by name, in the order in which they are written.
    - `choices`: for each of the candidate's interactions the evaluations by evaluator name; empty where the candidate
      is skipped as a whole.
    - `weight`: how many answers this one stands for, from `sampling.adjusted_count`.
    - `flags`, `resource`: the span's flags and its resource, which is read and never changed.

    Raises `ValueError` where the choices do not match the interactions or an evaluation is by an unknown evaluator.
    """

    candidate: Candidate
    evaluators: Mapping[str, EvaluatorInfo]
    choices: tuple[Mapping[str, Evaluation], ...] = ()
    weight: float = 1.0
    flags: int = 0
    resource: Resource = field(default_factory=Resource)

    def __post_init__(self) -> None:
        expected = 0 if self.candidate.skipped else len(self.candidate.interactions)
        if len(self.choices) != expected:
            raise ValueError(f"span {self.candidate.span_id} has {len(self.choices)} verdicts, {expected} expected")
        unknown = {name for choice in self.choices for name in choice if name not in self.evaluators}
        if unknown:
            raise ValueError(f"evaluations by unknown evaluators: {', '.join(sorted(unknown))}")

    @property
    def verdicts(self) -> tuple[Mapping[str, Evaluation], ...]:
        """The evaluations of each choice; a candidate skipped as a whole has one choice, skipped by every evaluator."""
        if self.candidate.skipped is None:
            return self.choices
        return (dict.fromkeys(self.evaluators, Skipped(self.candidate.skipped)),)

    def results(self) -> Iterator[tuple[Interaction, EvaluatorInfo, Scored | Failed]]:
        """Yield what was scored or failed, choice by choice."""
        for interaction, choice in zip(self.candidate.interactions, self.choices, strict=False):
            for name, evaluation in choice.items():
                if not isinstance(evaluation, Skipped):
                    yield interaction, self.evaluators[name], evaluation


def worst(evaluations: Iterable[Evaluation], direction: Direction) -> Evaluation:
    """Return the evaluation that stands for several choices: `fail`, then failed, then `pass`, then skipped.

    Among scores the worst by direction; otherwise the first. Raises `ValueError` where there is none.
    """

    def rank(evaluation: Evaluation) -> tuple[int, float]:
        if not isinstance(evaluation, Scored):
            return (3 if isinstance(evaluation, Skipped) else 1, 0.0)
        goodness = -evaluation.score if direction is Direction.HIGHER_IS_WORSE else evaluation.score
        return (0 if evaluation.label is Label.FAIL else 2, goodness)

    return min(evaluations, key=rank)
