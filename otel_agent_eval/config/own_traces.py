"""The section `service.telemetry.traces`: where spans of the gateway's own work go, in the Collector's shape."""

from dataclasses import replace
from typing import Literal

from pydantic import Field, model_validator

from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.exporters import Headers
from otel_agent_eval.config.values import Destination, Fraction
from otel_agent_eval.signals import Signal


class OwnOtlp(Settings):
    """An OTLP endpoint."""

    protocol: Literal["grpc", "http/protobuf"] = "http/protobuf"
    """How it is spoken to."""
    endpoint: Destination
    """URL; `/v1/traces` is added for `http/protobuf` where it has no path."""
    headers: Headers = Field(default_factory=dict, repr=False)
    """Headers sent with each request."""

    @model_validator(mode="after")
    def _has_scheme(self) -> "OwnOtlp":
        if not self.endpoint.scheme:
            raise ValueError(f"expected a URL with its scheme: http://{self.endpoint} or https://{self.endpoint}")
        return self

    @property
    def url(self) -> str:
        """The URL that takes traces over HTTP."""
        path = self.endpoint.path.rstrip("/") or f"/v1/{Signal.TRACES}"
        return str(replace(self.endpoint, path=path))


class OwnExporter(Settings):
    """What spans are sent by."""

    otlp: OwnOtlp
    """OTLP."""


class OwnBatch(Settings):
    """Sends spans together, every five seconds."""

    exporter: OwnExporter
    """Where they go."""


class OwnProcessor(Settings):
    """What is done with spans."""

    batch: OwnBatch
    """They are sent in batches."""


class RatioSampler(Settings):
    """A share of the spans."""

    ratio: Fraction = 0.01
    """The share, in [0, 1]."""


class Sampler(Settings):
    """Which spans are made."""

    trace_id_ratio_based: RatioSampler = RatioSampler()
    """A random share."""


class TracesTelemetry(Settings):
    """Spans of the gateway's own work: receive, judge, send. They hold counts and names, never content."""

    processors: tuple[OwnProcessor, ...] = ()
    """Where they go; without any, none are made."""
    sampler: Sampler = Sampler()
    """Which are made."""
