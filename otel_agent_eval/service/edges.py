"""Makes what guards the edges of a gateway from a configuration: TLS, who may send, who we say we are, limits."""

import logging
import resource
import ssl
import sys
from dataclasses import replace
from typing import Final, TypeVar

from otel_agent_eval import auth
from otel_agent_eval.config import Config
from otel_agent_eval.config.auth_checks import exposed
from otel_agent_eval.config.extensions import Auth, BearerTokenAuth
from otel_agent_eval.config.receivers import GrpcProtocol, HttpProtocol, OtlpReceiver
from otel_agent_eval.config.tls import ClientTls as ClientTlsSettings
from otel_agent_eval.config.tls import ServerTls as ServerTlsSettings
from otel_agent_eval.exporters import ClientTls
from otel_agent_eval.receivers import BulkLimits, ClientLimits, ClientMeter, Gate, GrpcLimits, HttpLimits, ServerTls

_log = logging.getLogger(__name__)

_OWN_FILES: Final = 256
"""Open files that are not senders': of the queue, destinations, model workers and the gateway's own pages."""

_Limits = TypeVar("_Limits", GrpcLimits, HttpLimits)

_TLS_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def warn_of_open_doors(config: Config) -> None:
    """Say in one line which servers others than this machine reach without TLS, or without being asked who they are."""
    without_tls, for_everybody = exposed(config)
    if without_tls or for_everybody:
        _log.warning(
            "other machines can reach this gateway: see docs/security.md",
            extra={"without_tls": ", ".join(without_tls), "for_everybody": ", ".join(for_everybody)},
        )


def raise_file_limit() -> None:
    """Allow this process as many open files as the system does: each connection is one, and the queue needs some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # macOS names a limit that it does not grant
            _log.warning("the limit of open files stays as it is", extra={"limit": soft})


def share_of_files(servers: int) -> int:
    """Return how many connections each of some servers can bear so that the rest of the process keeps its files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(files - _OWN_FILES, files // 2) // max(servers, 1)


def within(limits: _Limits, most: int, key: str) -> _Limits:
    """Return limits with no more than `most` connections, and say so where that is less; `key` is the endpoint's.

    Where senders had all files no connection could be counted, let alone made.
    """
    if limits.connections <= most:
        return limits
    _log.warning(
        "fewer connections are taken than configured: the limit of open files is too low",
        extra={"key": key, "max_connections": limits.connections, "taken": most},
    )
    return replace(limits, connections=most)


def server_tls(settings: ServerTlsSettings | None) -> ServerTls | None:
    """Make the TLS of a server."""
    if settings is None:
        return None
    return ServerTls(
        cert_file=settings.cert_file,
        key_file=settings.key_file,
        client_ca_file=settings.client_ca_file,
        min_version=_TLS_VERSIONS[settings.min_version],
        reload_interval=settings.reload_interval,
    )


def client_tls(settings: ClientTlsSettings) -> ClientTls:
    """Make the TLS towards a destination."""
    return ClientTls(
        ca_file=settings.ca_file,
        min_version=_TLS_VERSIONS[settings.min_version],
        cert_file=settings.cert_file,
        key_file=settings.key_file,
        reload_interval=settings.reload_interval,
    )


def authenticator(config: Config, settings: Auth | None) -> auth.Authenticator | None:
    """Make what decides who may send. Raises `ValueError` for files that cannot be used."""
    if settings is None:
        return None
    extension = config.extensions[settings.authenticator]
    if isinstance(extension, BearerTokenAuth):
        return auth.BearerAuthenticator(auth.bearer_tokens(extension.given, extension.filename), extension.scheme)
    assert extension.htpasswd is not None  # noqa: S101 (checked with the configuration)
    inline = extension.htpasswd.inline.get_secret_value()
    return auth.BasicAuthenticator(auth.htpasswd_users(inline, extension.htpasswd.file))


def credentials(config: Config, settings: Auth | None) -> auth.Credentials | None:
    """Make what says who we are. Raises `ValueError` for files that cannot be used."""
    if settings is None:
        return None
    extension = config.extensions[settings.authenticator]
    if isinstance(extension, BearerTokenAuth):
        return auth.bearer_credentials(auth.bearer_tokens(extension.given, extension.filename), extension.scheme)
    user = extension.client_auth
    assert user is not None  # noqa: S101 (checked with the configuration)
    return auth.basic_credentials(
        auth.secret(user.username, user.username_file),
        auth.secret(user.password.get_secret_value(), user.password_file),
    )


def meter(settings: OtlpReceiver) -> ClientMeter | None:
    """Make what counts how much clients send, None where nothing limits it."""
    limits = settings.limits
    if limits.requests_per_second is None and limits.bytes_per_second is None:
        return None
    return ClientMeter(
        ClientLimits(requests_per_second=limits.requests_per_second, bytes_per_second=limits.bytes_per_second)
    )


def gate(config: Config, settings: GrpcProtocol | HttpProtocol, meter: ClientMeter | None) -> Gate | None:
    """Make what lets senders in, None where everybody may send anything."""
    admits = authenticator(config, settings.auth)
    return Gate(admits, meter) if admits is not None or meter is not None else None


def bulk_limits(settings: OtlpReceiver) -> BulkLimits:
    """Make the limits of what a request may hold."""
    limits = settings.limits
    return BulkLimits(items=limits.max_items, objects=limits.max_objects, ratio=limits.max_decompression_ratio)


def grpc_limits(settings: GrpcProtocol) -> GrpcLimits:
    """Make the limits of a gRPC server."""
    server, clients = settings.keepalive.server_parameters, settings.keepalive.enforcement_policy
    return GrpcLimits(
        connections=settings.max_connections,
        connections_per_client=settings.max_connections_per_client,
        streams=settings.max_concurrent_streams,
        read_timeout=settings.read_timeout,
        idle=server.max_connection_idle,
        age=server.max_connection_age,
        age_grace=server.max_connection_age_grace,
        ping_after=server.time,
        ping_timeout=server.timeout,
        min_ping_interval=clients.min_time,
        pings_without_calls=clients.permit_without_stream,
    )


def http_limits(settings: HttpProtocol) -> HttpLimits:
    """Make the limits of an HTTP receiver."""
    return HttpLimits(
        connections=settings.max_connections,
        connections_per_client=settings.max_connections_per_client,
        header_timeout=settings.read_header_timeout,
        idle_timeout=settings.idle_timeout,
        read_timeout=settings.read_timeout,
        buffered_bytes=settings.max_buffered_bytes,
    )
