"""Exporters: where telemetry goes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.extensions import Auth
from otel_agent_eval.config.tls import ClientTls, GrpcClientTls
from otel_agent_eval.config.values import Destination, Duration, Endpoint, Fraction, Size
from otel_agent_eval.signals import Signal

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _headers(headers: dict[str, str]) -> dict[str, str]:
    """Check that headers can be sent. Messages hold no values: they are often secrets."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"a header's name has letters, digits and dashes; got {name[:40]!a}")
        if not value.isascii() or not value.isprintable():
            raise ValueError(f"the value of header {name} holds characters that cannot be sent (only printable ASCII)")
    return headers


Headers = Annotated[dict[str, str], AfterValidator(_headers)]


class Retry(Settings):
    """How a request that failed for the moment is sent again: later each time, with jitter, as OTLP asks."""

    enabled: bool = True
    """`false`: one attempt only."""
    initial_interval: Annotated[Duration, Field(gt=0)] = 1.0
    """Wait before the first retry."""
    randomization_factor: Fraction = 0.5
    """Jitter: a wait is multiplied by a random number from 1 - this to 1 + this."""
    multiplier: Annotated[float, Field(ge=1.0, le=100.0)] = 1.5
    """By what each wait is longer than the one before."""
    max_interval: Annotated[Duration, Field(gt=0)] = 30.0
    """Longest wait between two attempts."""
    max_elapsed_time: Duration = 0.0
    """After this time a request is given up and counted; `0` never gives up: the queue fills, then senders wait."""


class SendingQueue(Settings):
    """What waits for a destination, apart from all others."""

    queue_size: Annotated[Size, Field(ge=1 << 20)] | None = None
    """Bytes of telemetry (not requests) that may wait for it; without it only `service.queue.size` bounds them."""
    on_full: Literal["refuse", "drop_oldest"] = "refuse"
    """What happens when its queue, or the queue as a whole, is full: senders are asked to come back later, or what has
    waited longest for this destination is dropped and counted."""
    num_consumers: Annotated[int, Field(ge=1, le=100)] = 4
    """Requests that are sent at a time."""


class _Destination(Settings):
    """What all exporters have in common."""

    redaction: str | None = None
    """The processor that says what it is not to get, such as `redaction/content_free`; `none` for everything. Needed as
    soon as there is such a processor, so that none is forgotten."""


class _OtlpExporter(_Destination):
    """What both OTLP exporters have in common."""

    headers: Headers = Field(default_factory=dict, repr=False)
    """Headers sent with each request."""
    auth: Auth | None = None
    """Who we say we are."""
    compression: Literal["gzip", "none"] = "gzip"
    """How requests are compressed."""
    timeout: Annotated[Duration, Field(gt=0)] = 5.0
    """Limit of one attempt."""
    retry_on_failure: Retry = Retry()
    """Retries."""
    sending_queue: SendingQueue = SendingQueue()
    """The destination's queue."""

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        if self.auth is not None and "authorization" in map(str.lower, self.headers):
            raise ValueError("headers and auth both give authorization: drop one")
        return self


class OtlpGrpcExporter(_OtlpExporter):
    """Sends OTLP over gRPC. `otlp` and `otlp_grpc` are the same."""

    endpoint: Destination
    """host:port, or a URL whose scheme says whether TLS is used."""
    tls: GrpcClientTls = GrpcClientTls()
    """TLS, on unless `insecure` or the endpoint's scheme say otherwise."""

    @model_validator(mode="after")
    def _scheme(self) -> Self:
        if self.endpoint.path:
            raise ValueError(f"a gRPC endpoint has no path; got {self.endpoint.path!a} (otlphttp takes one)")
        if self.endpoint.scheme == "https" and self.tls.insecure:
            raise ValueError("the endpoint says https, tls.insecure says plain text: drop one")
        return self

    @property
    def insecure(self) -> bool:
        """Whether plain text is sent."""
        return self.endpoint.scheme == "http" or self.tls.insecure

    def endpoints(self) -> dict[str, Endpoint]:
        """Return where requests go, by key."""
        return {"endpoint": self.endpoint}


class OtlpHttpExporter(_OtlpExporter):
    """Sends OTLP over HTTP, as protobuf. `otlphttp` and `otlp_http` are the same."""

    endpoint: Destination | None = None
    """URL to which `/v1/traces`, `/v1/logs` and `/v1/metrics` are added."""
    traces_endpoint: Destination | None = None
    """Full URL for traces, in place of `endpoint`."""
    logs_endpoint: Destination | None = None
    """Full URL for logs, in place of `endpoint`."""
    metrics_endpoint: Destination | None = None
    """Full URL for metrics, in place of `endpoint`."""
    tls: ClientTls = ClientTls()
    """TLS, used where the URL begins with `https://`."""

    @model_validator(mode="after")
    def _urls(self) -> Self:
        given = self.endpoints()
        if not given:
            raise ValueError("endpoint is missing, for example endpoint: https://tempo.example.com:4318")
        for key, url in given.items():
            if not url.scheme:
                raise ValueError(f"{key}: expected a URL with its scheme: http://{url} or https://{url}")
        return self

    def endpoints(self) -> dict[str, Endpoint]:
        """Return where requests go, by key."""
        every = {"endpoint": self.endpoint} | {f"{signal}_endpoint": url for signal, url in self._own().items()}
        return {key: url for key, url in every.items() if url is not None}

    def url(self, signal: Signal) -> str | None:
        """Return the URL that takes `signal`, or None where none is configured."""
        own, base = self._own()[signal], self.endpoint
        if own is not None:
            return str(own)
        return str(replace(base, path=f"{base.path}/v1/{signal}")) if base is not None else None

    def _own(self) -> dict[Signal, Endpoint | None]:
        return {
            Signal.TRACES: self.traces_endpoint,
            Signal.LOGS: self.logs_endpoint,
            Signal.METRICS: self.metrics_endpoint,
        }


class ConsoleExporter(_Destination):
    """Shows what was scored as a table on the terminal. `console` and `debug` are the same."""

    def endpoints(self) -> dict[str, Endpoint]:
        """Return where requests go: nowhere."""
        return {}


class PluginExporter(_Destination):
    """An exporter of another package; its settings are checked by that package."""

    model_config = ConfigDict(extra="allow")

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings as they stand in the file."""
        return self.__pydantic_extra__ or {}

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        """Show no settings: some are secrets, and which is not known here."""
        return iter(())

    def endpoints(self) -> dict[str, Endpoint]:
        """Return where requests go: not known here."""
        return {}


Exporter = OtlpGrpcExporter | OtlpHttpExporter | ConsoleExporter | PluginExporter
