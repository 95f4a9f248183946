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
from otel_agent_eval.config.processors import AgentEval
from otel_agent_eval.config.receivers import OtlpReceiver
from otel_agent_eval.config.redaction import Redaction
from otel_agent_eval.config.service import Service

COMPONENTS: Mapping[str, Mapping[str, type[Settings]]] = {
    "extensions": {"bearertokenauth": BearerTokenAuth, "basicauth": BasicAuth},
    "receivers": {"otlp": OtlpReceiver},
    "processors": {"agent_eval": AgentEval, "redaction": Redaction},
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
    processors: Mapping[str, AgentEval | Redaction]
    exporters: Mapping[str, Exporter]
    service: Service | None
    alerts: Alerts | None = None


class Config(Settings):
    """A configuration in the shape of the OpenTelemetry Collector's."""

    extensions: Mapping[str, Extension] = Field(default_factory=dict)
    """Who may send, and who we say we are."""
    receivers: Mapping[str, OtlpReceiver] = Field(default_factory=dict)
    """Where telemetry comes in."""
    processors: Mapping[str, AgentEval | Redaction] = Field(default_factory=dict)
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
        traces = self.service.pipelines.traces
        found = self.processors.get(traces.processors[0]) if traces and traces.processors else None
        return found if isinstance(found, AgentEval) else None
