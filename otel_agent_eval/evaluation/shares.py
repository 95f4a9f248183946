"""Which of many jobs goes next, and which is left out first, so that no service takes what belongs to others."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from otel_agent_eval.evaluation.job import Job

_SERVICES = 4096
"""How many are remembered: names are the senders', who may make up as many as they like."""


class Shares:
    """Gives every service that has something waiting the same share of the work: start-time fair queueing.

    Work that one does not need goes to the others. After Goyal, Vin and Cheng, "Start-time Fair Queueing" (1996).
    """

    def __init__(self) -> None:
        self._now = 0.0  # virtual time: the work that each service could have had until now
        self._due: dict[str, float] = {}  # when the next job of a service begins, at the earliest

    def in_turn(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """Yield jobs, the oldest given first, in the order in which they should go: of one service the newest first."""
        lanes = _by_service(jobs)
        heap = [(self._start(service), -lane[-1].number, service) for service, lane in lanes.items()]
        heapq.heapify(heap)
        while heap:
            start, _, service = heapq.heappop(heap)
            job = lanes[service].pop()
            yield job
            if lanes[service]:
                heapq.heappush(heap, (start + job.work, -lanes[service][-1].number, service))

    def charge(self, job: Job) -> None:
        """Note that a job's turn has come."""
        service = job.interaction.service
        start = self._start(service)
        self._now = max(self._now, start)
        self._due[service] = start + job.work
        if len(self._due) > _SERVICES:
            self._due = {name: due for name, due in self._due.items() if due > self._now}
        if len(self._due) > _SERVICES:
            self._due.clear()

    def _start(self, service: str) -> float:
        return max(self._now, self._due.get(service, 0.0))


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
