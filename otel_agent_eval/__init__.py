"""OpenTelemetry evaluation gateway: reads agents' answers from OTLP, scores them, writes the scores on the telemetry."""

from importlib.metadata import version

__version__ = version("otel-agent-eval")
