"""rotel, a native OTLP collector, between two OTLP endpoints."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from backends.environments import python
from support.processes import free_port, listening, running


class Rotel(NamedTuple):
    """Where a running rotel listens."""

    grpc_port: int
    http_port: int


@contextmanager
def rotel(protocol: str, endpoint: str, folder: Path) -> Iterator[Rotel]:
    """Run rotel, forwarding all signals to `endpoint` by `protocol` (grpc or http)."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    binary = python("rotel").parent.parent / "lib" / version / "site-packages" / "rotel" / "rotel-agent"
    ports = Rotel(free_port(), free_port())
    command = [
        binary,
        "start",
        *("--otlp-grpc-endpoint", f"127.0.0.1:{ports.grpc_port}"),
        *("--otlp-http-endpoint", f"127.0.0.1:{ports.http_port}"),
        *("--exporter", "otlp"),
        *("--otlp-exporter-protocol", protocol),
        *("--otlp-exporter-endpoint", endpoint),
        *("--pid-file", str(folder / f"rotel-{ports.grpc_port}.pid")),
    ]
    log = folder / f"rotel-{ports.grpc_port}.log"
    with running(command, ready=lambda: listening(ports.grpc_port) and listening(ports.http_port), log=log):
        yield ports
