"""The interactions that wait to be judged, and which of them goes next."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from otel_agent_eval.evaluation.evaluation import Evaluation
from otel_agent_eval.evaluation.interaction import Interaction

Late = Callable[[str, Evaluation], None]
"""Takes what came after the deadline: the evaluator's name and its evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much waits and how much goes at once.

    - `capacity`, `held`: interactions that wait or are in work, and characters of them; more are `overloaded`.
    - `batch`, `characters`: most interactions of a batch, and most text. A CPU gains nothing from large batches, and
      all of a batch wait for its last. A longer interaction goes alone, in slices; between them batches have a turn.
    - `linger`: seconds that an idle worker waits for company for the first interaction of a batch.
    """

    capacity: int = 1024
    held: int = 64 << 20
    batch: int = 4
    characters: int = 20_000
    linger: float = 0.002


@dataclass(slots=True, eq=False)
class Job:
    """An interaction on its way.

    `done` resolves when all its evaluators have spoken; `left` says that nobody waits for it any more. `size` counts
    characters to be read, `held` all that are held: of long conversations little is read.
    """

    interaction: Interaction
    thresholds: Mapping[str, float]
    late: Late | None
    done: asyncio.Future[None]
    results: dict[str, Evaluation] = field(default_factory=dict)
    left: bool = False
    size: int = field(init=False)
    held: int = field(init=False)

    def __post_init__(self) -> None:
        one = self.interaction
        texts = (one.answer, one.question, *(document.text for document in one.documents), *one.grounding)
        self.size = sum(map(len, texts))
        self.held = self.size + sum(len(turn.text) for turn in one.turns)

    @property
    def missing(self) -> list[str]:
        """The evaluators that have not spoken."""
        return [name for name in self.thresholds if name not in self.results]

    @property
    def wanted(self) -> bool:
        """Whether anybody would hear of its evaluations."""
        return not self.left or self.late is not None


@dataclass(slots=True)
class _Lane:
    """Jobs that somebody waits for, and late ones, the oldest first."""

    fresh: deque[Job] = field(default_factory=deque)
    late: deque[Job] = field(default_factory=deque)


class Jobs:
    """All that waits or is in work.

    Of what somebody waits for the newest goes first: under overload the oldest are about to leave, and work on them
    would come too late. What nobody waits for any more goes when there is nothing else.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._short = _Lane()
        self._long = _Lane()
        self._all: set[Job] = set()
        self._held = 0
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, job: Job) -> bool:
        """Take a job in, if there is room; late ones make room."""
        while not self._has_room(job) and (late := self._long.late or self._short.late):
            self.remove(late.popleft())
        if not self._has_room(job):
            return False
        self._all.add(job)
        self._held += job.held
        self._lane(job).fresh.append(job)
        self._arrived.set()
        return True

    def remove(self, job: Job) -> None:
        """Forget a job: it is done with, or given up."""
        self._all.remove(job)
        self._held -= job.held

    def leave(self, job: Job) -> None:
        """Note that nobody waits for a job any more."""
        job.left = True
        fresh = self._lane(job).fresh
        if job in fresh:
            fresh.remove(job)
            self._put_back(job)

    def give_up(self) -> None:
        """Let all who wait for a job know that it will not be done."""
        for job in self._all:
            if not job.done.done():
                job.done.set_result(None)

    async def arrival(self) -> None:
        """Wait until there is a job to do."""
        while not any((self._short.fresh, self._long.fresh, self._short.late, self._long.late)):
            self._arrived.clear()
            await self._arrived.wait()
            await asyncio.sleep(self._limits.linger)

    def next_batch(self, current: Job | None) -> list[Job]:
        """Take short jobs; `current` is the long one that the worker is at."""
        someone_waits = self._short.fresh or self._long.fresh or (current is not None and not current.left)
        queue = self._short.fresh if someone_waits else self._short.late
        batch: list[Job] = []
        room = self._limits.characters
        while queue and len(batch) < self._limits.batch and room >= queue[-1].size:
            batch.append(queue.pop())
            room -= batch[-1].size
        return batch

    def next_long(self, current: Job | None) -> Job | None:
        """Choose the long job to work at; `current`, the one begun, is put back if it is another."""
        if current is not None and not current.left:
            return current
        if self._long.fresh:
            if current is not None:
                self._put_back(current)
            return self._long.fresh.pop()
        if self._short.fresh:
            return None
        return current or (self._long.late.pop() if self._long.late else None)

    def _put_back(self, job: Job) -> None:
        if job.wanted:
            self._lane(job).late.append(job)
        else:
            self.remove(job)

    def _lane(self, job: Job) -> _Lane:
        return self._long if job.size > self._limits.characters else self._short

    def _has_room(self, job: Job) -> bool:
        return len(self._all) < self._limits.capacity and self._held + job.held <= self._limits.held
