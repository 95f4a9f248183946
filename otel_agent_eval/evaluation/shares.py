"""Which of many jobs goes next, and which is left out first, so that no service takes what belongs to others."""

import heapq
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from otel_agent_eval.evaluation.job import Job

_SERVICES = 4096
"""How many are remembered: names are the senders', who may make up as many as they like."""
_NEW_SECONDS = 10.0
"""For so long services that were never seen before, and those without a name, have one share together."""


class Shares:
    """Gives every service that has something waiting the same share of the work; what one does not need others get.

    Weighted fair queueing with equal weights, after Demers, Keshav and Shenker, "Analysis and Simulation of a Fair
    Queueing Algorithm" (1989): who waits goes when it would begin if all that wait were served at once, each a little.
    So a name that was never seen before goes before none that waits already.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, float] = OrderedDict()  # when each was seen first, the one seen last at the end
        self._now = 0.0  # virtual time: the work that a service got that has waited all the time
        self._due: dict[str, float] = {}  # when what each has had would have ended

    def enter(self, job: Job) -> None:
        """Note when a job begins to wait, and whose share it has."""
        name, now = job.interaction.service, self._clock()
        new = now - self._seen.setdefault(name, now) < _NEW_SECONDS
        self._seen.move_to_end(name)
        if len(self._seen) > _SERVICES:
            self._seen.popitem(last=False)
        job.share = "" if new else name
        job.turn = self._now

    def in_turn(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """Yield jobs, the oldest given first, in the order in which they should go: of one service the newest first."""
        lanes = _by_share(jobs)
        heap = [(max(lane[0].turn, self._due.get(name, 0.0)), lane[0].number, name) for name, lane in lanes.items()]
        heapq.heapify(heap)
        while heap:
            turn, number, share = heapq.heappop(heap)
            job = lanes[share].pop()
            yield job
            if lanes[share]:
                heapq.heappush(heap, (turn + job.work, number, share))

    def charge(self, taken: Sequence[Job], waiting: Iterable[Job]) -> None:
        """Note that these jobs, of those that were waiting, have had their turn."""
        first: dict[str, float] = {}
        for job in waiting:
            first.setdefault(job.share, job.turn)
        for job in taken:
            self._due[job.share] = max(first[job.share], self._due.get(job.share, 0.0)) + job.work
            self._now += job.work / len(first)
        if len(self._due) > _SERVICES:
            self._due = {name: due for name, due in self._due.items() if due > self._now}
        if len(self._due) > _SERVICES:
            self._due.clear()


def most_first(jobs: Iterable[Job], weight: Callable[[Job], int]) -> Iterator[Job]:
    """Yield jobs, the oldest given first, in the order in which to leave them out.

    Whichever share has most left, by `weight`, gives the next, and of its jobs the oldest.
    """
    lanes = {share: lane[::-1] for share, lane in _by_share(jobs).items()}
    heap = [(-sum(map(weight, lane)), lane[-1].number, share) for share, lane in lanes.items()]
    heapq.heapify(heap)
    while heap:
        total, _, share = heapq.heappop(heap)
        job = lanes[share].pop()
        yield job
        if lanes[share]:
            heapq.heappush(heap, (total + weight(job), lanes[share][-1].number, share))


def _by_share(jobs: Iterable[Job]) -> dict[str, list[Job]]:
    lanes: defaultdict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        lanes[job.share].append(job)
    return lanes
