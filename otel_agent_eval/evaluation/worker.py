"""The contract of what runs evaluators away from the event loop: a thread, a process, a fake."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from otel_agent_eval.evaluation.evaluation import Evaluation, Failed
from otel_agent_eval.evaluation.evaluator import Description
from otel_agent_eval.evaluation.interaction import Interaction

GIVEN_SECONDS = 30.0
"""How long a worker may take for a batch, or for a slice of a long interaction, unless told otherwise."""


class Ending(StrEnum):
    """How a worker ended before its time; what it had in work failed with this as `error.type`."""

    CRASHED = "WorkerCrashed"
    KILLED = "WorkerKilled"
    """By a signal that only the system or an operator sends: out of memory, as a rule."""
    STUCK = "WorkerStuck"
    """It took longer than it may."""


Ended = Callable[[Ending], None]
"""Told of every worker that ended before its time."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One evaluation for each interaction of a batch, in order, and the seconds that the evaluator took for them."""

    evaluations: list[Evaluation]
    seconds: float

    @classmethod
    def of_ended(cls, ending: Ending, count: int) -> "Verdicts":
        """Say of so many interactions that the worker ended while it was at them."""
        return cls([Failed(ending.value)] * count, 0.0)


class Worker(Protocol):
    """Holds loaded evaluators and does one thing at a time; the event loop is free meanwhile.

    A batch is judged at once. A long interaction is judged in slices of time, between which batches can be submitted;
    a worker is at one long interaction at most.
    """

    @property
    def down(self) -> Ending | None:
        """Why nothing can be judged now, or None where it can."""
        ...

    async def start(self) -> tuple[Description, ...]:
        """Load the models and say which evaluators there are. Raises `ModelError`."""
        ...

    async def ready(self) -> None:
        """Wait until it is not down."""
        ...

    async def submit(self, name: str, batch: Sequence[Interaction]) -> Verdicts:
        """Judge a batch by the evaluator called `name`. Whatever breaks comes back as `Failed`."""
        ...

    async def begin(self, name: str, interaction: Interaction) -> Verdicts | None:
        """Judge an interaction for a slice of time; None: it takes longer. Gives up what was begun before."""
        ...

    async def resume(self) -> Verdicts | None:
        """Go on with what was begun, for another slice of time; None: it takes longer still."""
        ...

    async def close(self) -> None:
        """Finish the batch in work, if that does not take long, and let go of the models."""
        ...
