"""The boundary between the event loop and the models: evaluators live in a thread or in a process of their own.

Either way the loop hands over a batch, or a long interaction for a slice of time, and is free until the verdicts come.
"""

import asyncio
import logging
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import TypeVar

from otel_agent_eval.evaluation import Description, Evaluator, Failed, Interaction, describe
from otel_agent_eval.evaluation.running import Running
from otel_agent_eval.evaluation.worker import Verdicts
from otel_agent_eval.models.runtime import ModelError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_STOP_SECONDS = 2.0

Load = Callable[[], Sequence[Evaluator]]
"""Loads evaluators where they will run. For a process it must be picklable: a function of a module, or a partial."""

_Order = tuple[str, tuple[Interaction, ...]] | tuple[str, Interaction] | None
"""What a child process is told to judge: a batch, the beginning of a long interaction, or (None) its continuation."""


class ThreadWorker:
    """Evaluators in a thread: no copies, and the models compute outside the interpreter's lock."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._running = Running({})
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="models")

    async def start(self) -> tuple[Description, ...]:
        """Load the models and say which evaluators there are. Raises `ModelError`."""
        evaluators = await self._off_loop(lambda: _load_evaluators(self._load))
        self._running = Running(evaluators)
        return tuple(describe(evaluator) for evaluator in evaluators.values())

    async def submit(self, name: str, batch: Sequence[Interaction]) -> Verdicts:
        """Judge a batch by the evaluator called `name`. Whatever breaks comes back as `Failed`."""
        return await self._off_loop(lambda: self._running.submit(name, batch))

    async def begin(self, name: str, interaction: Interaction) -> Verdicts | None:
        """Judge an interaction for a slice of time; None: it takes longer. Gives up what was begun before."""
        return await self._off_loop(lambda: self._running.begin(name, interaction))

    async def resume(self) -> Verdicts | None:
        """Go on with what was begun, for another slice of time; None: it takes longer still."""
        return await self._off_loop(self._running.resume)

    async def close(self) -> None:
        """Finish the batch in work and let go of the models."""
        await asyncio.to_thread(self._thread.shutdown)
        self._running = Running({})

    async def _off_loop(self, call: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


class ProcessWorker:
    """Evaluators in a child process: its crash costs the batch in work, and a new child takes over."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._child: _Child | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="models")  # waits for the child's answers

    async def start(self) -> tuple[Description, ...]:
        """Load the models and say which evaluators there are. Raises `ModelError`."""
        return await self._off_loop(self._start)

    async def submit(self, name: str, batch: Sequence[Interaction]) -> Verdicts:
        """Judge a batch by the evaluator called `name`. Whatever breaks comes back as `Failed`."""
        verdicts = await self._ask((name, tuple(batch)))
        assert verdicts is not None  # noqa: S101 (only what was begun can take longer)
        return verdicts

    async def begin(self, name: str, interaction: Interaction) -> Verdicts | None:
        """Judge an interaction for a slice of time; None: it takes longer. Gives up what was begun before."""
        return await self._ask((name, interaction))

    async def resume(self) -> Verdicts | None:
        """Go on with what was begun, for another slice of time; None: it takes longer still."""
        return await self._ask(None)

    async def close(self) -> None:
        """Finish the batch in work and let go of the models."""
        await self._off_loop(self._stop)
        await asyncio.to_thread(self._thread.shutdown)

    async def _ask(self, order: _Order) -> Verdicts | None:
        verdicts = await self._off_loop(lambda: self._judge(order))
        if self._child is None:
            self._thread.submit(self._restart)  # now, so that the next batch finds a child
        return verdicts

    async def _off_loop(self, call: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    # From here on in the worker's thread, and only there.

    def _start(self) -> tuple[Description, ...]:
        self._child = _Child(self._load)
        return self._child.descriptions

    def _restart(self) -> None:
        try:
            self._start()
        except ModelError as error:
            _log.error("model worker does not start again", extra={"error": str(error)})

    def _judge(self, order: _Order) -> Verdicts | None:
        if self._child is None:
            self._restart()
        if self._child is not None:
            try:
                return self._child.obey(order)
            except WorkerCrashed:
                _log.error("model worker crashed")
                self._stop()
        count = len(order[1]) if order is not None and isinstance(order[1], tuple) else 1
        return Verdicts([Failed(WorkerCrashed.__name__)] * count, 0.0)

    def _stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None


class WorkerCrashed(Exception):  # noqa: N818 (its name is what is reported as `error.type`)
    """The process that held the models is gone."""


class _Child:
    """A process with loaded evaluators, seen from its parent. Its methods block."""

    def __init__(self, load: Load) -> None:
        # spawn, not fork: gRPC and ONNX Runtime have threads, which do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, load), name="models", daemon=True)
        self._process.start()
        theirs.close()  # so that the child's end is closed when the child dies
        try:
            answer: tuple[Description, ...] | str = self._connection.recv()
        except (EOFError, OSError) as error:
            self.stop()
            raise ModelError("the model worker died while it loaded the models") from error
        if isinstance(answer, str):
            self.stop()
            raise ModelError(answer)
        self.descriptions = answer

    def obey(self, order: _Order) -> Verdicts | None:
        try:
            self._connection.send(order)
            verdicts: Verdicts | None = self._connection.recv()
        except (EOFError, OSError) as error:
            raise WorkerCrashed from error
        return verdicts

    def stop(self) -> None:
        self._connection.close()  # the child ends at the end of its input
        self._process.join(_STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _serve(connection: Connection, load: Load) -> None:
    """Run in the child: load, then judge what comes until the parent closes the connection or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent decides when to stop
    try:
        evaluators = _load_evaluators(load)
    except ModelError as error:
        connection.send(str(error))
        return
    connection.send(tuple(describe(evaluator) for evaluator in evaluators.values()))
    running = Running(evaluators)
    try:
        while True:
            connection.send(_obey(running, connection.recv()))
    except (EOFError, BrokenPipeError):
        return


def _load_evaluators(load: Load) -> dict[str, Evaluator]:
    try:
        return {evaluator.name: evaluator for evaluator in load()}
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"the evaluators cannot be loaded: {type(error).__name__}: {error}") from error


def _obey(running: Running, order: _Order) -> Verdicts | None:
    if order is None:
        return running.resume()
    name, work = order
    return running.begin(name, work) if isinstance(work, Interaction) else running.submit(name, work)
