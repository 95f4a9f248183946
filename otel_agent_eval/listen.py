"""Where a server listens, with which certificate, and what to say when it cannot."""

import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from otel_agent_eval.watched import LOOK_EVERY


class ListenError(ValueError):
    """A server cannot start; the message names the address, or the file, and the key that configures it."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """Files in PEM format; with `client_ca_file` clients must present a certificate signed by it.

    `min_version` is for HTTP: Python's gRPC always speaks TLS 1.2, too.
    Changed files are noticed every `reload_interval` seconds, and count for new connections.
    """

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    reload_interval: float = LOOK_EVERY

    @property
    def files(self) -> list[Path]:
        """The files that there are."""
        return [self.cert_file, self.key_file, *([self.client_ca_file] if self.client_ca_file else [])]

    def context(self) -> ssl.SSLContext:
        """Load the files for a server. Raises `ListenError` naming the file that is wrong."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self.min_version
        try:
            context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise ListenError(f"cannot load {self.cert_file} with {self.key_file}: {_reason(error)}") from None
        if self.client_ca_file is not None:
            try:
                context.load_verify_locations(self.client_ca_file)
            except (OSError, ssl.SSLError) as error:
                raise ListenError(f"cannot load {self.client_ca_file}: {_reason(error)}") from None
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def split_endpoint(endpoint: str, key: str) -> tuple[str, int]:
    """Split `host:port`, `[::1]:port` or `:port` (all interfaces) into host and port. Raises `ListenError`."""
    host, colon, port = endpoint.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535 or (":" in host and not host.startswith("[")):  # noqa: PLR2004 (the highest port)
        raise ListenError(f"{key}: {endpoint!r} is not an address; write host:port, such as 127.0.0.1:4317", key)
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 (":port" means all interfaces, as in the Collector)


def join_endpoint(host: str, port: int) -> str:
    """Join host and port, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bind(endpoint: str, key: str) -> socket.socket:
    """Return a socket bound to an endpoint. Raises `ListenError` that names the address and `key`."""
    host, port = split_endpoint(endpoint, key)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ListenError(f"cannot listen on {endpoint}: {_reason(error)}; change {key}", key) from None
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()  # Linux lets two sockets bind with SO_REUSEADDR; only listening tells that the port is taken
    except OSError as error:
        listener.close()
        raise ListenError(f"cannot listen on {endpoint}: {_reason(error)}; change {key}", key) from None
    return listener


def _reason(error: OSError) -> str:
    if error.errno and not isinstance(error, (ssl.SSLError, socket.gaierror)):
        return os.strerror(error.errno).lower()
    return str(error)
