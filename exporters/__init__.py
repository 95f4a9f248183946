"""Where telemetry goes: OTLP over gRPC and HTTP, and the console."""

from otel_agent_eval.exporters.console import ConsoleExporter
from otel_agent_eval.exporters.exporter import Exporter, ExportError, Oversized, Permanent, Retryable, Unsupported
from otel_agent_eval.exporters.otlp_grpc import OtlpGrpcExporter
from otel_agent_eval.exporters.otlp_http import OtlpHttpExporter, signal_urls
from otel_agent_eval.exporters.plugins import ExporterFactory, PluginError, load_factory, plugin_kinds
from otel_agent_eval.exporters.tls import ClientTls

__all__ = [
    "ClientTls",
    "ConsoleExporter",
    "ExportError",
    "Exporter",
    "ExporterFactory",
    "OtlpGrpcExporter",
    "OtlpHttpExporter",
    "Oversized",
    "Permanent",
    "PluginError",
    "Retryable",
    "Unsupported",
    "load_factory",
    "plugin_kinds",
    "signal_urls",
]
