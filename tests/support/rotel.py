"""rotel, a native OTLP collector, between two OTLP endpoints."""

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from backends.environments import python
from support.processes import free_port, listening, running


class Rotel(NamedTuple):
    """Where a running rotel listens, and its process id."""

    grpc_port: int
    http_port: int
    pid: int


@contextmanager
def rotel(protocol: str, endpoint: str, folder: Path, *, compression: str = "gzip") -> Iterator[Rotel]:
    """Run rotel, forwarding all signals to `endpoint` by `protocol` (grpc or http), with `compression` (gzip, none)."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    binary = python("rotel").parent.parent / "lib" / version / "site-packages" / "rotel" / "rotel-agent"
    grpc_port, http_port = free_port(), free_port()
    command = [
        binary,
        "start",
        *("--otlp-grpc-endpoint", f"127.0.0.1:{grpc_port}"),
        *("--otlp-http-endpoint", f"127.0.0.1:{http_port}"),
        *("--exporter", "otlp"),
        *("--otlp-exporter-protocol", protocol),
        *("--otlp-exporter-endpoint", endpoint),
        *("--otlp-exporter-compression", compression),
        *("--pid-file", str(folder / f"rotel-{grpc_port}.pid")),
    ]
    # The binary links libpython: where this interpreter brings one, it need not be installed apart.
    env = {**os.environ, "LD_LIBRARY_PATH": sysconfig.get_config_var("LIBDIR") or ""}
    log = folder / f"rotel-{grpc_port}.log"
    with running(command, ready=lambda: listening(grpc_port) and listening(http_port), log=log, env=env) as agent:
        yield Rotel(grpc_port, http_port, agent.pid)
