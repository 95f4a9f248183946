"""Batches interactions of many spans and requests through the evaluators, under a deadline and a bound."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec

from otel_agent_eval.evaluation.eligibility import bounded, reason_to_skip, settle
from otel_agent_eval.evaluation.evaluation import Evaluation, Failed, Reason, Skipped, with_threshold
from otel_agent_eval.evaluation.evaluator import Description
from otel_agent_eval.evaluation.interaction import Interaction
from otel_agent_eval.evaluation.policy import Decision
from otel_agent_eval.evaluation.worker import Verdicts, Worker

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")

Late = Callable[[str, Evaluation], None]
"""Takes what came after the deadline: the evaluator's name and its evaluation."""

Observe = Callable[[str, float], None]
"""Takes, for each interaction judged, the evaluator's name and the seconds it took for the batch that held it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much waits and how much goes at once.

    - `capacity`: interactions that wait or are in work; more are `overloaded`.
    - `batch`, `characters`: most interactions of a batch, and most text (one interaction may be longer). A CPU gains
      nothing from large batches, and all of a batch wait for its last.
    - `linger`: seconds that an idle worker waits for company for the first interaction of a batch.
    """

    capacity: int = 1024
    batch: int = 4
    characters: int = 100_000
    linger: float = 0.002


@dataclass(slots=True, eq=False)
class _Job:
    """An interaction on its way.

    `done` resolves when all its evaluators have spoken; `left` says that nobody waits for it any more, `size` counts
    characters.
    """

    interaction: Interaction
    thresholds: Mapping[str, float]
    late: Late | None
    done: asyncio.Future[None]
    results: dict[str, Evaluation] = field(default_factory=dict)
    left: bool = False
    size: int = field(init=False)

    def __post_init__(self) -> None:
        texts = (self.interaction.answer, self.interaction.question)
        self.size = sum(map(len, texts)) + sum(len(document.text) for document in self.interaction.documents)


