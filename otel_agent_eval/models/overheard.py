"""What a model worker logs, on its way into the log of its parent."""

import logging
from collections.abc import Iterable
from typing import Any, Final

from otel_agent_eval.log_records import exception_type, extras, place

Line = dict[str, Any]
"""What a log record is made from again, in plain values."""

_MOST: Final = 1_000
"""Lines that wait for the next answer at most; standard error has them all."""


class Overheard(logging.Handler):
    """Gathers what is logged in a child, from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Line] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        try:
            if len(self._lines) < _MOST:
                self._lines.append(_line(record))
        except Exception:  # noqa: BLE001 (as every handler of the library: what is logged must not break the work)
            self.handleError(record)

    def take(self) -> list[Line]:
        """Return what has gathered since it was last taken."""
        lines = self._lines[:]
        del self._lines[: len(lines)]
        return lines


def tell(lines: Iterable[Line]) -> None:
    """Log in the parent what a child has logged; `process` of these records is the child's."""
    for line in lines:
        logger = logging.getLogger(line["name"])
        if logger.isEnabledFor(line["levelno"]):
            logger.handle(logging.makeLogRecord(line))


def _line(record: logging.LogRecord) -> Line:
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
