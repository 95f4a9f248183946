"""The interactions that wait to be judged, which of them goes next, and what is left out when there are too many."""

import asyncio
from bisect import insort
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

from otel_agent_eval.evaluation.costs import Costs
from otel_agent_eval.evaluation.job import Job
from otel_agent_eval.evaluation.shares import Shares, most_first

_USABLE = 0.8
"""The share of the time until the deadline that is planned with: the rest is for what estimates do not know."""
_CALM = 0.25
"""Up to this share of what can be done in time, answers are judged one after the other, by all their evaluators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much waits and how much goes at once.

    - `capacity`, `held`: interactions that wait or are in work, and characters of them; more are `overloaded`.
    - `batch`, `characters`: most interactions of a batch, and most text. A CPU gains nothing from large batches, and
      all of a batch wait for its last. A longer interaction goes alone, in slices; between them batches have a turn.
    - `linger`: seconds that an idle worker waits for company for the first interaction of a batch.
    - `patience`: seconds for which interactions are waited for; evaluations that cannot be done by then are left out.
    """

    capacity: int = 1024
    held: int = 64 << 20
    batch: int = 4
    characters: int = 20_000
    linger: float = 0.002
    patience: float = inf


@dataclass(slots=True)
class _Lane:
    """Jobs that somebody waits for, and late ones, the oldest first."""

    fresh: list[Job] = field(default_factory=list)
    late: deque[Job] = field(default_factory=deque)