class Engine:
    """Runs evaluators over interactions; each worker takes batches from one queue.

    Give every worker the same evaluators. Use `start`, any number of concurrent `evaluate`, then `close`.
    """

    evaluators: Mapping[str, Description]

    def __init__(self, workers: Sequence[Worker], limits: Limits | None = None, observe: Observe | None = None) -> None:
        self._workers = workers
        self._limits = limits or Limits()
        self._observe = observe
        self._fresh: deque[_Job] = deque()
        self._late: deque[_Job] = deque()
        self._open: set[_Job] = set()
        self._in_work = 0
        self._arrived = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.evaluators = {}

    async def start(self) -> None:
        """Load the models; then `evaluators` says what there is. Raises `ModelError`."""
        for worker in self._workers:
            self.evaluators = {description.name: description for description in await worker.start()}
        self._tasks = [asyncio.create_task(self._work(worker)) for worker in self._workers]

    async def close(self) -> None:
        """Stop. What has not been judged returns at once, as `deadline`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for job in self._open:
            if not job.done.done():
                job.done.set_result(None)
        for worker in self._workers:
            await worker.close()

    @property
    def waiting(self) -> int:
        """Interactions that wait or are in work."""
        return len(self._fresh) + len(self._late) + self._in_work

    async def evaluate(
        self,
        interaction: Interaction,
        decisions: Mapping[str, Decision],
        timeout: float | None = None,  # noqa: ASYNC109 (a timeout is no error here: it yields what there is)
        late: Late | None = None,
    ) -> dict[str, Evaluation]:
        """Judge one interaction and return an evaluation for each name in `decisions`, in that order.

        `timeout` is in seconds. What has not come by then is `deadline` in the answer; with `late` it is still judged
        when nothing fresh waits, and handed to `late`. Without room it is `overloaded`, at once.
        """
        interaction = bounded(interaction)
        answer: dict[str, Evaluation] = {}
        thresholds: dict[str, float] = {}
        for name, decision in decisions.items():
            reason = decision if isinstance(decision, Reason) else reason_to_skip(interaction, self.evaluators[name])
            if reason is None:
                thresholds[name] = float(decision)
            else:
                answer[name] = Skipped(reason)
        if thresholds and not self._room():
            answer.update(dict.fromkeys(thresholds, Skipped(Reason.OVERLOADED)))
        elif thresholds:
            answer.update(await self._finish(interaction, thresholds, timeout, late))
        return {name: answer[name] for name in decisions}

    def _room(self) -> bool:
        if self.waiting >= self._limits.capacity and self._late:
            self._late.popleft()  # its span has left: the fresh one is worth more
        return self.waiting < self._limits.capacity

    async def _finish(
        self, interaction: Interaction, thresholds: Mapping[str, float], seconds: float | None, late: Late | None
    ) -> dict[str, Evaluation]:
        job = _Job(interaction, thresholds, late, asyncio.get_running_loop().create_future())
        self._open.add(job)
        self._fresh.append(job)
        self._arrived.set()
        try:
            await asyncio.wait([job.done], timeout=seconds)
        except asyncio.CancelledError:
            job.late = None  # nobody is left to hear of it
            raise
        finally:
            self._open.discard(job)
            job.left = True
            if job in self._fresh:
                self._postpone(job)
        missing = dict.fromkeys(thresholds.keys() - job.results.keys(), Skipped(Reason.DEADLINE))
        return {**job.results, **missing}

    def _postpone(self, job: _Job) -> None:
        self._fresh.remove(job)
        if job.late is not None:
            self._late.append(job)

    async def _work(self, worker: Worker) -> None:
        while True:
            if not self._fresh and not self._late:
                self._arrived.clear()
                await self._arrived.wait()
                await asyncio.sleep(self._limits.linger)
            batch = self._take()
            self._in_work += len(batch)
            for name in dict.fromkeys(name for job in batch for name in job.thresholds):
                await self._judge(worker, name, [job for job in batch if name in job.thresholds])
            self._in_work -= len(batch)

    def _take(self) -> list[_Job]:
        """Take the newest: under overload the oldest are about to leave, and work on them would come too late."""
        queue = self._fresh or self._late
        batch: list[_Job] = []
        room = self._limits.characters
        while queue and len(batch) < self._limits.batch and (room >= queue[-1].size or not batch):
            job = queue.pop()
            room -= job.size
            batch.append(job)
        return batch

    async def _judge(self, worker: Worker, name: str, jobs: list[_Job]) -> None:
        wanted = [job for job in jobs if not job.left or job.late is not None]
        if not wanted:
            return
        try:
            verdicts = await worker.submit(name, [job.interaction for job in wanted])
            pairs = list(zip(wanted, verdicts.evaluations, strict=True))
        except Exception as error:  # noqa: BLE001 (the boundary broke; the queue must go on)
            _log.error("model worker broke its contract", extra={"evaluator": name, "error_type": type(error).__name__})
            verdicts = Verdicts([], 0.0)
            pairs = [(job, Failed(type(error).__name__)) for job in wanted]
        for job, evaluation in pairs:
            self._settle(job, name, evaluation)
            _tell(self._observe, name, verdicts.seconds)

    def _settle(self, job: _Job, name: str, evaluation: Evaluation) -> None:
        evaluator = self.evaluators[name]
        judged = with_threshold(evaluation, job.thresholds[name], evaluator.direction)
        judged = settle(judged, job.interaction, evaluator)
        job.results[name] = judged
        if job.left:
            _tell(job.late, name, judged)
        elif job.results.keys() == job.thresholds.keys() and not job.done.done():
            job.done.set_result(None)


def _tell(callback: Callable[_P, None] | None, *args: _P.args, **kwargs: _P.kwargs) -> None:
    """Call back; what the callback raises is its own affair and must not stop the queue."""
    try:
        if callback is not None:
            callback(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 (anybody's code)
        _log.error("a callback of the evaluation engine failed", extra={"error_type": type(error).__name__})
