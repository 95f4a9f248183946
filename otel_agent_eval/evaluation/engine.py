"""Batches interactions of many spans and requests through the evaluators, under a deadline and a bound."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ParamSpec

from otel_agent_eval.evaluation.eligibility import bounded, reason_to_skip, settle
from otel_agent_eval.evaluation.evaluation import Evaluation, Failed, Reason, Skipped, with_threshold
from otel_agent_eval.evaluation.evaluator import Description
from otel_agent_eval.evaluation.interaction import Interaction
from otel_agent_eval.evaluation.job import Job, Late
from otel_agent_eval.evaluation.jobs import Jobs, Limits
from otel_agent_eval.evaluation.policy import Decision
from otel_agent_eval.evaluation.worker import GIVEN_SECONDS, Ending, Verdicts, Worker

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")

Observe = Callable[[str, float], None]
"""Takes, for each interaction judged, the evaluator's name and the seconds it took for the batch that held it."""


class Engine:
    """Runs evaluators over interactions; each worker takes batches, and slices of long interactions, from one queue.

    Give every worker the same evaluators. `order` names them, the most important first: where there is too much to do,
    those at its end are left out. A worker that says nothing for more than `silence` seconds counts as stuck. Use
    `start`, any number of concurrent `evaluate`, then `close`.
    """

    evaluators: Mapping[str, Description]

    def __init__(
        self,
        workers: Sequence[Worker],
        limits: Limits | None = None,
        observe: Observe | None = None,
        order: Sequence[str] = (),
        silence: float = GIVEN_SECONDS,
    ) -> None:
        self._workers = workers
        self._silence = silence
        self._asked: dict[Worker, float] = {}  # since when each is at what it was asked last, on the loop's clock
        self._observe = observe
        self._jobs = Jobs(limits or Limits(), order)
        self._tasks: list[asyncio.Task[None]] = []
        self.admits = True
        """Whether anything new is judged; what is not is `overloaded`."""
        self.evaluators = {}

    async def start(self) -> None:
        """Load the models; then `evaluators` says what there is. Raises `ModelError`."""
        started = await asyncio.gather(*(worker.start() for worker in self._workers), return_exceptions=True)
        for outcome in started:
            if isinstance(outcome, BaseException):
                await self.close()  # the others must not be left behind
                raise outcome
            self.evaluators = {description.name: description for description in outcome}
        self._tasks = [asyncio.create_task(self._work(worker)) for worker in self._workers]

    async def close(self) -> None:
        """Stop. What has not been judged returns at once, as `deadline`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._jobs.give_up()
        await asyncio.gather(*(worker.close() for worker in self._workers))

    @property
    def waiting(self) -> int:
        """Interactions that wait or are in work."""
        return len(self._jobs)

    @property
    def up(self) -> int:
        """Workers that can judge now."""
        return sum(self._ending(worker) is None for worker in self._workers)

    def plan_for(self, seconds: float) -> None:
        """Say for how long interactions are waited for: evaluations that cannot be done by then are left out."""
        self._jobs.patience = seconds

    def forget_late(self) -> None:
        """Give up what is only to be judged when there is time, to free its memory."""
        self._jobs.forget_late()

    async def evaluate(
        self,
        interaction: Interaction,
        decisions: Mapping[str, Decision],
        timeout: float | None = None,  # noqa: ASYNC109 (a timeout is no error here: it yields what there is)
        late: Late | None = None,
    ) -> dict[str, Evaluation]:
        """Judge one interaction and return an evaluation for each name in `decisions`, in that order.

        `timeout` is in seconds. What has not come by then is `deadline` in the answer, or `failed` where no worker is
        up or all are stuck; what cannot come by then is `overloaded`, without waiting. With `late` either is still
        judged when nothing fresh waits, and handed to `late`. Without room it is `overloaded`, at once.
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
        if thresholds:
            answer.update(await self._judged(interaction, thresholds, timeout, late))
        return {name: answer[name] for name in decisions}

    async def _judged(
        self, interaction: Interaction, thresholds: Mapping[str, float], seconds: float | None, late: Late | None
    ) -> dict[str, Evaluation]:
        names = sorted(thresholds, key=self._jobs.rank)
        done = asyncio.get_running_loop().create_future()
        job = Job(interaction, {name: thresholds[name] for name in names}, late, done)
        if not self.admits or not self._jobs.admit(job):
            return dict.fromkeys(thresholds, Skipped(Reason.OVERLOADED))
        self._jobs.shed(self._planned)
        try:
            await asyncio.wait([job.done], timeout=seconds)
        except asyncio.CancelledError:
            job.late = None  # nobody is left to hear of it
            raise
        finally:
            self._jobs.leave(job)
        return {name: job.results.get(name) or self._unjudged(job, name) for name in thresholds}

    def _unjudged(self, job: Job, name: str) -> Evaluation:
        if name in job.shed:
            return Skipped(Reason.OVERLOADED)
        endings = [self._ending(worker) for worker in self._workers]
        return Failed(endings[0].value) if endings[0] and all(endings) else Skipped(Reason.DEADLINE)

    def _ending(self, worker: Worker) -> Ending | None:
        """Why a worker judges nothing now: it is down, or has been silent for too long."""
        asked = self._asked.get(worker)
        silent = asked is not None and asyncio.get_running_loop().time() - asked > self._silence
        return worker.down or (Ending.STUCK if silent else None)

    @property
    def _planned(self) -> int:
        """The workers to plan with: one that is down comes back."""
        return max(1, self.up)

    async def _work(self, worker: Worker) -> None:
        current: Job | None = None
        begun = False
        while True:
            await worker.ready()
            if current is None:
                await self._jobs.arrival()
            await self._judge_batch(worker, self._jobs.next_batch(current, self._planned))
            job = self._jobs.next_long(current)
            if job is not None:
                begun = await self._judge_slice(worker, job, resume=begun and job is current)
                current = job if begun or (job.missing and job.wanted) else None
                if current is None:
                    self._jobs.give_back(job)

    async def _judge_batch(self, worker: Worker, batch: list[Job]) -> None:
        """Judge jobs by one evaluator after the other, until something more urgent waits."""
        names = dict.fromkeys(name for job in batch for name in job.todo)
        for name in sorted(names, key=self._jobs.rank):
            jobs = [job for job in batch if name in job.todo and job.wanted]
            if jobs:
                await self._ask(worker, name, jobs, worker.submit(name, [job.interaction for job in jobs]))
            if self._jobs.outranked(batch, self._planned):
                break
        for job in batch:
            self._jobs.give_back(job)
        self._jobs.shed(self._planned)  # by what it has turned out to cost

    async def _judge_slice(self, worker: Worker, job: Job, *, resume: bool) -> bool:
        """Judge a long job by the next of its evaluators, for a slice of time; tell whether that takes longer."""
        if not job.wanted:
            return False
        name = job.todo[0]
        verdicts = worker.resume() if resume else worker.begin(name, job.interaction)
        return await self._ask(worker, name, [job], verdicts)

    async def _ask(self, worker: Worker, name: str, jobs: list[Job], verdicts: Awaitable[Verdicts | None]) -> bool:
        """Take down what a worker says of jobs; tell whether it is still at them."""
        asked = self._asked[worker] = asyncio.get_running_loop().time()
        try:
            said = await verdicts
            if said is None:
                return True
            pairs, seconds = list(zip(jobs, said.evaluations, strict=True)), said.seconds
        except Exception as error:  # noqa: BLE001 (the boundary broke; the queue must go on)
            _log.error("model worker broke its contract", extra={"evaluator": name, "error_type": type(error).__name__})
            pairs, seconds = [(job, Failed(type(error).__name__)) for job in jobs], 0.0
        finally:
            del self._asked[worker]
        if seconds > 0 and not all(isinstance(evaluation, Failed) for _, evaluation in pairs):
            waited = asyncio.get_running_loop().time() - asked  # on a busy machine it takes time to be told, too
            self._jobs.costs.learn(name, sum(job.work for job in jobs), max(seconds, waited))
        for job, evaluation in pairs:
            self._settle(job, name, evaluation)
            _tell(self._observe, name, seconds)
        return False

    def _settle(self, job: Job, name: str, evaluation: Evaluation) -> None:
        evaluator = self.evaluators[name]
        judged = with_threshold(evaluation, job.thresholds[name], evaluator.direction)
        judged = settle(judged, job.interaction, evaluator)
        job.results[name] = judged
        if job.left:
            _tell(job.late, name, judged)
        elif not job.todo:
            job.finish()


def _tell(callback: Callable[_P, None] | None, *args: _P.args, **kwargs: _P.kwargs) -> None:
    """Call back; what the callback raises is its own affair and must not stop the queue."""
    try:
        if callback is not None:
            callback(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 (anybody's code)
        _log.error("a callback of the evaluation engine failed", extra={"error_type": type(error).__name__})
