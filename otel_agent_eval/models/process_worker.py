"""Evaluators in a process of their own, which is replaced when it dies, hangs, or is killed."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from otel_agent_eval.evaluation import Description, Interaction
from otel_agent_eval.evaluation.worker import GIVEN_SECONDS, Ended, Ending, Verdicts
from otel_agent_eval.models.child import Child, ChildEnded, Order
from otel_agent_eval.models.loading import Load

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_LOAD_SECONDS = 300.0
_CLOSE_SECONDS = 1.0


class Backoff:
    """How long to wait before a new process: not at all after one that did well, then ever longer, up to a bound."""

    HEALTHY = 10.0
    """Seconds that a process must have lived to count as one that did well."""
    FIRST, MOST = 0.5, 10.0

    def __init__(self) -> None:
        self._next = 0.0

    def after(self, lived: float) -> float:
        """Return the seconds to wait after a process that lived so many."""
        seconds = 0.0 if lived >= self.HEALTHY else self._next
        self._next = min(max(2 * seconds, self.FIRST), self.MOST)
        return seconds


class ProcessWorker:
    """Evaluators in a child process: its end costs the batch in work, and a new child takes over.

    A child that takes longer than `seconds` for a batch or a slice is killed. One that is killed while it has nothing
    to do costs nothing.
    """

    def __init__(self, load: Load, seconds: float = GIVEN_SECONDS, ended: Ended | None = None) -> None:
        self._load = load
        self._seconds = seconds
        self._ended = ended
        self._child: Child | None = None
        self._up = asyncio.Event()
        self._ending = Ending.CRASHED
        self._backoff = Backoff()
        self._replacing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="models")  # waits for the child's answers

    @property
    def down(self) -> Ending | None:
        """Why nothing can be judged now, or None where it can."""
        return None if self._up.is_set() else self._ending

    @property
    def pid(self) -> int | None:
        """The id of the child, while there is one."""
        return self._child.pid if self._child is not None else None

    async def start(self) -> tuple[Description, ...]:
        """Load the models and say which evaluators there are. Raises `ModelError`."""
        child = Child(self._load)
        try:
            with _limited(child, _LOAD_SECONDS):
                descriptions = await self._off_loop(child.wait_loaded)
        except asyncio.CancelledError:
            child.kill()
            self._thread.submit(child.end)
            raise
        self._child = child
        asyncio.get_running_loop().add_reader(child.sentinel, self._lose, child)
        self._up.set()
        return descriptions

    async def ready(self) -> None:
        """Wait until there is a child."""
        await self._up.wait()

    async def submit(self, name: str, batch: Sequence[Interaction]) -> Verdicts:
        """Judge a batch by the evaluator called `name`. Whatever breaks comes back as `Failed`."""
        verdicts = await self._ask((name, tuple(batch)), len(batch))
        assert verdicts is not None  # noqa: S101 (only what was begun can take longer)
        return verdicts

    async def begin(self, name: str, interaction: Interaction) -> Verdicts | None:
        """Judge an interaction for a slice of time; None: it takes longer. Gives up what was begun before."""
        return await self._ask((name, interaction), 1)

    async def resume(self) -> Verdicts | None:
        """Go on with what was begun, for another slice of time; None: it takes longer still."""
        return await self._ask(None, 1)

    async def close(self) -> None:
        """Finish the batch in work, if that does not take long, and let go of the models."""
        child, self._child = self._child, None
        self._up.clear()
        if self._replacing is not None:
            self._replacing.cancel()
            await asyncio.gather(self._replacing, return_exceptions=True)
        if child is not None:
            asyncio.get_running_loop().remove_reader(child.sentinel)
            with _limited(child, _CLOSE_SECONDS):
                await self._off_loop(child.end)
        await asyncio.to_thread(self._thread.shutdown)

    async def _ask(self, order: Order, count: int) -> Verdicts | None:
        child = self._child
        if child is None:
            return Verdicts.of_ended(self._ending, count)
        try:
            with _limited(child, self._seconds):
                return await self._off_loop(lambda: child.obey(order))
        except ChildEnded:
            self._lose(child)
            self._ending = await self._off_loop(child.end)
            return Verdicts.of_ended(self._ending, count)

    def _lose(self, child: Child) -> None:
        """Have a child replaced that is gone; it may be told more than once."""
        if child is self._child:
            self._child = None
            self._up.clear()
            loop = asyncio.get_running_loop()
            loop.remove_reader(child.sentinel)
            self._replacing = loop.create_task(self._replace(child))

    async def _replace(self, child: Child) -> None:
        """Start a new child, as soon and as often as `Backoff` lets."""
        self._ending = await self._off_loop(child.end)
        if self._ended is not None:
            self._ended(self._ending)
        pause = self._backoff.after(time.monotonic() - child.started)
        fields = {"error_type": self._ending.value, "exit_code": child.exit_code, "restart_in_seconds": pause}
        _log.error("a model worker ended", extra=fields)
        while not self._up.is_set():
            await asyncio.sleep(pause)
            try:
                await self.start()
            except Exception as error:  # noqa: BLE001 (whatever keeps it from starting, it is tried again)
                pause = self._backoff.after(0.0)
                fields = {"error_type": type(error).__name__, "restart_in_seconds": pause}
                _log.error("a model worker does not start again", extra=fields)
        _log.info("a model worker has started again")

    async def _off_loop(self, call: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


@contextmanager
def _limited(child: Child, seconds: float) -> Iterator[None]:
    """Kill the child if the block takes longer: whatever waits for it then ends."""
    timer = asyncio.get_running_loop().call_later(seconds, child.kill)
    try:
        yield
    finally:
        timer.cancel()
