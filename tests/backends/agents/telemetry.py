"""The plain SDK set-up of the agents in this folder: traces and logs to OTEL_EXPORTER_OTLP_ENDPOINT, over HTTP."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import _logs, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


@contextmanager
def exported(service: str) -> Iterator[TracerProvider]:
    """Register providers that export to the endpoint, and flush them at the end."""
    resource = Resource.create({"service.name": service})
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    logger_provider = LoggerProvider(resource=resource)
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    trace.set_tracer_provider(tracer_provider)
    _logs.set_logger_provider(logger_provider)
    try:
        yield tracer_provider
    finally:
        logger_provider.shutdown()
        tracer_provider.shutdown()


MODEL = os.environ.get("AGENT_MODEL", "gpt-4o-mini")
