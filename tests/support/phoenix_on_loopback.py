"""Starts Arize Phoenix with its gRPC port on the loopback interface: it offers no setting for that address.

Run by the interpreter of the `phoenix` environment.
"""

import sys
from typing import Any

import grpc.aio

add_insecure_port = grpc.aio.Server.add_insecure_port


def add_loopback_port(server: Any, address: str) -> int:
    """Bind to the loopback interface what would be bound to all."""
    return add_insecure_port(server, address.replace("[::]", "127.0.0.1"))


grpc.aio.Server.add_insecure_port = add_loopback_port

from phoenix.server.main import main  # noqa: E402 (after the address is fixed)

sys.argv = ["phoenix", "serve"]
main()
