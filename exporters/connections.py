"""Why there was no connection, in words that name what to change."""

_GRPC_PORT = "it speaks no HTTP/1: OTLP/gRPC needs the otlp exporter, or OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
_HTTP_PORT = "it speaks no gRPC: OTLP/HTTP needs the otlphttp exporter, or OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
_PLAIN_PORT = "the TLS handshake failed: a port without TLS needs http:// or tls.insecure"
_REASONS = (  # what gRPC, httpx and the system say; the first that fits counts
    ("wrong_version_number", _PLAIN_PORT),
    ("certificate_verify_failed", "its certificate is not trusted: see tls.ca_file"),
    ("handshake failed", _PLAIN_PORT),
    ("failed parsing http/2", _HTTP_PORT),
    ("illegal request line", _GRPC_PORT),
    ("domain name not found", "its name cannot be resolved"),
    ("dns resolution failed", "its name cannot be resolved"),
    ("name or service not known", "its name cannot be resolved"),
    ("name resolution", "its name cannot be resolved"),
    ("connection refused", "nothing listens there"),
    ("all connection attempts failed", "nothing listens there"),
    ("alert_protocol_version", "it speaks no version of TLS that we do: see tls.min_version"),
    ("alert_", "it does not accept our certificate: see tls.cert_file"),
)


def explained(kind: str, message: str) -> str:
    """Add to a kind of error what `message` says about the connection; nothing else of it, it can quote content."""
    message = message.lower()
    reason = next((said for words, said in _REASONS if words in message), "")
    return f"{kind} ({reason})" if reason else kind
