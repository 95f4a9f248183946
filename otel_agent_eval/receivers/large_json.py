"""Large requests in JSON, decoded in a process of their own.

Python's JSON parser and protobuf's constructors hold the interpreter from their first byte to their last, in whatever
thread they work: seconds for 20 MiB, in which no other request would be answered.
"""

import asyncio
import gc
import multiprocessing
import signal as signals
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

from otel_agent_eval.receivers.errors import Undecodable
from otel_agent_eval.receivers.otlp_json import decode_json
from otel_agent_eval.signals import Signal

LARGE_JSON_BYTES = 1 << 20
"""From here on a request holds the interpreter for more than some tens of milliseconds."""

_IDLE_SECONDS = 60.0
_STOP_SECONDS = 2.0
_DONE = b""
"""Said before the message; else what is said is why there is none."""


class LargeJson:
    """Decodes one request after another. Its process is started when it is needed, and ended when that was long ago."""

    def __init__(self, idle: float = _IDLE_SECONDS) -> None:
        self._idle = idle
        self._child: _Child | None = None
        self._thread = ThreadPoolExecutor(1, "large-json")  # waits for the child; all that concerns it happens there
        self._ending: asyncio.TimerHandle | None = None

    async def to_protobuf(self, signal: Signal, body: bytes) -> bytes:
        """Return a request in protobuf. Raises `Undecodable`, or `EOFError` or `OSError` where the process ended."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._ask, signal, body)
        finally:
            if self._ending is not None:
                self._ending.cancel()
            self._ending = loop.call_later(self._idle, self._thread.submit, self._end)

    def _ask(self, signal: Signal, body: bytes) -> bytes:
        if self._child is None:
            self._child = _Child()
        try:
            return self._child.ask(signal, body)
        except (EOFError, OSError):
            self._end()
            raise

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()


class _Child:
    """The process, seen from its parent; all blocks."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # gRPC's threads do not survive a fork
        self._connection, theirs = context.Pipe()
        with theirs:  # its end is closed when it dies
            self._process = context.Process(target=_serve, args=(theirs,), name="large-json", daemon=True)
            self._process.start()

    def ask(self, signal: Signal, body: bytes) -> bytes:
        """Have a request decoded. Raises `Undecodable`, or `EOFError` or `OSError` where the process has ended."""
        self._connection.send_bytes(signal.value.encode())
        self._connection.send_bytes(body)
        if (why_not := self._connection.recv_bytes()) != _DONE:
            raise Undecodable(why_not.decode())
        return self._connection.recv_bytes()

    def end(self) -> None:
        """See that it ends, as it does at the end of its input, and let go of it."""
        self._connection.close()
        self._process.join(_STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(connection: Connection) -> None:
    """Run in the child: decode what comes until the parent closes the connection or is gone."""
    signals.signal(signals.SIGINT, signals.SIG_IGN)  # Ctrl-C goes to all processes; the parent decides when to stop
    gc.disable()  # nothing refers to itself, and to look for it takes as long as the rest
    try:
        while True:
            _answer(connection.recv_bytes, connection.send_bytes)
    except (EOFError, OSError):
        return


def _answer(receive: Callable[[], bytes], send: Callable[[bytes], None]) -> None:
    signal = Signal(receive().decode())
    try:
        message = decode_json(signal, receive()).SerializeToString()
    except Undecodable as error:
        send(error.message.encode())
    else:
        send(_DONE)
        send(message)
