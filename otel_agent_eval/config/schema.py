"""The whole configuration, and the types of components that it can name."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points

from pydantic import Field

from otel_agent_eval.config.alerts import Alerts
from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.exporters import (
    ConsoleExporter,
    Exporter,
    OtlpGrpcExporter,
    OtlpHttpExporter,
    PluginExporter,
)
from otel_agent_eval.config.extensions import BasicAuth, BearerTokenAuth, Extension
from otel_agent_eval.config.memory_limiter import MemoryLimiter
from otel_agent_eval.config.processors import AgentEval
from otel_agent_eval.config.receivers import OtlpReceiver
from otel_agent_eval.config.redaction import NO_REDACTION, Redaction
from otel_agent_eval.config.service import Service
from otel_agent_eval.signals import Signal

Processor = AgentEval | Redaction | MemoryLimiter
COMPONENTS: Mapping[str, Mapping[str, type[Settings]]] = {
    "extensions": {"bearertokenauth": BearerTokenAuth, "basicauth": BasicAuth},
    "receivers": {"otlp": OtlpReceiver},
    "processors": {"agent_eval": AgentEval, "redaction": Redaction, "memory_limiter": MemoryLimiter},
    "exporters": {
        "otlp": OtlpGrpcExporter,
        "otlp_grpc": OtlpGrpcExporter,
        "otlphttp": OtlpHttpExporter,
        "otlp_http": OtlpHttpExporter,
        "console": ConsoleExporter,
        "debug": ConsoleExporter,
    },
}
"""The model of each component's settings, by section and type; a component is called `type` or `type/name`."""


def component_types(section: str) -> Mapping[str, type[Settings]]:
    """Return the models of a section's components by type, with those of installed plug-ins."""
    plugins = entry_points(group="otel_agent_eval.exporters") if section == "exporters" else ()
    return {**{plugin.name: PluginExporter for plugin in plugins}, **COMPONENTS[section]}


@dataclass(frozen=True, slots=True)
class Parts:
    """What is right in a configuration of which something else may be wrong."""

    extensions: Mapping[str, Extension]
    receivers: Mapping[str, OtlpReceiver]
    processors: Mapping[str, Processor]
    exporters: Mapping[str, Exporter]
    service: Service | None
    alerts: Alerts | None = None


class Config(Settings):
    """A configuration in the shape of the OpenTelemetry Collector's."""

    extensions: Mapping[str, Extension] = Field(default_factory=dict)
    """Who may send, and who we say we are."""
    receivers: Mapping[str, OtlpReceiver] = Field(default_factory=dict)
    """Where telemetry comes in."""
    processors: Mapping[str, Processor] = Field(default_factory=dict)
    """What is done with it."""
    exporters: Mapping[str, Exporter]
    """Where it goes."""
    service: Service
    """Which of these are connected, and what the gateway tells about itself."""
    alerts: Alerts = Alerts()
    """What alert rules are made of."""

    @property
    def agent_eval(self) -> AgentEval | None:
        """The processor that the traces pipeline names, or None where nothing is to be scored."""
        return next((found for found in self.of_pipeline(Signal.TRACES) if isinstance(found, AgentEval)), None)

    @property
    def memory_limiter(self) -> MemoryLimiter | None:
        """The one that there is, or None where memory is not limited."""
        return next((found for found in self.processors.values() if isinstance(found, MemoryLimiter)), None)

    def of_pipeline(self, signal: Signal) -> list[Processor]:
        """Return the processors that a signal's pipeline names; of one without a pipeline, none."""
        pipeline = self.service.pipelines.by_signal().get(signal)
        return [self.processors[name] for name in pipeline.processors] if pipeline is not None else []

    def redaction_of(self, exporter: str) -> Redaction | None:
        """Return what redacts the requests of an exporter's destination, None where it gets everything.

        Raises `ValueError` where the exporter names none that there is.
        """
        chosen = self.exporters[exporter].redaction
        if chosen is None or chosen == NO_REDACTION:
            return None
        found = self.processors.get(chosen)
        if not isinstance(found, Redaction):
            raise ValueError(f"exporters.{exporter}.redaction: no such processor: {chosen}")  # noqa: TRY004 (a name)
        return found
