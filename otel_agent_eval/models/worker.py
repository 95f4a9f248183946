"""Evaluators in a thread of the gateway's own process."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from otel_agent_eval.evaluation import Description, Interaction, describe
from otel_agent_eval.evaluation.running import Running
from otel_agent_eval.evaluation.worker import GIVEN_SECONDS, Ended, Ending, Verdicts
from otel_agent_eval.models.loading import Load, load_by_name

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class ThreadWorker:
    """Evaluators in a thread: no copies, and the models compute outside the interpreter's lock.

    A thread cannot be killed. After `seconds` what it is at has failed, and it is given nothing more until it comes
    back, if it does.
    """

    def __init__(self, load: Load, seconds: float = GIVEN_SECONDS, ended: Ended | None = None) -> None:
        self._load = load
        self._seconds = seconds
        self._ended = ended
        self._running = Running({})
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="models")
        self._stuck: asyncio.Future[Verdicts | None] | None = None

    @property
    def down(self) -> Ending | None:
        """Why nothing can be judged now, or None where it can."""
        return Ending.STUCK if self._stuck is not None and not self._stuck.done() else None

    async def start(self) -> tuple[Description, ...]:
        """Load the models and say which evaluators there are. Raises `ModelError`."""
        evaluators = await self._off_loop(lambda: load_by_name(self._load))
        self._running = Running(evaluators)
        return tuple(describe(evaluator) for evaluator in evaluators.values())

    async def ready(self) -> None:
        """Wait until it is not stuck."""
        if self._stuck is not None:
            await asyncio.wait([self._stuck])
            self._stuck = None

    async def submit(self, name: str, batch: Sequence[Interaction]) -> Verdicts:
        """Judge a batch by the evaluator called `name`. Whatever breaks comes back as `Failed`."""
        verdicts = await self._judge(lambda: self._running.submit(name, batch), len(batch))
        assert verdicts is not None  # noqa: S101 (only what was begun can take longer)
        return verdicts

    async def begin(self, name: str, interaction: Interaction) -> Verdicts | None:
        """Judge an interaction for a slice of time; None: it takes longer. Gives up what was begun before."""
        return await self._judge(lambda: self._running.begin(name, interaction), 1)

    async def resume(self) -> Verdicts | None:
        """Go on with what was begun, for another slice of time; None: it takes longer still."""
        return await self._judge(self._running.resume, 1)

    async def close(self) -> None:
        """Finish the batch in work and let go of the models."""
        await asyncio.to_thread(self._thread.shutdown)
        self._running = Running({})

    async def _judge(self, call: Callable[[], Verdicts | None], count: int) -> Verdicts | None:
        work = self._off_loop(call)
        if (await asyncio.wait([work], timeout=self._seconds))[0]:
            return work.result()
        self._stuck = work
        _log.error("an evaluator does not come back; a thread cannot be killed, so it is waited for")
        if self._ended is not None:
            self._ended(Ending.STUCK)
        return Verdicts.of_ended(Ending.STUCK, count)

    def _off_loop(self, call: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, call)
