"""OpenTelemetry evaluation gateway: scores agents' answers and writes the scores onto the telemetry."""

import os
from importlib.metadata import version

__version__ = version("otel-agent-eval")

# ONNX Runtime tells its maker of its use since 1.32, from the moment it is imported, unless this is set before.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
