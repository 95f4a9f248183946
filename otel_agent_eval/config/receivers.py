"""Receivers: where telemetry comes in."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.extensions import Auth
from otel_agent_eval.config.tls import GrpcServerTls, ServerTls
from otel_agent_eval.config.values import Address, Duration, ListenAddress, Size

_Connections = Annotated[int, Field(ge=1, le=1_000_000)]
_Positive = Annotated[Duration, Field(gt=0)]


class ServerParameters(Settings):
    """How long connections last. Without a value there is no end."""

    max_connection_idle: _Positive | None = 300.0
    """A connection without requests for so long is asked to end."""
    max_connection_age: _Positive | None = None
    """A connection is asked to end after this time: so that senders spread over new gateways behind a balancer."""
    max_connection_age_grace: _Positive | None = None
    """Time after `max_connection_age` for requests to end; then the connection is closed."""
    time: _Positive = 60.0
    """A client that is silent for so long is asked whether it lives."""
    timeout: _Positive = 20.0
    """Time for its answer; then the connection is closed."""


class EnforcementPolicy(Settings):
    """What clients may ask."""

    min_time: _Positive = 5.0
    """Clients that ask more often than this whether we live are disconnected."""
    permit_without_stream: bool = True
    """Whether they may ask while they have no request under way."""


class Keepalive(Settings):
    """gRPC's keepalive, as in the Collector."""

    server_parameters: ServerParameters = ServerParameters()
    """What we do."""
    enforcement_policy: EnforcementPolicy = EnforcementPolicy()
    """What clients may do."""


class GrpcProtocol(Settings):
    """OTLP over gRPC."""

    endpoint: ListenAddress = Address("127.0.0.1", 4317)
    """host:port to listen on; `0.0.0.0:4317` for every interface."""
    max_recv_msg_size_mib: Annotated[int, Field(ge=1, le=2047)] = 64
    """Largest request in MiB, after decompression; larger ones are refused with RESOURCE_EXHAUSTED."""
    tls: GrpcServerTls | None = None
    """Encrypts; without it the receiver speaks plain text."""
    auth: Auth | None = None
    """Who may send; without it whoever reaches the address."""
    read_timeout: _Positive = 30.0
    """Time for a request to arrive; senders that are slower are asked to try again."""
    max_connections: _Connections = 4096
    """Connections at a time; further ones are closed."""
    max_connections_per_client: _Connections | None = None
    """Connections of one address at a time; further ones are closed within a second. Without it only `max_connections`
    counts. Needs Linux."""
    max_concurrent_streams: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Requests at a time on a connection; senders wait with further ones, or are asked to try again."""
    keepalive: Keepalive = Keepalive()
    """Silent connections."""


class HttpProtocol(Settings):
    """OTLP over HTTP: protobuf and JSON, at `/v1/traces`, `/v1/logs` and `/v1/metrics`."""

    endpoint: ListenAddress = Address("127.0.0.1", 4318)
    """host:port to listen on; `0.0.0.0:4318` for every interface."""
    max_request_body_size: Annotated[Size, Field(ge=1 << 10, le=2047 << 20)] = 64 << 20
    """Largest request body, after decompression; larger ones are refused with 413."""
    tls: ServerTls | None = None
    """Encrypts; without it the receiver speaks plain text."""
    auth: Auth | None = None
    """Who may send; without it whoever reaches the address."""
    read_header_timeout: _Positive = 10.0
    """Time for TLS to begin, and for the head of a request to arrive; slower connections are closed."""
    read_timeout: _Positive = 30.0
    """Time for a request's body to arrive; senders that are slower are asked to try again."""
    idle_timeout: _Positive = 75.0
    """How long a connection may be silent between two requests."""
    max_connections: _Connections = 4096
    """Connections at a time; further ones are closed."""
    max_connections_per_client: _Connections | None = None
    """Connections of one address at a time; without it only `max_connections` counts."""
    max_buffered_bytes: Annotated[Size, Field(ge=1 << 20)] = 512 << 20
    """All bodies together that are being received; beyond it senders are asked to try again."""


class Protocols(Settings):
    """The protocols that a receiver speaks: those that are named."""

    grpc: GrpcProtocol | None = None
    """OTLP over gRPC; `grpc:` alone switches it on with its defaults."""
    http: HttpProtocol | None = None
    """OTLP over HTTP; `http:` alone switches it on with its defaults."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.grpc is None and self.http is None:
            raise ValueError("a receiver needs a protocol: grpc, http or both")
        return self


class Limits(Settings):
    """What one client (an IPv4 address, or the first 64 bits of an IPv6 address) and one request may cost.

    Who sends too much is asked to come back later, and loses nothing; a request that holds too much is refused for
    good, as one that is too large.
    """

    requests_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Requests of a client, on average over ten seconds; without it any number."""
    bytes_per_second: Annotated[Size, Field(ge=1 << 10)] | None = None
    """Bytes of a client's requests after decompression, on average over ten seconds; without it any number."""
    max_items: Annotated[int, Field(ge=1)] = 250_000
    """Spans, log records or data points in a request."""
    max_objects: Annotated[int, Field(ge=1000)] = 2_000_000
    """All that a request holds: its spans, their attributes, values, events and links. Counted where a request of more
    than 1 MiB looks as if it held suspiciously many."""
    max_decompression_ratio: Annotated[int, Field(ge=10, le=1032)] = 500
    """By how much a request of more than 1 MiB may have been compressed; gzip's own limit is 1032."""


class OtlpReceiver(Settings):
    """Receives OTLP over gRPC, HTTP or both."""

    protocols: Protocols
    """What the receiver speaks, and where."""
    metadata_keys: tuple[str, ...] = ()
    """Request headers that travel on with the telemetry to its destinations, such as `x-scope-orgid`."""
    limits: Limits = Limits()
    """What clients and requests may cost."""