class Jobs:
    """All that waits or is in work.

    Of what somebody waits for the newest goes first: under overload the oldest are about to leave, and work on them
    would come too late. What nobody waits for any more goes when there is nothing else.

    Where so much waits that it is `pressed`, the most important evaluator goes first, for all that wait, services in
    turn, and `shed` leaves out what cannot be done in time, the least important first, of that what the services with
    most of it wait for. `order` names evaluators, the most important first; those that it does not name are less
    important than any.
    """

    def __init__(
        self,
        limits: Limits,
        order: Sequence[str] = (),
        costs: Costs | None = None,
        shares: Shares | None = None,
    ) -> None:
        self.costs = costs or Costs()
        self.patience = limits.patience
        self._limits = limits
        self._rank = {name: rank for rank, name in enumerate(order)}
        self._short = _Lane()
        self._long = _Lane()
        self._all: dict[Job, None] = {}  # in the order in which they came
        self._held = 0
        self._number = 0
        self._shares = shares or Shares()
        self._waiting: Counter[str] = Counter()  # the work of fresh short jobs, by evaluator
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._all)

    def rank(self, name: str) -> int:
        """Return the place of an evaluator among the others; the most important has the lowest."""
        return self._rank.get(name, len(self._rank))

    @property
    def backlog(self) -> float:
        """An estimate of the seconds that one worker would need for what somebody waits for, long ones aside."""
        return sum(self.costs.seconds(name, work) for name, work in self._waiting.items())

    def pressed(self, workers: int) -> bool:
        """Whether so much waits that what matters most must go first."""
        return self.backlog > _CALM * self._feasible(workers)

    def outranked(self, batch: Sequence[Job], workers: int) -> bool:
        """Whether something waits that should go before the rest of what is to be asked of a batch."""
        fresh = self._short.fresh or self._long.fresh
        return self.pressed(workers) or (bool(fresh) and all(job.left for job in batch))

    def admit(self, job: Job) -> bool:
        """Take a job in, if there is room; late ones make room, and those of a service that holds more."""
        if job.held > self._limits.held:
            return False
        while not self._has_room(job) and (late := self._long.late or self._short.late):
            self._remove(late.popleft())
        self._number += 1
        job.number = self._number
        self._shares.enter(job)
        if not self._has_room(job) and not self._make_room(job):
            return False
        self._all[job] = None
        self._held += job.held
        self._enter(job)
        self._arrived.set()
        return True

    def shed(self, workers: int) -> None:
        """Leave out what so many workers cannot do in time: the least important first.

        Of that, what the service with most of it waits for, the oldest first. The first evaluator of the newest job
        stays: something must go next. Long jobs are not counted; they have slices only. An evaluator that has not been
        measured goes in its turn too, though leaving it out is not known to help.
        """
        excess = self.backlog - self._feasible(workers)
        if excess <= 0:
            return
        names = sorted(self._waiting, key=self.rank, reverse=True)
        kept = self._short.fresh[-1]
        for name in names:
            for job in most_first([job for job in self._short.fresh if name in job.todo], lambda job: job.work):
                todo = job.todo
                if job is kept and name == todo[0]:
                    continue
                job.shed.add(name)
                self._waiting[name] -= job.work
                if len(todo) == 1:
                    self._short.fresh.remove(job)
                    job.finish()
                excess -= self.costs.seconds(name, job.work)
                if excess <= 0:
                    return

    def leave(self, job: Job) -> None:
        """Note that nobody waits for a job any more."""
        if job not in self._all:
            return  # it had to make room
        if not job.in_work:
            self._exit(job)
        job.left = True
        if not job.in_work:
            self._put_by(job)

    def give_back(self, job: Job) -> None:
        """Take back a job that a worker had."""
        job.in_work = False
        if job.left:
            self._put_by(job)
        elif job.todo:
            self._enter(job)

    def forget_late(self) -> None:
        """Forget what nobody waits for."""
        for lane in (self._short, self._long):
            while lane.late:
                self._remove(lane.late.popleft())

    def give_up(self) -> None:
        """Let all who wait for a job know that it will not be done."""
        for job in self._all:
            job.finish()

    async def arrival(self) -> None:
        """Wait until there is a job to do."""
        while not any((self._short.fresh, self._long.fresh, self._short.late, self._long.late)):
            self._arrived.clear()
            await self._arrived.wait()
            await asyncio.sleep(self._limits.linger)

    def next_batch(self, current: Job | None, workers: int) -> list[Job]:
        """Take short jobs, no more than one of so many workers should; `current` is the long one that it is at.

        When pressed they are alike in the evaluator that goes first.
        """
        fresh = self._short.fresh
        if not (fresh or self._long.fresh or (current is not None and not current.left)):
            return self._taken(reversed(self._short.late), len(self._short.late), workers)
        if self.pressed(workers):
            first = min((job.todo[0] for job in fresh), key=self.rank)
            alike = [job for job in fresh if job.todo[0] == first]
            batch = self._taken(self._shares.in_turn(alike), len(alike), workers)
            self._shares.charge(batch, alike)
            return batch
        return self._taken(reversed(fresh), len(fresh), workers)

    def next_long(self, current: Job | None) -> Job | None:
        """Choose the long job to work at; `current`, the one begun, is given back if it is another."""
        if current is not None and not current.left:
            return current
        if self._long.fresh:
            if current is not None:
                self.give_back(current)
            job = next(self._shares.in_turn(self._long.fresh))
            self._shares.charge([job], self._long.fresh)
            self._exit(job)
        elif self._short.fresh:
            return None
        elif current is not None or not self._long.late:
            return current
        else:
            job = self._long.late.pop()
        job.in_work = True
        return job

    def _make_room(self, newcomer: Job) -> bool:
        """Leave out what waits of services that hold more than the newcomer's, if that makes room; tell whether."""
        excess = len(self._all) + 1 - self._limits.capacity
        excess_held = self._held + newcomer.held - self._limits.held
        by_held = excess_held > 0
        victims: list[Job] = []
        for job in most_first([*self._all, newcomer], lambda one: one.held if by_held else 1):
            if job.share == newcomer.share:
                return False
            if not job.in_work:
                victims.append(job)
                excess -= 1
                excess_held -= job.held
            if excess <= 0 and excess_held <= 0:
                break
        for job in victims:
            self._exit(job)
            self._remove(job)
            job.shed.update(job.todo)
            job.finish()
        return True

    def _taken(self, jobs: Iterable[Job], count: int, workers: int) -> list[Job]:
        """Take from the first of `count` jobs on, as many as make a batch."""
        batch: list[Job] = []
        room, most = self._limits.characters, min(self._limits.batch, -(-count // workers))
        for job in jobs:
            if len(batch) == most or job.size > room:
                break
            batch.append(job)
            room -= job.size
        for job in batch:
            self._exit(job)
            job.in_work = True
        return batch

    def _enter(self, job: Job) -> None:
        lane = self._lane(job)
        insort(lane.fresh, job, key=lambda one: one.number)
        if lane is self._short:
            self._waiting.update(dict.fromkeys(job.todo, job.work))

    def _exit(self, job: Job) -> None:
        """Take a job out of where it waits, if it does."""
        lane = self._lane(job)
        if job.left:
            lane.late.remove(job)
        elif job in lane.fresh:
            lane.fresh.remove(job)
            if lane is self._short:
                self._waiting.subtract(dict.fromkeys(job.todo, job.work))

    def _put_by(self, job: Job) -> None:
        """Keep a job that nobody waits for until there is time for it, or forget it."""
        if job.wanted and job.todo:
            self._lane(job).late.append(job)
            self._arrived.set()
        else:
            self._remove(job)

    def _remove(self, job: Job) -> None:
        del self._all[job]
        self._held -= job.held

    def _lane(self, job: Job) -> _Lane:
        return self._long if job.size > self._limits.characters else self._short

    def _has_room(self, job: Job) -> bool:
        return len(self._all) < self._limits.capacity and self._held + job.held <= self._limits.held

    def _feasible(self, workers: int) -> float:
        return _USABLE * self.patience * workers
