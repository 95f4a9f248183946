"""A process that holds evaluators: its parent's view of it, and what runs in it."""

import atexit
import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from otel_agent_eval.evaluation import Description, Interaction, describe
from otel_agent_eval.evaluation.running import Running
from otel_agent_eval.evaluation.worker import Ending, Verdicts
from otel_agent_eval.models.loading import Load, load_by_name
from otel_agent_eval.models.overheard import Line, Overheard, tell
from otel_agent_eval.models.runtime import ModelError

_STOP_SECONDS = 2.0
_MOMENT = 0.005
_OOM_SCORE: Final = Path("/proc/self/oom_score_adj")
_EXPENDABLE: Final = "500"
"""Of 1000: where memory runs out the system ends the models, which can be loaded again, before the gateway."""

Order = tuple[str, tuple[Interaction, ...]] | tuple[str, Interaction] | None
"""What a child is told to judge: a batch, the beginning of a long interaction, or (None) its continuation."""


class ChildEnded(Exception):  # noqa: N818 (it need not be a fault)
    """The process is gone; `Child.end` says how it ended."""


class Child:
    """A process with evaluators, seen from its parent. `kill` can be called from any thread; the rest blocks."""

    def __init__(self, load: Load) -> None:
        # spawn, not fork: gRPC and ONNX Runtime have threads, which do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, load, _level()), name="models", daemon=True)
        try:
            self._process.start()
        except OSError as error:
            self._connection.close()
            raise ModelError(f"no process can be started for the models: {error.strerror}") from error
        finally:
            theirs.close()  # so that the child's end is closed when the child dies
        self.started = time.monotonic()
        self._stuck = False
        self._ending: Ending | None = None
        self._closing = threading.Lock()
        self.exit_code: int | None = None
        # Of what is left at exit the interpreter would ask its end, which a child that is stuck cannot hear.
        atexit.register(self.kill)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid or 0

    @property
    def sentinel(self) -> int:
        """A file descriptor that can be read when the process is gone."""
        return self._process.sentinel

    def wait_loaded(self) -> tuple[Description, ...]:
        """Wait until the models are loaded and return what evaluators there are. Raises `ModelError`."""
        try:
            answer: tuple[Description, ...] | str = self._receive()
        except (EOFError, OSError) as error:
            if self.end() is Ending.STUCK:
                what = "takes too long to load the models"
            else:
                what = f"died while it loaded the models, with exit code {self.exit_code}"
            raise ModelError(f"the model worker {what}") from error
        if isinstance(answer, str):
            self.end()
            raise ModelError(answer)
        return answer

    def obey(self, order: Order) -> Verdicts | None:
        """Have something judged. Raises `ChildEnded`."""
        try:
            self._connection.send((_level(), order))
            verdicts: Verdicts | None = self._receive()
        except (EOFError, OSError) as error:
            raise ChildEnded from error
        return verdicts

    def _receive(self) -> Any:  # noqa: ANN401 (whatever was asked for)
        """Wait for an answer, and log what is logged meanwhile."""
        while isinstance(said := self._connection.recv(), Line):
            tell(said)
        return said

    def _hear_the_rest(self) -> None:
        """Log what was logged since the last answer."""
        with contextlib.suppress(EOFError, OSError):
            while self._connection.poll():
                if isinstance(said := self._connection.recv(), Line):
                    tell(said)

    def kill(self) -> None:
        """End it at once, whatever it does."""
        with self._closing:
            if self._ending is None:
                self._stuck = True
                self._process.kill()

    def end(self) -> Ending:
        """See that it ends, let go of it, and say how it ended if it was not asked to."""
        if self._ending is not None:
            return self._ending
        self._hear_the_rest()
        self._connection.close()  # it ends at the end of its input
        self._process.join(_STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        until = time.monotonic() + _STOP_SECONDS
        while self._process.exitcode is None and time.monotonic() < until:  # another thread is just taking it down
            time.sleep(_MOMENT)
        self.exit_code = self._process.exitcode
        killed = Ending.KILLED if self.exit_code == -signal.SIGKILL else Ending.CRASHED
        with self._closing:
            self._ending = Ending.STUCK if self._stuck else killed
            if self.exit_code is not None:
                self._process.close()
        atexit.unregister(self.kill)
        return self._ending


def _level() -> int:
    """Return the level from which on children log: that of the log as it is now, which a reload can change."""
    return logging.getLogger().level


def _serve(connection: Connection, load: Load, level: int) -> None:
    """Run in the child: load, then judge what comes until the parent closes the connection or is gone."""
    # Ctrl-C, and what ends a service, goes to all its processes; the parent decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _be_expendable()
    threading.Thread(target=_follow_parent, daemon=True).start()
    parent, root = Overheard(connection), logging.getLogger()
    root.addHandler(parent)
    root.setLevel(level)
    try:
        evaluators = load_by_name(load)
    except ModelError as error:
        parent.say(str(error))
        return
    parent.say(tuple(describe(evaluator) for evaluator in evaluators.values()))
    running = Running(evaluators)
    try:
        while True:
            level, order = connection.recv()
            root.setLevel(level)
            parent.say(_obey(running, order))
    except (EOFError, OSError):
        return


def _obey(running: Running, order: Order) -> Verdicts | None:
    if order is None:
        return running.resume()
    name, work = order
    return running.begin(name, work) if isinstance(work, Interaction) else running.submit(name, work)


def _be_expendable() -> None:
    try:
        _OOM_SCORE.write_text(_EXPENDABLE, encoding="ascii")
    except OSError:  # not Linux
        return


def _follow_parent() -> None:
    """End with the parent, even in the middle of something that never ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
