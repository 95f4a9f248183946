"""Where telemetry goes: OTLP over gRPC and HTTP, and the console."""

from otel_agent_eval.exporters.exporter import Exporter, ExportError, Permanent, Retryable, Unsupported
from otel_agent_eval.exporters.otlp_grpc import OtlpGrpcExporter
from otel_agent_eval.exporters.otlp_http import OtlpHttpExporter, signal_urls
from otel_agent_eval.exporters.tls import ClientTls

__all__ = [
    "ClientTls",
    "ExportError",
    "Exporter",
    "OtlpGrpcExporter",
    "OtlpHttpExporter",
    "Permanent",
    "Retryable",
    "Unsupported",
    "signal_urls",
]
