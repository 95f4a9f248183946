"""What a model worker logs, on its way into the log of its parent, which alone knows level and form of the log."""

import contextlib
import logging
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from otel_agent_eval.log_records import exception_type, extras, place


@dataclass(frozen=True, slots=True)
class Line:
    """What a log record is made from again, in plain values."""

    record: dict[str, Any]


class Overheard(logging.Handler):
    """Says to the parent what is logged in a child, at once and from any thread, and what the child answers."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self._waiting: list[object] = []
        self._turn = threading.RLock()
        self._saying = False

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        try:
            line = Line(_plain_record(record))
        except Exception:  # noqa: BLE001 (as every handler of the library: what is logged must not break the work)
            self.handleError(record)
            return
        with contextlib.suppress(OSError):  # the parent is gone: nobody listens
            self.say(line)

    def say(self, what: object) -> None:
        """Send an answer or a line, after what was said before it. Raises `OSError` when the parent is gone."""
        self._waiting.append(what)
        with self._turn:
            if self._saying:  # by this thread: a destructor logs in the middle of it
                return
            self._saying = True
            try:
                while self._waiting:
                    self._connection.send(self._waiting.pop(0))
            finally:
                self._saying = False


def tell(line: Line) -> None:
    """Log in the parent what a child has logged; `process` of the record is the child's."""
    logger = logging.getLogger(line.record["name"])
    if logger.isEnabledFor(line.record["levelno"]):
        logger.handle(logging.makeLogRecord(line.record))


def _plain_record(record: logging.LogRecord) -> dict[str, Any]:
    fields = {key: _plain(value) for key, value in extras(record).items()}
    return {
        **fields,
        **exception_type(record),
        **place(record),
        "name": record.name,
        "levelno": record.levelno,
        "levelname": record.levelname,
        "msg": record.getMessage(),
        "created": record.created,
        "process": record.process,
    }


def _plain(value: object) -> object:
    """Return what every process can read."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return [str(item) for item in value] if isinstance(value, list | tuple | set | frozenset) else str(value)
