"""The contract of what runs evaluators away from the event loop: a thread, a process, a fake."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from otel_agent_eval.evaluation.evaluation import Evaluation
from otel_agent_eval.evaluation.evaluator import Description
from otel_agent_eval.evaluation.interaction import Interaction


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One evaluation for each interaction of a batch, in order, and the seconds that the evaluator took for them."""

    evaluations: list[Evaluation]
    seconds: float


class Worker(Protocol):
    """Holds loaded evaluators and does one thing at a time; the event loop is free meanwhile.

    A batch is judged at once. A long interaction is judged in slices of time, between which batches can be submitted;
    a worker is at one long interaction at most.
    """

    async def start(self) -> tuple[Description, ...]:
        """Load the models and say which evaluators there are. Raises `ModelError`."""
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
        """Finish the batch in work and let go of the models."""
        ...
