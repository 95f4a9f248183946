"""The section `service`: which parts are connected, and what the gateway tells about itself."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.extensions import Auth
from otel_agent_eval.config.own_telemetry import OwnProcessor, TracesTelemetry
from otel_agent_eval.config.queue import Queue
from otel_agent_eval.config.tls import ServerTls
from otel_agent_eval.config.values import Address, Duration, ListenAddress
from otel_agent_eval.signals import Signal


class Pipeline(Settings):
    """The way of one signal. Components are named as in their section: `otlp`, `otlp/tempo`."""

    receivers: tuple[str, ...] = ()
    """Where it comes from. Logs and metrics can do without: their pipelines carry scores as events and metrics."""
    processors: tuple[str, ...] = ()
    """What it passes: `agent_eval` in traces scores, in logs reads content that belongs to spans."""
    exporters: tuple[str, ...] = Field(min_length=1)
    """Where it goes, each at its own pace."""


class Pipelines(Settings):
    """One pipeline for each signal. A signal without one is refused as unimplemented."""

    traces: Pipeline | None = None
    """Spans."""
    logs: Pipeline | None = None
    """Log records, and the `gen_ai.evaluation.result` event of each evaluation."""
    metrics: Pipeline | None = None
    """Metrics, and those of the gateway: scores, failures, its own health."""

    def by_signal(self) -> dict[Signal, Pipeline]:
        """Return the pipelines that are there."""
        every = {Signal.TRACES: self.traces, Signal.LOGS: self.logs, Signal.METRICS: self.metrics}
        return {signal: pipeline for signal, pipeline in every.items() if pipeline is not None}


class MetricsTelemetry(Settings):
    """The gateway's metrics."""

    address: ListenAddress | None = Address("127.0.0.1", 8888)
    """host:port of `/metrics`, `/status`, `/healthz` and `/readyz`; `null` serves none."""
    tls: ServerTls | None = None
    """Encrypts these pages."""
    auth: Auth | None = None
    """Who may read these pages, but for `/healthz` and `/readyz`, which everybody may."""
    interval: Annotated[Duration, Field(ge=1)] = 60.0
    """How often metrics are pushed to the exporters of the metrics pipeline."""
    last_failure_file: Path | None = Path("~/.local/state/otel-agent-eval/last_failures.json")
    """Keeps the time of each agent's last failed answer across restarts: give each gateway of a machine its own. `null`
    forgets them."""


class LogsTelemetry(Settings):
    """The gateway's own log, on standard error, and sent where that is wanted. It never holds content."""

    level: Annotated[
        Literal["debug", "info", "warn", "error"],
        BeforeValidator(lambda level: level.lower() if isinstance(level, str) else level),
    ] = "info"
    """The least serious level that is logged."""
    encoding: Literal["console", "json"] = "console"
    """`json`: an object a line."""
    processors: tuple[OwnProcessor, ...] = ()
    """Where it goes beside standard error."""


class Telemetry(Settings):
    """What the gateway tells about itself."""

    resource: dict[str, str | bool | int | float | None] = Field(default_factory=dict)
    """Attributes of what it sends of this: `deployment.environment.name: prod`. They go before its own (`service.name`,
    `service.version`, `service.instance.id`); `null` takes one of those out."""
    metrics: MetricsTelemetry = MetricsTelemetry()
    """Metrics and health."""
    logs: LogsTelemetry = LogsTelemetry()
    """Logs."""
    traces: TracesTelemetry = TracesTelemetry()
    """Spans of its own work; none unless they are given somewhere to go."""


class Service(Settings):
    """Connects the components."""

    extensions: tuple[str, ...] = ()
    """The extensions, as the Collector wants them listed; those that `auth` names work without."""
    pipelines: Pipelines
    """What is connected with what. A component that no pipeline names is not started."""
    queue: Queue = Queue()
    """Where telemetry is kept until it is delivered."""
    telemetry: Telemetry = Telemetry()
    """What the gateway tells about itself."""
