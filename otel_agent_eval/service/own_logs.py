"""The gateway's own log as OTLP log records, with the fields that standard error shows; content never gets here."""

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_agent_eval.annotation.values import Value, attribute, clean, cut
from otel_agent_eval.config.service import Telemetry
from otel_agent_eval.log_records import exception_type, extras, place
from otel_agent_eval.service.own_telemetry import OwnTelemetry, own_resource, sending
from otel_agent_eval.signals import Payload, Signal

_NANO: Final = 1_000_000_000
_LONGEST: Final = 2_000
"""Characters of a text: paths and problems are shorter."""
_SEVERITIES: Final[Mapping[int, tuple["SeverityNumber.ValueType", str]]] = {
    logging.CRITICAL: (SeverityNumber.SEVERITY_NUMBER_FATAL, "FATAL"),
    logging.ERROR: (SeverityNumber.SEVERITY_NUMBER_ERROR, "ERROR"),
    logging.WARNING: (SeverityNumber.SEVERITY_NUMBER_WARN, "WARN"),
    logging.INFO: (SeverityNumber.SEVERITY_NUMBER_INFO, "INFO"),
    logging.NOTSET: (SeverityNumber.SEVERITY_NUMBER_DEBUG, "DEBUG"),
}
"""From the gravest on: what a level that is none of these has is that of the next one below."""


class _Line(NamedTuple):
    logger: str
    record: LogRecord


class OwnLogs(logging.Handler):
    """Has each record of the log sent to where the settings say, but for what that sending logs itself."""

    def __init__(self, settings: Telemetry) -> None:
        """Make it in an event loop. Raises `ValueError` for an endpoint that cannot be used."""
        super().__init__()
        pack = partial(_request, own_resource(settings))
        self.telemetry = OwnTelemetry[_Line](settings.logs.processors, Signal.LOGS, pack)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record, from any thread."""
        if not self.telemetry.wanted or sending.get() is Signal.LOGS:
            return
        try:
            self.telemetry.add(_Line(record.name, _log_record(record)))
        except Exception:  # noqa: BLE001 (as every handler of the library: what is logged must not break the work)
            self.handleError(record)


def _log_record(record: logging.LogRecord) -> LogRecord:
    """Make a log record. Of an exception only type and place are kept: its message can quote content."""
    number, text = next(found for level, found in _SEVERITIES.items() if record.levelno >= level)
    fields = {**extras(record), **exception_type(record), **place(record)}
    return LogRecord(
        time_unix_nano=int(record.created * _NANO),
        observed_time_unix_nano=time.time_ns(),
        severity_number=number,
        severity_text=text,
        body=AnyValue(string_value=_text(record.getMessage())),
        attributes=[attribute(clean(key), _value(value)) for key, value in fields.items() if value is not None],
    )


def _value(value: object) -> Value:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(_text(item) for item in value)
    return _text(value)


def _text(value: object) -> str:
    return clean(cut(str(value), _LONGEST))


def _request(resource: Resource, lines: Sequence[_Line]) -> Payload:
    """Make a request, with a scope for each logger."""
    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add(resource=resource)
    scopes: dict[str, ScopeLogs] = {}
    for logger, record in lines:
        scope = scopes.get(logger)
        if scope is None:
            scope = scopes[logger] = resource_logs.scope_logs.add()
            scope.scope.name = logger
        scope.log_records.append(record)
    return Payload(Signal.LOGS, request.SerializeToString(), len(lines))
