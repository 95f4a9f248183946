"""Sends requests to an OTLP endpoint over connections that stay open, several at a time."""

import http.client
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import grpc

from otel_agent_eval.receivers.otlp_grpc import SERVICES
from otel_agent_eval.signals import Signal

Send = Callable[[Signal, bytes], None]
"""Sends one request and returns when it is acknowledged; raises `RuntimeError` when it is refused."""

_TIMEOUT = 30.0


def grpc_sender(endpoint: str) -> Send:
    """Return a sender over gRPC; safe to call from several threads."""
    channel = grpc.insecure_channel(endpoint, [("grpc.max_send_message_length", -1)])
    calls = {signal: channel.unary_unary(f"/{service}/Export", None, None) for signal, service in SERVICES.items()}

    def send(signal: Signal, body: bytes) -> None:
        try:
            calls[signal](body, timeout=_TIMEOUT)
        except grpc.RpcError as error:
            raise RuntimeError(str(error)) from None

    return send


def http_sender(endpoint: str) -> Send:
    """Return a sender over HTTP; each thread that calls it has a connection of its own."""
    host = urlsplit(endpoint).netloc
    own = threading.local()

    def send(signal: Signal, body: bytes) -> None:
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection(host, timeout=_TIMEOUT)
        own.connection.request("POST", f"/v1/{signal}", body, {"content-type": "application/x-protobuf"})
        answer = own.connection.getresponse()
        answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"HTTP {answer.status}")

    return send
