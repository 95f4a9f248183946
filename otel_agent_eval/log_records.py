"""What log records hold beside their message; of an exception its type and place: its message can quote content."""

import logging
from typing import Any, Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """Return the record's `extra` fields."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def exception_type(record: logging.LogRecord) -> dict[str, str]:
    """Return the type of the record's exception, if it has one, by OpenTelemetry's name."""
    kind = record.exc_info[0] if record.exc_info else None
    if kind is None:
        return {}
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return {"exception.type": f"{module}{kind.__qualname__}"}


def place(record: logging.LogRecord) -> dict[str, str]:
    """Return where an exception was raised, as `file:line`."""
    trace = record.exc_info[2] if record.exc_info else None
    if trace is None:
        return {}
    while trace.tb_next is not None:
        trace = trace.tb_next
    return {"at": f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"}
