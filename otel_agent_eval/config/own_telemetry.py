"""Where telemetry of the gateway's own goes, in the Collector's shape, and the section `service.telemetry.traces`."""

from dataclasses import replace
from typing import Literal

from pydantic import Field, model_validator

from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.exporters import Headers
from otel_agent_eval.config.tls import ClientTls, of_grpc
from otel_agent_eval.config.values import Destination, Fraction
from otel_agent_eval.signals import Signal


class OwnOtlp(Settings):
    """An OTLP endpoint."""

    protocol: Literal["grpc", "http/protobuf"] = "http/protobuf"
    """How it is spoken to."""
    endpoint: Destination
    """URL; `/v1/traces` and so on is added for `http/protobuf` where it has no path."""
    headers: Headers = Field(default_factory=dict, repr=False)
    """Headers sent with each request."""
    tls: ClientTls = ClientTls()
    """TLS, used where the URL begins with `https://`."""

    @model_validator(mode="after")
    def _has_scheme(self) -> "OwnOtlp":
        if not self.endpoint.scheme:
            raise ValueError(f"expected a URL with its scheme: http://{self.endpoint} or https://{self.endpoint}")
        return self

    @model_validator(mode="after")
    def _version(self) -> "OwnOtlp":
        if self.protocol == "grpc":
            try:
                of_grpc(self.tls.min_version)
            except ValueError as error:
                raise ValueError(f"tls.min_version: {error}") from None
        return self

    def url(self, signal: Signal) -> str:
        """Return the URL that takes a signal over HTTP."""
        path = self.endpoint.path.rstrip("/") or f"/v1/{signal}"
        return str(replace(self.endpoint, path=path))


class OwnExporter(Settings):
    """What they are sent by."""

    otlp: OwnOtlp
    """OTLP."""


class OwnBatch(Settings):
    """Sends them together, every five seconds."""

    exporter: OwnExporter
    """Where they go."""


class OwnProcessor(Settings):
    """What is done with them."""

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
