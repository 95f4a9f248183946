"""TLS of servers, and towards destinations."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.values import Duration


def _text(value: Any) -> Any:  # noqa: ANN401 (whatever the file holds)
    """Take a version without its quotes, which YAML reads as a number, for the text that it looks like."""
    return str(value) if isinstance(value, float) else value


def of_grpc(version: str) -> str:
    """Return a version that gRPC can be held to. Raises `ValueError` for others."""
    if version != "1.2":
        raise ValueError(
            f"Python's gRPC speaks TLS 1.2, too, and cannot be told otherwise for one address: use OTLP over HTTP or a"
            f" proxy in front, or have all of gRPC speak {version} by GRPC_SSL_CIPHER_SUITES (docs/security.md)"
        )
    return version


TlsVersion = Annotated[Literal["1.2", "1.3"], BeforeValidator(_text)]
GrpcTlsVersion = Annotated[TlsVersion, AfterValidator(of_grpc)]


class ServerTls(Settings):
    """TLS of a server."""

    cert_file: Path
    """The server's certificate chain, PEM."""
    key_file: Path
    """The certificate's private key, PEM."""
    client_ca_file: Path | None = None
    """Certificates that clients must be signed by (mTLS), PEM; without it clients need none."""
    min_version: TlsVersion = "1.2"
    """The oldest version of TLS that is spoken."""
    reload_interval: Annotated[Duration, Field(gt=0)] = 1.0
    """How soon changed files are noticed; they count for new connections. Files that cannot be used leave the old."""


class GrpcServerTls(ServerTls):
    """TLS of a gRPC server."""

    min_version: GrpcTlsVersion = "1.2"
    """The oldest version of TLS that is spoken: gRPC knows `1.2` only."""


class ClientTls(Settings):
    """TLS towards a destination."""

    ca_file: Path | None = None
    """Certificates that the destination must be signed by, PEM; without it the system's."""
    cert_file: Path | None = None
    """The client's certificate (mTLS), PEM."""
    key_file: Path | None = None
    """The client certificate's private key, PEM."""
    min_version: TlsVersion = "1.2"
    """The oldest version of TLS that is spoken."""
    reload_interval: Annotated[Duration, Field(gt=0)] = 1.0
    """How soon changed files are noticed; they count for new connections. Files that cannot be used leave the old."""

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together: give both or none")
        return self


class GrpcClientTls(ClientTls):
    """TLS towards a gRPC destination."""

    min_version: GrpcTlsVersion = "1.2"
    """The oldest version of TLS that is spoken: gRPC knows `1.2` only."""
    insecure: bool = False
    """`true` sends plain text. An endpoint that begins with `http://` or `https://` says it itself."""
