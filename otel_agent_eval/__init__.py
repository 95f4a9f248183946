"""OpenTelemetry evaluation gateway: scores agents' answers and writes the scores onto the telemetry."""

from importlib.metadata import version

__version__ = version("otel-agent-eval")
