"""An interaction that waits to be judged, or is being judged."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from otel_agent_eval.evaluation.evaluation import Evaluation
from otel_agent_eval.evaluation.interaction import Interaction

Late = Callable[[str, Evaluation], None]
"""Takes what came after the deadline: the evaluator's name and its evaluation."""

_HANDLING = 200
"""An answer costs about as much as so many characters before any of its text is read."""


@dataclass(slots=True, eq=False)
class Job:
    """An interaction on its way; `thresholds` names its evaluators, the most important first.

    `done` resolves when all its evaluators have spoken or were `shed`; `left` says that nobody waits for it any more;
    `in_work`, that a worker has it. `number` counts jobs; `share` and `turn` are what `Shares` noted of it.
    `size` counts characters to be read, `held` all that are held: of long conversations little is read.
    """

    interaction: Interaction
    thresholds: Mapping[str, float]
    late: Late | None
    done: asyncio.Future[None]
    results: dict[str, Evaluation] = field(default_factory=dict)
    shed: set[str] = field(default_factory=set)
    left: bool = False
    in_work: bool = False
    number: int = 0
    share: str = ""
    turn: float = 0.0
    size: int = field(init=False)
    held: int = field(init=False)

    def __post_init__(self) -> None:
        one = self.interaction
        texts = (one.answer, one.question, *(document.text for document in one.documents), *one.grounding)
        self.size = sum(map(len, texts))
        self.held = self.size + sum(len(turn.text) for turn in one.turns)

    @property
    def work(self) -> int:
        """What it costs to judge it, in characters."""
        return self.size + _HANDLING

    @property
    def missing(self) -> list[str]:
        """The evaluators that have not spoken."""
        return [name for name in self.thresholds if name not in self.results]

    @property
    def todo(self) -> list[str]:
        """The evaluators to ask: those not shed while somebody waits, all that are missing when nobody does."""
        return [name for name in self.missing if self.left or name not in self.shed]

    @property
    def wanted(self) -> bool:
        """Whether anybody would hear of its evaluations."""
        return not self.left or self.late is not None

    def finish(self) -> None:
        """Let who waits for it know that there is nothing more to wait for."""
        if not self.done.done():
            self.done.set_result(None)
