"""TLS of servers, and towards destinations."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.values import Duration


class ServerTls(Settings):
    """TLS of a receiver."""

    cert_file: Path
    """The server's certificate chain, PEM."""
    key_file: Path
    """The certificate's private key, PEM."""
    client_ca_file: Path | None = None
    """Certificates that clients must be signed by (mTLS), PEM; without it clients need none."""
    reload_interval: Annotated[Duration, Field(gt=0)] = 1.0
    """How soon changed files are noticed; they count for new connections. Files that cannot be used leave the old."""


class ClientTls(Settings):
    """TLS towards a destination."""

    ca_file: Path | None = None
    """Certificates that the destination must be signed by, PEM; without it the system's."""
    cert_file: Path | None = None
    """The client's certificate (mTLS), PEM."""
    key_file: Path | None = None
    """The client certificate's private key, PEM."""
    reload_interval: Annotated[Duration, Field(gt=0)] = 1.0
    """How soon changed files are noticed; they count for new connections. Files that cannot be used leave the old."""

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together: give both or none")
        return self


class GrpcClientTls(ClientTls):
    """TLS towards a gRPC destination."""

    insecure: bool = False
    """`true` sends plain text. An endpoint that begins with `http://` or `https://` says it itself."""
