"""Which of many jobs goes next, and which is left out first, so that no service takes what belongs to others."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from otel_agent_eval.evaluation.job import Job

_SERVICES = 4096
"""How many are remembered: names are the senders', who may make up as many as they like."""


class Shares:
    """Gives every service that has something waiting the same share of the work; what one does not need others get.

    Weighted fair queueing with equal weights, after Demers, Keshav and Shenker, "Analysis and Simulation of a Fair
    Queueing Algorithm" (1989): who waits goes when it would begin if all that wait were served at once, each a little.
    So a name that was never seen before goes before none that waits already.
    """

    def __init__(self) -> None:
        self._now = 0.0  # virtual time: the work that a service got that has waited all the time
        self._due: dict[str, float] = {}  # when what each has had would have ended

    def enter(self, job: Job) -> None:
        """Note when a job begins to wait."""
        job.turn = self._now

    def in_turn(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """Yield jobs, the oldest given first, in the order in which they should go: of one service the newest first."""
        lanes = _by_service(jobs)
        heap = [(max(lane[0].turn, self._due.get(name, 0.0)), lane[0].number, name) for name, lane in lanes.items()]
        heapq.heapify(heap)
        while heap:
            turn, number, service = heapq.heappop(heap)
            job = lanes[service].pop()
            yield job
            if lanes[service]:
                heapq.heappush(heap, (turn + job.work, number, service))

    def charge(self, taken: Sequence[Job], waiting: Iterable[Job]) -> None:
        """Note that these jobs, of those that were waiting, have had their turn."""
        first: dict[str, float] = {}
        for job in waiting:
            first.setdefault(job.interaction.service, job.turn)
        for job in taken:
            service = job.interaction.service
            self._due[service] = max(first[service], self._due.get(service, 0.0)) + job.work
            self._now += job.work / len(first)
        if len(self._due) > _SERVICES:
            self._due = {name: due for name, due in self._due.items() if due > self._now}
        if len(self._due) > _SERVICES:
            self._due.clear()


def most_first(jobs: Iterable[Job], weight: Callable[[Job], int]) -> Iterator[Job]:
    """Yield jobs, the oldest given first, in the order in which to leave them out.

    Whichever service has most left, by `weight`, gives the next, and of its jobs the oldest.
    """
    lanes = {service: lane[::-1] for service, lane in _by_service(jobs).items()}
    heap = [(-sum(map(weight, lane)), lane[-1].number, service) for service, lane in lanes.items()]
    heapq.heapify(heap)
    while heap:
        total, _, service = heapq.heappop(heap)
        job = lanes[service].pop()
        yield job
        if lanes[service]:
            heapq.heappush(heap, (total + weight(job), lanes[service][-1].number, service))


def _by_service(jobs: Iterable[Job]) -> dict[str, list[Job]]:
    lanes: defaultdict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        lanes[job.interaction.service].append(job)
    return lanes
