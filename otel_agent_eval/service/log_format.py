"""The gateway's own log: one line a record, with its fields; content of telemetry never gets here."""

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

from otel_agent_eval.log_records import exception_type, extras, place

_log = logging.getLogger(__name__)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {**extras(record), **exception_type(record), **place(record)}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the record's `extra` fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record; of an exception only type and place are kept: its message can quote content."""
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        text = json.dumps(line, default=str, ensure_ascii=False)
        return text if text.isprintable() else json.dumps(line, default=str)


class ConsoleFormatter(logging.Formatter):
    """One line for people: time, level, message, `key=value` fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record; of an exception only type and place are kept: its message can quote content."""
        fields = "".join(f" {key}={_printable(str(value))}" for key, value in _fields(record).items())
        return f"{_time(record)} {record.levelname.lower():7} {record.getMessage()}{fields}"


def _printable(text: str) -> str:
    """Write out what would begin a line or steer a terminal: names of services are the senders'."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def set_up(level: Literal["debug", "info", "warn", "error"], encoding: Literal["console", "json"]) -> None:
    """Send the process's log to standard error in this form; handlers that write to no stream stay."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if encoding == "json" else ConsoleFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler, *(h for h in root.handlers if not isinstance(h, logging.StreamHandler))]
    root.setLevel({"warn": "WARNING"}.get(level, level.upper()))
    for chatty in ("httpx", "httpcore", "uvicorn.access", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def log_uncaught(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what a loop was left with; asyncio's own line holds the exception's text and the arguments of callbacks."""
    error = context.get("exception")
    _log.error("an exception was caught by nobody" if error else context["message"], exc_info=error)
