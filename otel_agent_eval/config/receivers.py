"""Receivers: where telemetry comes in."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.values import Address, ListenAddress, Size


class ServerTls(Settings):
    """TLS of a receiver."""

    cert_file: Path
    """The server's certificate chain, PEM."""
    key_file: Path
    """The certificate's private key, PEM."""
    client_ca_file: Path | None = None
    """Certificates that clients must be signed by (mTLS), PEM; without it clients need none."""


class GrpcProtocol(Settings):
    """OTLP over gRPC."""

    endpoint: ListenAddress = Address("127.0.0.1", 4317)
    """host:port to listen on; `0.0.0.0:4317` for every interface."""
    max_recv_msg_size_mib: Annotated[int, Field(ge=1, le=2047)] = 64
    """Largest request in MiB, after decompression; larger ones are refused with RESOURCE_EXHAUSTED."""
    tls: ServerTls | None = None
    """Encrypts; without it the receiver speaks plain text."""


class HttpProtocol(Settings):
    """OTLP over HTTP: protobuf and JSON, at `/v1/traces`, `/v1/logs` and `/v1/metrics`."""

    endpoint: ListenAddress = Address("127.0.0.1", 4318)
    """host:port to listen on; `0.0.0.0:4318` for every interface."""
    max_request_body_size: Annotated[Size, Field(ge=1 << 10, le=2047 << 20)] = 64 << 20
    """Largest request body, after decompression; larger ones are refused with 413."""
    tls: ServerTls | None = None
    """Encrypts; without it the receiver speaks plain text."""


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


class OtlpReceiver(Settings):
    """Receives OTLP over gRPC, HTTP or both."""

    protocols: Protocols
    """What the receiver speaks, and where."""
    metadata_keys: tuple[str, ...] = ()
    """Request headers that travel on with the telemetry to its destinations, such as `x-scope-orgid`."""
